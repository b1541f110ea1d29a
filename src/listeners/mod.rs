//! The two sockets, public and operator: bound early, served with limits on everything, stopped gracefully.

mod activity;
mod connection;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use axum::middleware::from_fn;
use axum_server::tls_rustls::RustlsAcceptor;
use axum_server::{Handle, Server};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use self::connection::{Admission, Peer};
pub use self::tls::Tls;
use crate::config::Config;
use crate::telemetry;

/// Connections the operator listener holds at once, whatever happens on the public one.
const OPERATOR_CONNECTIONS: usize = 256;

/// Connections that the system keeps until they are accepted; what comes beyond them is reset, and the usual 128 are
/// less than a burst of honest clients. Linux keeps `net.core.somaxconn` at most (4,096 by default).
const WAITING_CONNECTIONS: u32 = 4096;

/// HTTP/1.1: the buffer a connection reads into, and so the most its request line and headers can be (else 431).
const HTTP1_BUFFER_BYTES: usize = 32 * 1024;
const HTTP1_HEADERS: usize = 100;

/// HTTP/2, as far as one connection may go (R121).
const HTTP2_STREAMS: u32 = 100;
const HTTP2_HEADER_LIST_BYTES: u32 = 16 * 1024;
const HTTP2_FRAME_BYTES: u32 = 16 * 1024;
/// What a client may send ahead of our reading; one stream's worth is the largest body there is.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
const HTTP2_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Streams reset by the client before we took them, and by us for the client's errors; then the connection ends.
const HTTP2_PENDING_RESETS: usize = 20;
const HTTP2_ERROR_RESETS: usize = 64;

/// Requests to stop: the first lets requests under way finish, the second ends them.
pub type StopRequests = mpsc::Receiver<()>;

/// Turns SIGTERM and SIGINT into [`StopRequests`].
///
/// # Errors
/// The system refuses a signal handler.
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn stop_signals() -> anyhow::Result<StopRequests> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if sender.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Both sockets, bound and not yet answering.
#[derive(Debug)]
pub struct Listeners {
    public: Bound,
    operator: Bound,
    tls: Option<Tls>,
    shutdown_grace: Duration,
}

#[derive(Debug)]
struct Bound {
    admission: Admission,
    address: SocketAddr,
    tls: Option<Tls>,
    header_timeout: Duration,
}

impl Listeners {
    /// Reads the certificate, if there is one, and binds both addresses. A port of 0 takes a free one.
    ///
    /// # Errors
    /// A TLS file is wrong, an address cannot be bound, or it would carry plain HTTP off this machine without
    /// `allow_plain_http`. The message names the key.
    pub fn bind(config: &Config) -> anyhow::Result<Self> {
        let tls = Tls::load(config)?;
        let public = Bound::new("listen", config.listen, config.max_connections, tls.clone(), config)?;
        // Whoever can reach loopback is on this machine, where a certificate for it is only in the way.
        let operator_tls = tls.clone().filter(|_| !config.operator_listen.ip().to_canonical().is_loopback());
        let operator = Bound::new(
            "operator_listen",
            config.operator_listen,
            OPERATOR_CONNECTIONS,
            operator_tls,
            config,
        )?;
        Ok(Self { public, operator, tls, shutdown_grace: config.shutdown_grace() })
    }

    #[must_use]
    pub const fn public_address(&self) -> SocketAddr {
        self.public.address
    }

    #[must_use]
    pub const fn operator_address(&self) -> SocketAddr {
        self.operator.address
    }

    /// Where to point a browser or curl: `https://127.0.0.1:8080`.
    #[must_use]
    pub fn public_base(&self) -> String {
        self.public.base()
    }

    /// As [`Listeners::public_base`], of the operator listener.
    #[must_use]
    pub fn operator_base(&self) -> String {
        self.operator.base()
    }

    /// Answers on both until `stop` says so; handlers find their client as `ConnectInfo<SocketAddr>`.
    ///
    /// From the first request to stop on, nothing new is accepted and connections end after the request they are
    /// in; what is still there after the grace, or at the second request, is cut. SIGHUP reads the certificate anew.
    ///
    /// # Errors
    /// A socket fails for good.
    pub async fn serve(self, public: Router, operator: Router, mut stop: StopRequests) -> anyhow::Result<()> {
        let handles = [Handle::new(), Handle::new()];
        let serving = async {
            tokio::try_join!(
                self.public.serve(public, handles[0].clone()),
                self.operator.serve(operator, handles[1].clone())
            )
        };
        let open = || handles.iter().map(Handle::connection_count).sum::<usize>();
        let stopping = async {
            stop.recv().await;
            let grace = self.shutdown_grace;
            tracing::info!(
                connections = open(),
                grace_seconds = grace.as_secs(),
                "stopping: requests finish"
            );
            for handle in &handles {
                handle.graceful_shutdown(Some(grace));
            }
            tokio::select! {
                Some(()) = stop.recv() => {
                    tracing::warn!(connections = open(), "asked again: requests are cut");
                }
                () = tokio::time::sleep(grace) => {
                    tracing::warn!(connections = open(), "the grace is over: requests are cut");
                }
            }
            handles.iter().for_each(Handle::shutdown);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            served = serving => served.map(|_| ()).context("a listener failed"),
            () = stopping => unreachable!("stopping never ends by itself"),
            () = reload_on_hangup(self.tls.clone()) => unreachable!("reloading never ends by itself"),
        }
    }
}

/// For ever reads the certificate again at each SIGHUP. Without TLS the signal keeps its usual meaning.
async fn reload_on_hangup(tls: Option<Tls>) {
    let (Some(tls), Ok(mut hangup)) = (tls, signal(SignalKind::hangup())) else {
        return std::future::pending().await;
    };
    loop {
        if hangup.recv().await.is_none() {
            return std::future::pending().await;
        }
        match tls.reload() {
            Ok(()) => tracing::info!("the certificate was read anew"),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the certificate from before stays in use");
            }
        }
    }
}

impl Bound {
    fn new(
        key: &'static str,
        address: SocketAddr,
        connections: usize,
        tls: Option<Tls>,
        config: &Config,
    ) -> anyhow::Result<Self> {
        if let Some(problem) = config.check_plain_http(key, address) {
            return Err(anyhow!(problem));
        }
        let listener = listen(address).with_context(|| {
            format!("{key}: cannot listen on {address}; choose another address, or stop what is using it")
        })?;
        let address = listener.local_addr().context("a socket without an address")?;
        // A gauge asked for before there is a recorder counts for nobody.
        let _recorder = telemetry::metrics();
        let name = if key == "listen" { "public" } else { "operator" };
        let open = metrics::gauge!("vestibule_http_connections", "listener" => name);
        let admission = Admission::new(listener, connections, config.idle_timeout(), open);
        Ok(Self { admission, address, tls, header_timeout: config.header_timeout() })
    }

    fn base(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    async fn serve(self, router: Router, handle: Handle<Peer>) -> std::io::Result<()> {
        let watched = router.layer(from_fn(activity::watch));
        let service = watched.into_make_service_with_connect_info::<Peer>();
        let server = with_limits(Server::from_listener(self.admission), self.header_timeout).handle(handle);
        match self.tls {
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls.config).handshake_timeout(self.header_timeout);
                server.acceptor(acceptor).serve(service).await
            }
            None => server.serve(service).await,
        }
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As `TcpListener::bind` does: a restart does not wait for what is left of old connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_CONNECTIONS)
}

fn with_limits(mut server: Server<Peer>, header_timeout: Duration) -> Server<Peer> {
    let http = server.http_builder();
    // hyper counts the wait for a next request as reading its headers, so this bounds idle keep-alive too (R119).
    http.http1()
        .header_read_timeout(header_timeout)
        .max_buf_size(HTTP1_BUFFER_BYTES)
        .max_headers(HTTP1_HEADERS);
    http.http2()
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_header_list_size(HTTP2_HEADER_LIST_BYTES)
        .max_frame_size(HTTP2_FRAME_BYTES)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(HTTP2_SEND_BUFFER_BYTES)
        .max_pending_accept_reset_streams(HTTP2_PENDING_RESETS)
        .max_local_error_reset_streams(HTTP2_ERROR_RESETS);
    server.first_request_timeout(header_timeout).accept_error_handler(|peer, error| {
        if peer.is_none() {
            tracing::warn!(%error, "cannot accept connections");
        } else {
            // A client's own doing, in any number: not worth a line each, and its address is not ours to log.
            tracing::debug!(%error, "a client's connection could not be set up");
        }
    })
}

#[cfg(test)]
mod tests;
