//! One client's connection: admitted while there is room, closed when nothing is asked on it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum_server::{AddrListener, Address};
use metrics::Gauge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::activity::Activity;

/// The address of a client. Our own type, so that the listener and the stream below can be ours.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) activity: Arc<Activity>,
}

impl Peer {
    fn new(address: SocketAddr) -> Self {
        Self { address, activity: Arc::new(Activity::new()) }
    }
}

impl Address for Peer {
    type Stream = Connection;
    type Listener = Admission;
}

impl Connected<Self> for Peer {
    fn connect_info(peer: Self) -> Self {
        peer
    }
}

/// A listener that leaves clients waiting in the system's queue while `permits` are all taken.
#[derive(Debug)]
pub(super) struct Admission {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    idle_timeout: Duration,
    open: Gauge,
}

impl Admission {
    pub(super) fn new(
        listener: TcpListener,
        connections: usize,
        idle_timeout: Duration,
        open: Gauge,
    ) -> Self {
        Self { listener, permits: Arc::new(Semaphore::new(connections)), idle_timeout, open }
    }
}

impl AddrListener<Connection, Peer> for Admission {
    async fn bind_to(address: Peer) -> io::Result<Self> {
        let listener = TcpListener::bind(address.address).await?;
        Ok(Self::new(listener, Semaphore::MAX_PERMITS, Duration::from_mins(1), Gauge::noop()))
    }

    async fn accept_stream(&self) -> io::Result<(Connection, Peer)> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, address) = self.listener.accept().await?;
        let peer = Peer::new(address);
        stream.set_nodelay(true)?;
        self.open.increment(1);
        let connection = Connection {
            stream,
            idle: Idle::new(self.idle_timeout, Arc::clone(&peer.activity)),
            open: self.open.clone(),
            _permit: permit,
        };
        Ok((connection, peer))
    }

    fn get_local_addr(&self) -> io::Result<Peer> {
        self.listener.local_addr().map(Peer::new)
    }
}

/// A client's TCP stream. It fails with `TimedOut` once no request has done anything for the idle timeout, whatever is
/// read and written; which also ends clients that ask and never read their answer.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    idle: Idle,
    open: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.decrement(1);
    }
}

#[derive(Debug)]
struct Idle {
    timeout: Duration,
    activity: Arc<Activity>,
    sleep: Pin<Box<Sleep>>,
}

impl Idle {
    fn new(timeout: Duration, activity: Arc<Activity>) -> Self {
        Self { timeout, activity, sleep: Box::pin(tokio::time::sleep(timeout)) }
    }

    /// Passes a stream's answer on, or the timeout when nothing was asked for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, answer: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        loop {
            let now = Instant::now();
            let deadline = self.activity.last(now) + self.timeout;
            if deadline <= now {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if answer.is_ready() {
                return answer;
            }
            // Set anew only when it has gone off: to do so for each packet would cost more than the packet.
            ready!(self.sleep.as_mut().poll(cx));
            self.sleep.as_mut().reset(deadline);
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let answer = Pin::new(&mut this.stream).poll_read(cx, buf);
        this.idle.watch(cx, answer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let answer = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.idle.watch(cx, answer)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let answer = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.idle.watch(cx, answer)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn admission(connections: usize, idle: Duration) -> (Admission, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Admission::new(listener, connections, idle, Gauge::noop()), address)
    }

    #[tokio::test]
    async fn r119_a_connection_on_which_nothing_is_asked_ends() {
        let (admission, address) = admission(1, Duration::from_millis(50)).await;
        let _client = TcpStream::connect(address).await.unwrap();
        let (mut connection, _) = admission.accept_stream().await.unwrap();
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn r119_a_client_that_never_reads_its_answer_is_cut_off() {
        let (admission, address) = admission(1, Duration::from_millis(50)).await;
        let _client = TcpStream::connect(address).await.unwrap();
        let (mut connection, _) = admission.accept_stream().await.unwrap();
        let error = connection.write_all(&vec![0; 64 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn more_connections_than_allowed_wait_until_one_ends() {
        let (admission, address) = admission(1, Duration::from_mins(1)).await;
        let (_one, _two) =
            (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
        let first = admission.accept_stream().await.unwrap();
        let second = admission.accept_stream();
        tokio::pin!(second);
        tokio::select! {
            biased;
            _ = &mut second => panic!("admitted beyond the limit"),
            () = std::future::ready(()) => {}
        }
        drop(first);
        second.await.unwrap();
    }
}
