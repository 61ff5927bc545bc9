//! The connection to a caller, which can be cut.

use std::{
    net::{Shutdown, TcpStream},
    os::fd::AsFd,
    sync::Arc,
};

use axum::{extract::connect_info::Connected, serve::IncomingStream};
use tokio::net::TcpListener;

/// A second handle on a caller's connection, to end it while the server still wants to answer.
#[derive(Clone)]
pub(crate) struct Line(Arc<Option<TcpStream>>);

impl Connected<IncomingStream<'_, TcpListener>> for Line {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        let copy = stream.io().as_fd().try_clone_to_owned();
        Self(Arc::new(copy.ok().map(TcpStream::from)))
    }
}

impl Line {
    /// Ends the connection; nothing that is written afterwards is sent.
    pub(crate) fn cut(&self) {
        if let Some(stream) = self.0.as_ref() {
            // An error means that the caller has ended it already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
