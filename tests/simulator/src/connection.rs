//! Connections that can be cut, and may be encrypted.
//!
//! HTTP has no way to say nothing. To lose an answer, the connection under it has to end, so every accepted stream
//! carries a switch that the handler of a request can reach.
//!
//! Encrypted connections shake hands all at the same time, before they are handed on: whoever connects and says nothing
//! keeps nobody else waiting.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Who is at the other end, and a switch that ends the connection, from the next write on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    cut: Arc<AtomicBool>,
    address: Option<SocketAddr>,
    encrypted: bool,
}

impl Peer {
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::SeqCst) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

/// A listener whose connections can be cut.
pub(crate) struct Cuttable {
    pub(crate) listener: TcpListener,
    /// Encrypts every connection.
    pub(crate) acceptor: Option<TlsAcceptor>,
    /// The encrypted connections that still shake hands.
    pub(crate) greeting: JoinSet<io::Result<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Listener for Cuttable {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.listener) => {
                    // Only a hint to the kernel; an answer that waits for it is still an answer.
                    let _ = stream.set_nodelay(true);
                    let Some(acceptor) = &self.acceptor else { return Line::new(stream, address, false) };
                    let greeting = acceptor.accept(stream);
                    self.greeting.spawn(async move { Ok((greeting.await?, address)) });
                }
                // Whoever could not shake hands is gone.
                Some(greeted) = self.greeting.join_next() => if let Ok(Ok((stream, address))) = greeted {
                    return Line::new(stream, address, true);
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Cuttable>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Cuttable>) -> Self {
        stream.io().peer.clone()
    }
}

/// What can be read and written.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection and its switch.
pub(crate) struct Line {
    stream: Box<dyn Duplex>,
    peer: Peer,
}

impl Line {
    fn new(stream: impl Duplex + 'static, address: SocketAddr, encrypted: bool) -> (Self, SocketAddr) {
        let peer = Peer { address: Some(address), encrypted, ..Peer::default() };
        (Self { stream: Box::new(stream), peer }, address)
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.peer.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.peer.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
