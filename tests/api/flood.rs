//! More logins than can be hashed, against a real process: what cannot be hashed in time is refused, memory stays
//! bounded, and whatever needs no hash is answered meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vestibule::tenants::Family;

use crate::support::app::NIL;
use crate::support::program::{credentials, login};

const LOGINS: usize = 2_000;

/// What one hash takes, in KiB (the demo's cost), and what a flood may take beside the hashes: 24 KiB a connection, for
/// the listener lets all of them wait at once.
const HASH_KIB: u64 = 19_456;
const CONNECTIONS_KIB: u64 = LOGINS as u64 * 24;

/// A demo that is stopped when this is dropped.
pub struct Demo {
    process: Child,
    pub address: SocketAddr,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Demo {
    pub async fn start(data: &Path) -> Self {
        // Ports that the system gives and nobody can take meanwhile; the demo prints the one it got.
        let mut process = Command::new(env!("CARGO_BIN_EXE_vestibule"))
            .args(["demo", "--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0"])
            .arg("--data")
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url = lines.find_map(|line| line.trim().strip_prefix("--url http://").map(str::to_owned));
        let address = url.expect("the demo prints its call").split('/').next().unwrap().parse().unwrap();
        // Its reader stays until it has printed everything.
        std::thread::spawn(move || lines.for_each(drop));
        let demo = Self { process, address };
        let begun = Instant::now();
        while demo.get("/readyz").await.is_none() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the demo is not ready after 30 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        demo
    }

    /// A line of the process's memory, in KiB: `VmRSS` now, `VmHWM` at the most.
    pub fn memory(&self, line: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')).unwrap();
        found.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub async fn get(&self, path: &str) -> Option<String> {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nhost: demo\r\nconnection: close\r\n\r\n")).await
    }

    async fn exchange(&self, request: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        (!answer.is_empty()).then(|| String::from_utf8_lossy(&answer).into_owned())
    }

    /// A login of somebody whom nobody knows: it costs a hash like any other, and no two share a throttle.
    pub async fn login(&self, number: usize) -> Option<String> {
        let body = json!({
            "username": format!("nobody-{number}"), "password": "SecurePass123!",
            "tenantKey": "a1B2c3D4e5F6g7H8i9J0kLmNopQr", "tenantSecret": "s3Cr3tKeyXyZpQwErTyUiOpAsDfGh",
        })
        .to_string();
        self.exchange(&format!(
            "POST /api/v2.1/customer/individual/{NIL}/users/{NIL}/sessions HTTP/1.1\r\nhost: demo\r\n\
             connection: close\r\ncontent-type: application/json\r\nx-tenant-id: tenant-demo-001\r\n\
             x-forwarded-for: 127.0.0.1\r\nx-forwarded-from: flood\r\nplatform: web\r\ndeviceid: d\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R037_of_two_thousand_logins_at_once_the_rest_is_refused_in_bounded_memory_while_health_answers() {
    let data = tempfile::tempdir().unwrap();
    let demo = std::sync::Arc::new(Demo::start(&data.path().join("demo")).await);
    let base = demo.memory("VmRSS");

    let logins: Vec<_> = (0..LOGINS)
        .map(|number| {
            let demo = demo.clone();
            tokio::spawn(async move { demo.login(number).await })
        })
        .collect();
    let mut health = 0;
    while logins.iter().any(|login| !login.is_finished()) {
        assert!(demo.get("/healthz").await.unwrap().starts_with("HTTP/1.1 200"), "health during the flood");
        health += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut statuses = BTreeMap::new();
    for login in logins {
        let answer = login.await.unwrap().expect("an answer, whatever it is");
        let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
        if status == "503" {
            assert!(answer.to_ascii_lowercase().contains("\r\nretry-after: "), "{answer}");
        }
        *statuses.entry(status).or_insert(0) += 1;
    }
    eprintln!(
        "statuses {statuses:?}, base {base} KiB, at most {} KiB, {health} health checks",
        demo.memory("VmHWM")
    );
    assert_eq!(statuses.values().sum::<usize>(), LOGINS);
    assert!(statuses.keys().all(|status| status == "401" || status == "503"), "{statuses:?}");
    assert!(statuses["401"] > 0 && statuses["503"] > 0 && health > 0, "{statuses:?}");
    let cores = u64::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    assert!(demo.memory("VmHWM") <= base + cores * HASH_KIB + CONNECTIONS_KIB);
    // And it recovers.
    assert!(demo.login(LOGINS).await.unwrap().starts_with("HTTP/1.1 401"));
}

/// What is asked during a flood that needs no hash.
struct Quick {
    client: reqwest::Client,
    base: String,
    /// The login's session, its access token and its newest refresh token.
    session: String,
    token: String,
    refresh: String,
}

impl Quick {
    const ASKED: [&str; 4] = ["health", "session", "introspection", "refresh"];

    async fn log_in(demo: &Demo) -> Self {
        let base = format!("http://{}", demo.address);
        let body = credentials(
            "customer.login.123456@example.test",
            "SecurePass123!",
            "a1B2c3D4e5F6g7H8i9J0kLmNopQr",
            "s3Cr3tKeyXyZpQwErTyUiOpAsDfGh",
        );
        let (status, answer) = login(&base, Family::Individual, "tenant-demo-001", &body).await;
        assert_eq!(status, 200, "{answer}");
        let field = |name: &str| answer["data"][name].as_str().unwrap().to_owned();
        let (session, token, refresh) = (field("sessionId"), field("token"), field("refreshToken"));
        Self { client: reqwest::Client::new(), base, session, token, refresh }
    }

    /// Asks for it once: how long the answer took.
    async fn ask(&mut self, what: &str) -> Duration {
        let path =
            format!("{}/api/v2.1/customer/individual/{NIL}/users/{NIL}/sessions/{}", self.base, self.session);
        let request = match what {
            "health" => self.client.get(format!("{}/healthz", self.base)),
            "session" => self.client.get(path).bearer_auth(&self.token),
            "introspection" => {
                let question = self.client.post(format!("{}/oauth2/introspect", self.base));
                question
                    .basic_auth("b4Ck3nDk3YaBcDeFgHiJkLmNoPqR", Some("b4Ck3nDs3Cr3tXyZpQwErTyUiOpAsDfGh"))
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(format!("token={}", self.token))
            }
            _ => self.client.put(path).json(&json!({ "refreshToken": self.refresh })),
        };
        let request = request.header("x-tenant-id", "tenant-demo-001").header("deviceid", "device-demo-001");
        let began = Instant::now();
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let took = began.elapsed();
        assert_eq!(status, 200, "{what}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        match what {
            "introspection" => assert_eq!(answer["active"], true, "{text}"),
            "refresh" => {
                let field = |name: &str| answer["data"][name].as_str().unwrap().to_owned();
                (self.token, self.refresh) = (field("token"), field("refreshToken"));
            }
            _ => {}
        }
        took
    }

    /// The middle of so many times, for each thing that is asked.
    async fn medians(&mut self, times: usize) -> [Duration; 4] {
        let mut medians = [Duration::ZERO; 4];
        for (median, what) in medians.iter_mut().zip(Self::ASKED) {
            let mut took = Vec::new();
            for _ in 0..times {
                took.push(self.ask(what).await);
            }
            took.sort();
            *median = took[times / 2];
        }
        medians
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R038_what_needs_no_hash_is_answered_while_more_log_in_than_can_be_hashed() {
    let data = tempfile::tempdir().unwrap();
    let demo = Arc::new(Demo::start(&data.path().join("demo")).await);
    let mut quick = Quick::log_in(&demo).await;
    quick.medians(5).await;
    let quiet = quick.medians(20).await;

    let flooding = Arc::new(AtomicBool::new(true));
    let logins: Vec<_> = (0..64)
        .map(|number| {
            let (demo, flooding) = (Arc::clone(&demo), Arc::clone(&flooding));
            tokio::spawn(async move {
                let mut hashed = 0;
                let mut next = number;
                while flooding.load(Ordering::SeqCst) {
                    next += 64;
                    let answer = demo.login(next).await.unwrap_or_default();
                    hashed += usize::from(answer.starts_with("HTTP/1.1 401"));
                }
                hashed
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let flooded = quick.medians(20).await;
    flooding.store(false, Ordering::SeqCst);
    let mut hashed = 0;
    for login in logins {
        hashed += login.await.unwrap();
    }
    eprintln!("{:?}: quiet {quiet:?}, during a flood {flooded:?}, {hashed} hashes", Quick::ASKED);
    assert!(hashed > 20, "{hashed} hashes are no flood");
    for ((what, quiet), flooded) in Quick::ASKED.iter().zip(quiet).zip(flooded) {
        // The cores are shared with the flood's own clients and with other tests. Whoever waited behind the hashes of
        // all who log in would wait for longer.
        let most = (60 * quiet).max(Duration::from_secs(1));
        assert!(flooded <= most, "{what}: {flooded:?}, and {quiet:?} when it is quiet");
    }
}
