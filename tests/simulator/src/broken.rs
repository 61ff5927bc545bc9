//! Answers that break off in their middle.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};

/// A body that ends in an error after some of its announced bytes.
#[derive(Debug)]
pub struct Broken {
    rest: Rest,
    announced: u64,
}

/// What is still to come of a [`Broken`] body.
#[derive(Debug)]
enum Rest {
    Bytes(Bytes),
    /// A moment in which the server sends what it has; an error right after the bytes would discard them.
    Pause,
    Error,
}

impl Broken {
    /// Announces the whole of `body` and sends its first half.
    pub fn half_of(body: &Bytes) -> Body {
        let half = body.slice(..body.len() / 2);
        Body::new(Self { rest: Rest::Bytes(half), announced: body.len().max(1) as u64 })
    }

    /// Sends nothing, for a request that came in without a connection to cut.
    pub(crate) fn nothing() -> Body {
        Body::new(Self { rest: Rest::Error, announced: 1 })
    }
}

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match std::mem::replace(&mut self.rest, Rest::Error) {
            Rest::Bytes(bytes) => {
                self.rest = Rest::Pause;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Rest::Pause => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Rest::Error => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
