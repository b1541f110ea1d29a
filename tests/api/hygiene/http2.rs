//! What a hostile client can do with HTTP/2 (R121) and with a body without end (R115), against a real process: its
//! memory stays what it was, and everybody else is answered meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::sockets::pour;
use crate::flood::Demo;
use crate::support::app::NIL;

/// What all attacks together may add to the process's memory, in KiB.
const MORE_KIB: u64 = 64 * 1024;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames, flags and error codes (RFC 9113 §6, §7).
const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header that is kept nowhere, its name spelled out (RFC 7541 §6.2.2).
fn literal(name: &str, value: &str) -> Vec<u8> {
    let short = |text: &str| u8::try_from(text.len()).unwrap();
    [&[0, short(name)], name.as_bytes(), &[short(value)], value.as_bytes()].concat()
}

/// `:method`, `:scheme`, `:authority` and `:path`.
pub(super) fn request(method: &str, path: &str) -> Vec<u8> {
    let pseudo = [(":method", method), (":scheme", "http"), (":authority", "demo"), (":path", path)];
    pseudo.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

/// A login's headers; its body is to come.
fn login() -> Vec<u8> {
    let mut headers = request("POST", &format!("/api/v2.1/customer/individual/{NIL}/users/{NIL}/sessions"));
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-tenant-id", "tenant-demo-001"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-from", "attack"),
        ("platform", "web"),
        ("deviceid", "d"),
    ] {
        headers.extend(literal(name, value));
    }
    headers
}

/// What came of an attack.
#[derive(Default, Debug)]
struct Outcome {
    /// Pieces that were taken before the connection ended.
    taken: u32,
    /// How the server said goodbye.
    goaway: Option<u32>,
    /// Streams that it refused.
    refused: u32,
    /// The settings it announced.
    settings: Vec<(u16, u32)>,
    /// How long each request of somebody else's took meanwhile.
    others: Vec<Duration>,
}

impl Outcome {
    /// That somebody else was answered all the while.
    #[track_caller]
    fn kept_nobody_waiting(&self, what: &str) {
        let mut others = self.others.clone();
        others.sort_unstable();
        let median = others[others.len() / 2];
        assert!(median < Duration::from_secs(1), "{what}: {median:?} in {others:?}");
    }

    /// That the server ended it, before it had taken so many pieces.
    #[track_caller]
    fn was_ended_before(&self, pieces: u32, what: &str) {
        assert!(self.taken < pieces || self.goaway.is_some_and(|code| code != 0), "{what}: {self:?}");
    }
}

/// Sends the preface, then so many pieces, while it reads what comes back.
async fn attack(address: SocketAddr, pieces: u32, piece: impl Fn(u32) -> Vec<u8>) -> Outcome {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let reading = tokio::spawn(async move {
        let mut outcome = Outcome::default();
        let mut head = [0; 9];
        while reader.read_exact(&mut head).await.is_ok() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            if reader.read_exact(&mut payload).await.is_err() {
                break;
            }
            let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
            match head[3] {
                GOAWAY => outcome.goaway = Some(number(4)),
                RST_STREAM if number(0) == REFUSED_STREAM => outcome.refused += 1,
                SETTINGS => outcome.settings.extend(payload.chunks_exact(6).map(|setting| {
                    let id = u16::from_be_bytes([setting[0], setting[1]]);
                    (id, u32::from_be_bytes(setting[2..].try_into().unwrap()))
                })),
                _ => {}
            }
        }
        outcome
    });
    let mut taken = 0;
    if writer.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.is_ok() {
        while taken < pieces && !reading.is_finished() && writer.write_all(&piece(taken)).await.is_ok() {
            taken += 1;
        }
    }
    // What is under way comes in; who was not cut off says goodbye.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _ = writer.shutdown().await;
    let ended = tokio::time::timeout(Duration::from_secs(20), reading).await;
    Outcome { taken, ..ended.expect("the connection ends").unwrap() }
}

/// Attacks, while somebody else asks again and again.
async fn flood(demo: &Demo, pieces: u32, piece: impl Fn(u32) -> Vec<u8>) -> Outcome {
    let attack = attack(demo.address, pieces, piece);
    tokio::pin!(attack);
    let mut others = Vec::new();
    loop {
        let asked = Instant::now();
        let other = async {
            assert!(demo.get("/healthz").await.unwrap().starts_with("HTTP/1.1 200"));
            let took = asked.elapsed();
            tokio::time::sleep(Duration::from_millis(20)).await;
            took
        };
        tokio::select! {
            outcome = &mut attack => return Outcome { others, ..outcome },
            took = other => others.push(took),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R121_floods_over_HTTP_2_end_their_connection_or_keep_nobody_waiting_and_take_no_memory() {
    let data = tempfile::tempdir().unwrap();
    let demo = Arc::new(Demo::start(&data.path().join("demo")).await);
    let before = demo.memory("VmHWM");
    let get = request("GET", "/healthz");

    // Streams opened and reset at once (CVE-2023-44487), a thousand a piece.
    let resets = flood(&demo, 200, |number| {
        let stream = |at: u32| {
            let id = 2 * (1_000 * number + at) + 1;
            let cancel = frame(RST_STREAM, 0, id, &8_u32.to_be_bytes());
            [frame(HEADERS, END_HEADERS | END_STREAM, id, &get), cancel].concat()
        };
        (0..1_000).flat_map(stream).collect()
    })
    .await;
    assert_eq!(resets.goaway, Some(ENHANCE_YOUR_CALM), "{resets:?}");
    assert!(resets.taken < 200, "{resets:?}");
    resets.kept_nobody_waiting("resets");
    // What it says of itself: the most streams (3), and the longest list of headers (6).
    let setting = |wanted: u16| resets.settings.iter().find(|(id, _)| *id == wanted).map(|(_, value)| *value);
    assert_eq!(setting(3), Some(100), "{resets:?}");
    assert_eq!(setting(6), Some(16 * 1024), "{resets:?}");

    // Streams that are opened and made to be reset by us (CVE-2025-8671): by more data than their length says.
    let short = [get.clone(), literal("content-length", "1")].concat();
    let errors = flood(&demo, 200, |number| {
        let stream = |at: u32| {
            let id = 2 * (100 * number + at) + 1;
            [frame(HEADERS, END_HEADERS, id, &short), frame(DATA, 0, id, b"two")].concat()
        };
        (0..100).flat_map(stream).collect()
    })
    .await;
    assert_eq!(errors.goaway, Some(ENHANCE_YOUR_CALM), "{errors:?}");
    errors.was_ended_before(200, "errors");
    errors.kept_nobody_waiting("errors");

    // Headers that never end (RUSTSEC-2024-0332), with much in each frame and with nothing.
    let filling: Vec<u8> = literal("x-filling", &"a".repeat(100)).repeat(140);
    for rest in [&filling[..], &[]] {
        let continued = flood(&demo, 20_000, |number| match number {
            0 => frame(HEADERS, 0, 1, &get),
            _ => frame(CONTINUATION, 0, 1, rest),
        })
        .await;
        assert!(continued.taken < 20_000, "{} bytes each: {continued:?}", rest.len());
        continued.kept_nobody_waiting("continued headers");
    }

    // A long header kept in the table and named again and again.
    let bomb = flood(&demo, 50, |number| {
        let mut headers = get.clone();
        headers.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
        headers.extend([b'a'; 4_000]);
        headers.extend([0xbe; 12_000]);
        frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, &headers)
    })
    .await;
    bomb.was_ended_before(50, "a header named again and again");
    bomb.kept_nobody_waiting("a header named again and again");

    // More streams than are allowed, each waiting for its body.
    let waiting = flood(&demo, 1_000, |number| frame(HEADERS, END_HEADERS, 2 * number + 1, &login())).await;
    assert!(waiting.refused > 0 || waiting.goaway.is_some_and(|code| code != 0), "{waiting:?}");
    waiting.kept_nobody_waiting("streams");

    // Data with nothing in it, for a body that is read and for a stream that is long over.
    let nothing = |stream: u32| frame(DATA, 0, stream, &[]).repeat(1_000);
    let empty = flood(&demo, 1_000, |number| match number {
        0 => frame(HEADERS, END_HEADERS, 1, &login()),
        _ => nothing(1),
    })
    .await;
    let after_the_end = flood(&demo, 1_000, |number| match number {
        0 => frame(HEADERS, END_HEADERS | END_STREAM, 1, &get),
        _ => nothing(1),
    })
    .await;
    for (what, ended) in [("empty data", empty), ("data after the end", after_the_end)] {
        ended.was_ended_before(1_000, what);
        ended.kept_nobody_waiting(what);
    }

    // What is to be answered at once, half a million times: read no faster than the answers go out, and ended by nobody
    // while requests come, so it must keep nobody waiting.
    let pings = flood(&demo, 500, |_| frame(PING, 0, 0, &[7; 8]).repeat(1_000)).await;
    pings.kept_nobody_waiting("pings");
    let settings = flood(&demo, 500, |_| frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]).repeat(1_000)).await;
    settings.kept_nobody_waiting("settings");

    assert!(demo.get("/healthz").await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(demo.login(1).await.unwrap().starts_with("HTTP/1.1 401"));
    let after = demo.memory("VmHWM");
    eprintln!("{before} KiB before the floods, {after} KiB at the most");
    assert!(after <= before + MORE_KIB + 19_456 * 2, "{before} KiB, then {after} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R115_of_bodies_without_end_nothing_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let demo = Demo::start(&data.path().join("demo")).await;
    let before = demo.memory("VmHWM");
    let head = format!(
        "POST /api/v2.1/customer/individual/{NIL}/users/{NIL}/sessions HTTP/1.1\r\nhost: demo\r\n\
         content-type: application/json\r\nx-tenant-id: tenant-demo-001\r\nx-forwarded-for: 127.0.0.1\r\n\
         x-forwarded-from: flood\r\nplatform: web\r\ndeviceid: d\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let piece = vec![b' '; 1 << 20];
    let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
    // One that never ends, too, and extensions and trailers in place of data.
    let endless = head.clone() + "7fffffffffffffff\r\n";
    let extended = head.clone() + "1;";
    let trailed = head.clone() + "0\r\nx: ";
    let pours = [(&head, &chunk), (&endless, &piece), (&extended, &piece), (&trailed, &piece)];
    let poured = futures_util::future::join_all(
        pours.into_iter().cycle().take(16).map(|(head, piece)| pour(demo.address, head, piece)),
    );
    for (taken, answer) in poured.await {
        assert!(taken < 32 << 20, "{taken} bytes were taken: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let after = demo.memory("VmHWM");
    eprintln!("{before} KiB before sixteen bodies of a GiB, {after} KiB at the most");
    assert!(after <= before + 32 * 1024, "{before} KiB, then {after} KiB");
    assert!(demo.get("/healthz").await.unwrap().starts_with("HTTP/1.1 200"));
}
