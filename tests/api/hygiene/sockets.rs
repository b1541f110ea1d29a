//! What only a real socket can show.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use vestibule::config::Config;
use vestibule::listeners::Listeners;
use vestibule::tenants::Family;

use super::start;
use crate::support::app::{LoginCall, TestApp};

/// The router behind the real public listener.
async fn serve(app: &TestApp) -> (SocketAddr, mpsc::Sender<()>) {
    serve_with(app, &[]).await
}

/// The same, with more settings of the listener.
pub async fn serve_with(app: &TestApp, more: &[(&str, &str)]) -> (SocketAddr, mpsc::Sender<()>) {
    let loopback =
        [("DATABASE_URL", "sqlite:unused"), ("LISTEN", "127.0.0.1:0"), ("OPERATOR_LISTEN", "127.0.0.1:0")];
    let settings = loopback.iter().chain(more);
    let settings = settings.map(|(name, value)| (format!("VESTIBULE_{name}"), (*value).to_owned()));
    let listeners = Listeners::bind(&Config::load(None, settings).unwrap()).unwrap();
    let address = listeners.public_address();
    let (stop, stopping) = mpsc::channel(2);
    tokio::spawn(listeners.serve(app.router.clone(), axum::Router::new(), stopping));
    (address, stop)
}

pub fn head(call: &LoginCall, more: &str) -> String {
    let mut head = format!("POST {} HTTP/1.1\r\nhost: localhost\r\n{more}", call.path);
    for (name, value) in &call.headers {
        let value = String::from_utf8_lossy(value);
        head.extend([name, ": ", &*value, "\r\n"]);
    }
    head.push_str("\r\n");
    head
}

/// Sends `head`, then `chunk` for ever (at most 1 GiB) while reading; how much was taken, and the answer.
pub async fn pour(address: SocketAddr, head: &str, chunk: &[u8]) -> (usize, String) {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let reading = tokio::spawn(async move {
        let mut answer = Vec::new();
        let _reset = reader.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    });
    let mut taken = 0;
    if writer.write_all(head.as_bytes()).await.is_ok() {
        while taken < 1 << 30 && !reading.is_finished() && writer.write_all(chunk).await.is_ok() {
            taken += chunk.len();
        }
    }
    (taken, tokio::time::timeout(Duration::from_secs(20), reading).await.unwrap().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R115_a_huge_body_is_cut_early_with_or_without_a_length() {
    let (app, tenant) = start().await;
    let (address, _stop) = serve(&app).await;
    let login = tenant.login(Family::Individual);
    let data = vec![b' '; 64 * 1024];
    let chunk = [format!("{:x}\r\n", data.len()).as_bytes(), &data, b"\r\n"].concat();
    for (more, piece) in [
        ("transfer-encoding: chunked\r\n", &chunk),
        ("content-length: 1073741824\r\n", &data),
        ("transfer-encoding: chunked\r\nexpect: 100-continue\r\n", &chunk),
    ] {
        let began = Instant::now();
        let (taken, answer) = pour(address, &head(&login, more), piece).await;
        assert!(answer.contains("HTTP/1.1 413 "), "{more}: {answer}");
        assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
        // No more than what the sockets' own buffers hold.
        assert!(taken < 32 << 20, "{more}: {taken} bytes were taken");
        assert!(began.elapsed() < Duration::from_secs(10), "{more}: {:?}", began.elapsed());
    }
    // What says that it is too large is not waited for.
    let began = Instant::now();
    let answer = exchange(address, head(&login, "connection: close\r\ncontent-length: 16385\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // Tiny chunks: the limit counts bytes, not chunks.
    let (taken, answer) =
        pour(address, &head(&login, "transfer-encoding: chunked\r\n"), &b"1\r\n \r\n".repeat(1_000)).await;
    assert!(answer.contains("HTTP/1.1 413 "), "{answer}");
    assert!(taken < 32 << 20, "{taken}");
    app.login(&tenant, Family::Individual).await.expect(200);
}

pub async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_ref()).await.unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    let _reset = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("the connection closes");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R118_TRACE_echoes_nothing_and_odd_requests_get_no_stack() {
    let (app, tenant) = start().await;
    let (address, _stop) = serve(&app).await;
    let answer = exchange(
        address,
        "TRACE /healthz HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer S3cret\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(!answer.contains("S3cret"));
    // Two lengths, a length beside chunks: two readers would see two bodies.
    let login = tenant.login(Family::Individual);
    let body = login.body.to_string();
    for more in [
        format!("content-length: {}\r\ncontent-length: 3\r\n", body.len()),
        "content-length: x\r\n".to_owned(),
        "content-length: -1\r\n".to_owned(),
        "transfer-encoding: x\r\n".to_owned(),
    ] {
        let answer =
            exchange(address, format!("{}{body}", head(&login, &format!("connection: close\r\n{more}"))))
                .await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{more}: {answer}");
    }
    for odd in
        ["GET / HTTP/9.9\r\n\r\n", "\u{16}\u{3}\u{1}", "GET /\u{0} HTTP/1.1\r\nhost: x\r\n\r\n", "G\r\n\r\n"]
    {
        let answer = exchange(address, format!("{odd}\r\n\r\n")).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 5"),
            "{answer}"
        );
        assert!(!answer.contains("panicked"));
    }
    let whole = exchange(
        address,
        format!(
            "{}{body}",
            head(&login, &format!("connection: close\r\ncontent-length: {}\r\n", body.len()))
        ),
    )
    .await;
    assert!(whole.starts_with("HTTP/1.1 200 "), "{whole}");
    // The wire says of the server what it must and no more.
    let headers = whole.split("\r\n\r\n").next().unwrap().to_lowercase();
    assert!(!headers.contains("\r\nserver:"), "{headers}");
}
