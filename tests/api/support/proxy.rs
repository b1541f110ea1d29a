//! A wire to PostgreSQL that can be cut at the worst moment.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

const FORWARD: u8 = 0;
const LOSE_ANSWERS: u8 = 1;
const STALL: u8 = 2;

/// Forwards connections from a port of its own to a server.
pub struct Proxy {
    port: u16,
    wire: Arc<Wire>,
}

struct Wire {
    mode: AtomicU8,
    lost: AtomicU64,
    connections: AtomicU64,
}

impl Proxy {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Arc::new(Wire {
            mode: AtomicU8::new(FORWARD),
            lost: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        let shared = Arc::clone(&wire);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                if let Ok(server) = TcpStream::connect(("127.0.0.1", server)) {
                    connect(&client, &server, &shared);
                }
            }
        });
        Self { port, wire }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on requests reach the server, and its answers are thrown away with the connection.
    pub fn lose_answers(&self) {
        self.wire.mode.store(LOSE_ANSWERS, Ordering::SeqCst);
    }

    /// From now on nothing moves, in either direction, and nothing is closed.
    pub fn stall(&self) {
        self.wire.mode.store(STALL, Ordering::SeqCst);
    }

    /// From now on everything is forwarded again.
    pub fn forward(&self) {
        self.wire.mode.store(FORWARD, Ordering::SeqCst);
    }

    /// How many connections have been made.
    pub fn connections(&self) -> u64 {
        self.wire.connections.load(Ordering::SeqCst)
    }

    /// How many answers have been lost.
    pub fn lost(&self) -> u64 {
        self.wire.lost.load(Ordering::SeqCst)
    }
}

fn connect(client: &TcpStream, server: &TcpStream, wire: &Arc<Wire>) {
    for (from, to, answers) in [(client, server, false), (server, client, true)] {
        let (from, to, wire) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(wire));
        std::thread::spawn(move || pump(from, to, answers, &wire));
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, answers: bool, wire: &Wire) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        while wire.mode.load(Ordering::SeqCst) == STALL {
            std::thread::sleep(Duration::from_millis(5));
        }
        if answers && wire.mode.load(Ordering::SeqCst) == LOSE_ANSWERS {
            wire.lost.fetch_add(1, Ordering::SeqCst);
            // Until the server has no more to say, so that all of the request has reached it.
            from.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
            while let Ok(1..) = from.read(&mut buffer) {}
            break;
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
