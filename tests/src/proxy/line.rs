//! The connection to a caller, and the ways in which it breaks.

use std::{
    io,
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    extract::connect_info::Connected,
    serve::IncomingStream,
};
use http_body::{Frame, SizeHint};
use tokio::net::TcpListener;

/// A second handle on a caller's connection, to end it while the server still wants to answer.
#[derive(Clone)]
pub(super) struct Line(Arc<Option<TcpStream>>);

impl Connected<IncomingStream<'_, TcpListener>> for Line {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        let copy = stream.io().as_fd().try_clone_to_owned();
        Self(Arc::new(copy.ok().map(TcpStream::from)))
    }
}

impl Line {
    /// Ends the connection; nothing that is written afterwards is sent.
    pub(super) fn cut(&self) {
        if let Some(stream) = self.0.as_ref() {
            // An error means that the caller has ended it already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A body that breaks off in its middle, whose whole length was announced.
pub(super) struct Half {
    rest: Rest,
    announced: u64,
}

/// What is still to come of a [`Half`].
enum Rest {
    Bytes(Bytes),
    /// A moment in which the server sends what it has; an error right after the bytes would discard them.
    Pause,
    Error,
}

impl Half {
    /// Announces the whole and sends the first half.
    pub(super) fn of(whole: &Bytes) -> Body {
        let half = whole.slice(..whole.len() / 2);
        Body::new(Self { rest: Rest::Bytes(half), announced: whole.len().max(1) as u64 })
    }
}

impl http_body::Body for Half {
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
