//! The listeners with real sockets: TLS, limits and the graceful stop.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

const ASK: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn config(more: &[(&str, &str)]) -> Config {
    let loopback = [
        ("VESTIBULE_DATABASE_URL", "sqlite:unused"),
        ("VESTIBULE_LISTEN", "127.0.0.1:0"),
        ("VESTIBULE_OPERATOR_LISTEN", "127.0.0.1:0"),
    ];
    let env = loopback.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(None, env).unwrap()
}

struct Running {
    public: SocketAddr,
    operator: SocketAddr,
    stop: mpsc::Sender<()>,
    served: JoinHandle<anyhow::Result<()>>,
}

fn peer_route() -> Router {
    Router::new().route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string()))
}

fn serve(listeners: Listeners, public: Router) -> Running {
    let (stop, requests) = mpsc::channel(2);
    let (public_address, operator) = (listeners.public_address(), listeners.operator_address());
    let served = tokio::spawn(listeners.serve(public, peer_route(), requests));
    Running { public: public_address, operator, stop, served }
}

fn start(config: &Config, public: Router) -> Running {
    serve(Listeners::bind(config).unwrap(), public)
}

/// Sends bytes and reads until the server closes.
async fn exchange(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = std::process::Command::new("openssl").current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A fresh `tls.crt` for localhost and its `tls.key`.
fn write_certificate(folder: &Path) {
    let settings = "[req]\ndistinguished_name = dn\n[dn]\n[ext]\nbasicConstraints = critical, CA:FALSE\n\
                    subjectAltName = DNS:localhost\n";
    std::fs::write(folder.join("openssl.cnf"), settings).unwrap();
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let files = ["-subj", "/CN=localhost", "-extensions", "ext", "-keyout", "tls.key", "-out", "tls.crt"];
    openssl(folder, &[&["req", "-x509", "-config", "openssl.cnf"], &curve[..], &files[..]].concat());
}

fn tls_config(folder: &Path) -> Config {
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    config(&[
        ("VESTIBULE_TLS_CERTIFICATE_FILE", &file("tls.crt")),
        ("VESTIBULE_TLS_KEY_FILE", &file("tls.key")),
    ])
}

/// A handshake that trusts only that certificate; then a request, when there is one.
fn tls_ask(
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    alpn: &str,
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let mut connection = ClientConnection::new(Arc::new(client), "localhost".try_into().unwrap()).unwrap();
    let mut stream = std::net::TcpStream::connect(address)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    assert_eq!(connection.alpn_protocol(), Some(alpn.as_bytes()));
    assert_eq!(connection.protocol_version(), Some(version.version));
    if alpn == "h2" {
        return Ok(String::new());
    }
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(ASK.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn send_signal(name: &str) {
    let own = std::process::id().to_string();
    let sent = std::process::Command::new("kill").args(["-s", name, &own]).status().unwrap();
    assert!(sent.success());
}

#[tokio::test]
async fn r157_sigterm_and_sigint_ask_to_stop() {
    let mut stop = stop_signals().unwrap();
    for name in ["TERM", "INT"] {
        send_signal(name);
        stop.recv().await.unwrap();
    }
}

#[tokio::test]
async fn r148_plain_http_off_loopback_is_refused() {
    let mut config = config(&[]);
    config.listen = "0.0.0.0:0".parse().unwrap();
    let error = Listeners::bind(&config).unwrap_err().to_string();
    assert!(error.starts_with("listen: 0.0.0.0:0 would carry passwords over plain HTTP"), "{error}");
    config.allow_plain_http = true;
    Listeners::bind(&config).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r148_tls_1_2_and_1_3_are_spoken_with_http_1_and_2() {
    let folder = tempfile::tempdir().unwrap();
    write_certificate(folder.path());
    let mut config = tls_config(folder.path());
    config.operator_listen = "0.0.0.0:0".parse().unwrap();
    let open = Listeners::bind(&config).unwrap();
    assert!(open.operator_base().starts_with("https://0.0.0.0:"), "{}", open.operator_base());
    let listeners = Listeners::bind(&tls_config(folder.path())).unwrap();
    assert!(listeners.public_base().starts_with("https://127.0.0.1:"));
    assert!(listeners.operator_base().starts_with("http://127.0.0.1:"));
    let running = serve(listeners, peer_route());
    let certificate = CertificateDer::from_pem_file(folder.path().join("tls.crt")).unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (address, certificate) = (running.public, certificate.clone());
        tokio::task::spawn_blocking(move || {
            let answer = tls_ask(address, certificate.clone(), version, "http/1.1").unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
            tls_ask(address, certificate, version, "h2").unwrap();
        })
        .await
        .unwrap();
    }
    assert!(
        !exchange(running.public, ASK).await.contains("HTTP/"),
        "plain HTTP on the TLS port is not answered"
    );
    assert!(exchange(running.operator, ASK).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_after_a_reload_and_a_broken_one_never() {
    let folder = tempfile::tempdir().unwrap();
    write_certificate(folder.path());
    let listeners = Listeners::bind(&tls_config(folder.path())).unwrap();
    let tls = listeners.tls.clone().unwrap();
    let running = serve(listeners, peer_route());
    let certificate = || CertificateDer::from_pem_file(folder.path().join("tls.crt")).unwrap();
    let trusted = async |certificate| {
        let ask = move || tls_ask(running.public, certificate, &rustls::version::TLS13, "http/1.1");
        tokio::task::spawn_blocking(ask).await.unwrap().is_ok()
    };
    let old = certificate();
    write_certificate(folder.path());
    let new = certificate();
    assert!(trusted(old.clone()).await && !trusted(new.clone()).await);
    send_signal("HUP");
    while !trusted(new.clone()).await {
        assert!(!running.served.is_finished());
    }
    assert!(!trusted(old).await);
    std::fs::write(folder.path().join("tls.crt"), "").unwrap();
    tls.reload().unwrap_err();
    assert!(trusted(new).await);
}

#[test]
fn a_wrong_tls_file_is_refused_by_name() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let refusal = || format!("{:#}", Tls::load(&tls_config(folder.path())).unwrap_err());
    let file = |name: &str| folder.path().join(name);
    assert!(refusal().contains("tls_certificate_file: cannot read") && refusal().contains("tls.crt"));
    write_certificate(folder.path());
    Tls::load(&tls_config(folder.path())).unwrap().unwrap();

    std::fs::set_permissions(file("tls.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal().contains("run chmod o="), "{}", refusal());
    std::fs::set_permissions(file("tls.key"), std::fs::Permissions::from_mode(0o640)).unwrap();

    std::fs::copy(file("tls.key"), file("open.key")).unwrap();
    openssl(folder.path(), &["pkcs8", "-topk8", "-in", "open.key", "-passout", "pass:x", "-out", "tls.key"]);
    assert!(refusal().contains("an encrypted key must be decrypted first"), "{}", refusal());

    openssl(folder.path(), &["genpkey", "-algorithm", "ed25519", "-out", "tls.key"]);
    assert!(refusal().contains("do not work together"), "{}", refusal());

    std::fs::copy(file("open.key"), file("tls.crt")).unwrap();
    assert!(refusal().contains("holds no certificate in PEM"), "{}", refusal());
}

#[tokio::test]
async fn an_address_in_use_is_named_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(&[]);
    config.operator_listen = taken.local_addr().unwrap();
    let error = format!("{:#}", Listeners::bind(&config).unwrap_err());
    assert!(
        error.starts_with(&format!("operator_listen: cannot listen on {}", config.operator_listen)),
        "{error}"
    );
    assert!(error.contains("Address already in use"), "{error}");
}

/// A route that says when a request is in it and answers when told to.
fn slow_route() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, wait) = (Arc::clone(&entered), Arc::clone(&go_on));
    let slow = get(async move || {
        inside.notify_one();
        wait.notified().await;
        "done"
    });
    (Router::new().route("/", slow), entered, go_on)
}

#[tokio::test]
async fn r157_a_stop_finishes_requests_under_way_and_takes_no_new_ones() {
    let (route, entered, go_on) = slow_route();
    let running = start(&config(&[]), route);
    let under_way = tokio::spawn(exchange(running.public, ASK));
    let idle = TcpStream::connect(running.public).await.unwrap();
    entered.notified().await;
    running.stop.send(()).await.unwrap();
    // The idle connection ends when the stop has begun; from then on nobody listens.
    let mut idle = idle;
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    while TcpStream::connect(running.public).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(TcpStream::connect(running.operator).await.is_err());
    assert!(!running.served.is_finished());
    go_on.notify_one();
    let answer = under_way.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"), "{answer}");
    running.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn r157_a_second_request_to_stop_cuts_what_is_left() {
    let (route, entered, _go_on) = slow_route();
    let running = start(&config(&[]), route);
    let under_way = tokio::spawn(exchange(running.public, ASK));
    entered.notified().await;
    running.stop.send(()).await.unwrap();
    running.stop.send(()).await.unwrap();
    assert_eq!(under_way.await.unwrap(), "");
    running.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn r157_the_grace_has_an_end() {
    let (route, entered, _go_on) = slow_route();
    let running = start(&config(&[("VESTIBULE_SHUTDOWN_GRACE_SECONDS", "1")]), route);
    let under_way = tokio::spawn(exchange(running.public, ASK));
    entered.notified().await;
    running.stop.send(()).await.unwrap();
    assert_eq!(under_way.await.unwrap(), "");
    running.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn r119_headers_that_do_not_come_end_the_connection() {
    let running = start(&config(&[("VESTIBULE_HEADER_TIMEOUT_SECONDS", "1")]), peer_route());
    let kept_alive = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let begun = std::time::Instant::now();
    let (nothing, half, h2, idle) = tokio::join!(
        exchange(running.public, ""),
        exchange(running.public, "GET / HTTP/1.1\r\nHost: a\r\nX: "),
        exchange(running.public, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        exchange(running.public, kept_alive),
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(nothing, "");
    assert!(!half.contains(" 200 ") && !h2.contains(" 200 "));
    assert!(idle.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn r119_the_operator_listener_answers_while_the_public_one_is_full() {
    let running = start(&config(&[("VESTIBULE_MAX_CONNECTIONS", "1")]), peer_route());
    let mut held = TcpStream::connect(running.public).await.unwrap();
    held.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    held.read_u8().await.unwrap();
    let waiting = tokio::spawn(exchange(running.public, ASK));
    assert!(exchange(running.operator, ASK).await.starts_with("HTTP/1.1 200"));
    assert!(!waiting.is_finished());
    drop(held);
    assert!(waiting.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn r120_ambiguous_framing_is_refused_and_the_connection_closed() {
    let echo =
        Router::new().route("/", post(async |body: String| body)).route("/smuggled", get(async || "leak"));
    let running = start(&config(&[]), echo);
    let tail = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for headers in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 0x5\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length\x00: 5\r\n",
    ] {
        let answer =
            exchange(running.public, &format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n{tail}")).await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{headers:?}: {answer}");
        let both = headers.contains("Length") && headers.contains("Transfer");
        assert!(both || answer.starts_with("HTTP/1.1 400"), "{headers:?}: {answer}");
    }
    let overflow = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n";
    assert!(!exchange(running.public, overflow).await.contains(" 200 "));
}

#[tokio::test]
async fn r121_headers_beyond_the_limits_are_refused_on_http_1_and_2() {
    let running = start(&config(&[]), peer_route());
    let url = format!("http://{}/", running.public);
    let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let fitting = http2.get(&url).header("x", "a".repeat(8 * 1024)).send().await.unwrap();
    assert_eq!(fitting.status(), 200);
    let refused = http2.get(&url).header("x", "a".repeat(20 * 1024)).send().await;
    assert_eq!(refused.unwrap().status(), 431);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(100));
    assert!(exchange(running.public, &many).await.starts_with("HTTP/1.1 431 "));
    let http1 = reqwest::Client::builder().http1_only().build().unwrap();
    assert_eq!(http1.get(&url).header("x", "a".repeat(40 * 1024)).send().await.unwrap().status(), 431);
    assert_eq!(http1.get(&url).header("x", "a".repeat(8 * 1024)).send().await.unwrap().status(), 200);
}
