//! Clients that take their time (R119): each is cut off in bounded time, and many of them keep nobody from logging in.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use vestibule::tenants::Family;

use super::sockets::{exchange, head, serve_with};
use super::start;

const SLOW: usize = 500;

/// What a slow client is slow with.
#[derive(Clone, Copy, Debug)]
enum With {
    Headers,
    Body,
    Reading,
    NextRequest,
}

/// Sends `opening`, then a byte of `more` now and then, or reads nothing; how long it was let, and what it read.
async fn dawdle(address: SocketAddr, opening: String, with: With) -> (Duration, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let began = Instant::now();
    stream.write_all(opening.as_bytes()).await.unwrap();
    if matches!(with, With::Reading) {
        // Asks without end, so that the answers fill all buffers; the writing stands still then.
        while stream.write_all(opening.as_bytes()).await.is_ok() {}
        return (began.elapsed(), String::new());
    }
    let (mut reader, mut writer) = stream.into_split();
    let dribbling = tokio::spawn(async move {
        while matches!(with, With::Headers | With::Body) && writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        writer
    });
    let mut answer = Vec::new();
    let _reset = reader.read_to_end(&mut answer).await;
    dribbling.abort();
    (began.elapsed(), String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R119_five_hundred_slow_clients_are_cut_off_and_logins_go_on_meanwhile() {
    let (app, tenant) = start().await;
    let (address, _stop) =
        serve_with(&app, &[("HEADER_TIMEOUT_SECONDS", "10"), ("IDLE_TIMEOUT_SECONDS", "10")]).await;
    let login = tenant.login(Family::Individual);
    let body = login.body.to_string();
    let mut slow = JoinSet::new();
    for number in 0..SLOW {
        let (opening, with) = match number % 10 {
            0..=3 => ("GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: ".to_owned(), With::Headers),
            4..=6 => (head(&login, "content-length: 16000\r\n") + "{\"username\":\"", With::Body),
            7 => ("GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(8), With::Reading),
            _ => ("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), With::NextRequest),
        };
        slow.spawn(async move { (with, dawdle(address, opening, with).await) });
    }
    // A client with nothing but a login to do is answered all the while.
    let whole = head(&login, &format!("connection: close\r\ncontent-length: {}\r\n", body.len())) + &body;
    let mut logins = 0;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) {
        // Which fails after 20 s; no closer, for many machines that run this are busy with something else.
        let answer = exchange(address, &whole).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        logins += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(logins >= 1, "{logins}");
    let all = async {
        while let Some(done) = slow.join_next().await {
            let (with, (took, answer)) = done.unwrap();
            assert!(took > Duration::from_secs(5), "{with:?}: cut off after {took:?}: {answer}");
            assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{answer}");
        }
    };
    // The timeouts are ten seconds, and some of them follow on others.
    tokio::time::timeout(Duration::from_secs(35), all).await.expect("every slow client is cut off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R119_the_time_for_headers_is_for_all_of_them_and_not_for_each_byte() {
    let (app, _) = start().await;
    let (address, _stop) = serve_with(&app, &[("HEADER_TIMEOUT_SECONDS", "1")]).await;
    for opening in ["G", "GET /healthz HTTP/1.1\r\nhost: a\r\nx-slow: "] {
        let (took, answer) = dawdle(address, opening.to_owned(), With::Headers).await;
        assert!(took < Duration::from_secs(8), "{took:?}");
        assert!(!answer.contains(" 200 "), "{answer}");
    }
}
