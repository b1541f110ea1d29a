//! Two thousand logins at once, against a real process: what cannot be hashed in time is refused, memory
//! stays bounded, and health answers meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::NIL;

const LOGINS: usize = 2_000;

/// What one hash takes, in KiB (the demo's cost), and what else a flood may take beside the hashes.
const HASH_KIB: u64 = 19_456;
const CONNECTIONS_KIB: u64 = 30 * 1024;

/// A demo that is stopped when this is dropped.
struct Demo {
    process: Child,
    address: SocketAddr,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Demo {
    async fn start(data: &Path) -> Self {
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
    fn memory(&self, line: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')).unwrap();
        found.trim().trim_end_matches(" kB").parse().unwrap()
    }

    async fn get(&self, path: &str) -> Option<String> {
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
    async fn login(&self, number: usize) -> Option<String> {
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
