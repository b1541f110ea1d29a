//! Message framing (R120): a corpus of requests that two readers may take apart differently, sent straight to the
//! listener and through nginx and `HAProxy`. What a proxy forwarded as one request is one to us, and nothing else is.

mod answers;
mod corpus;
mod running;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use vestibule::config::Config;
use vestibule::listeners::Listeners;
use vestibule::tenants::Family;

use crate::support::app::{NIL, TestApp, TestTenant, prefix};
use answers::{Answer, read_answers};
use corpus::{Case, Direct, corpus};
use running::{Forwarded, Proxy};

/// How long a connection is waited for that says nothing: longer than every timeout in here.
const PATIENCE: Duration = Duration::from_secs(15);

/// A request that reached the router.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Seen {
    path: String,
    /// As the answer names it.
    id: String,
}

/// The service behind its real public listener, with a record of what reached it.
struct Service {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    tenant: TestTenant,
    _app: TestApp,
    _stop: mpsc::Sender<()>,
}

impl Service {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let tenant = app.tenant("acme").await;
        let settings = [
            ("VESTIBULE_DATABASE_URL", "sqlite:unused"),
            ("VESTIBULE_LISTEN", "127.0.0.1:0"),
            ("VESTIBULE_OPERATOR_LISTEN", "127.0.0.1:0"),
            ("VESTIBULE_HEADER_TIMEOUT_SECONDS", "5"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let listeners = Listeners::bind(&Config::load(None, settings.into_iter()).unwrap()).unwrap();
        let address = listeners.public_address();
        let (stop, stopping) = mpsc::channel(2);
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let record = Arc::clone(&seen);
        let router = app.router.clone().layer(from_fn(move |request: Request, next: Next| {
            let record = Arc::clone(&record);
            async move {
                let path = request.uri().path().to_owned();
                let answer = next.run(request).await;
                let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
                record.lock().unwrap().push(Seen { path, id });
                answer
            }
        }));
        tokio::spawn(listeners.serve(router, axum::Router::new(), stopping));
        Self { address, seen, tenant, _app: app, _stop: stop }
    }

    /// What is sent for a case, and the paths of it in their order: its own, the smuggled one, and one behind both.
    fn bytes(&self, number: usize, case: &Case) -> (Vec<u8>, [String; 3]) {
        // Each case has a user's id of its own, by which it is known; the handler reads the body.
        let user = format!("00000000-0000-4000-8000-{number:012}");
        let path = format!("{}/users/{user}/sessions", prefix(Family::Individual, NIL));
        let mut bytes = format!("POST {path} {}Host: a\r\n", case.version).into_bytes();
        for (name, value) in self.tenant.login(Family::Individual).headers {
            bytes.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
        }
        let smuggled = format!("/smuggled/{number:04}");
        // As long as what it stands for, so that the lengths in the case hold.
        let rest = case.rest.replace("@@@@", &format!("{number:04}"));
        bytes.extend(rest.into_bytes());
        let after = format!("/after/{number}");
        if matches!(case.direct, Direct::Fine | Direct::Two) {
            bytes
                .extend(format!("GET {after} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").into_bytes());
        }
        (bytes, [path, smuggled, after])
    }

    fn seen(&self, path: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.path == path).cloned().collect()
    }

    fn path_of(&self, id: &str) -> Option<String> {
        self.seen.lock().unwrap().iter().find(|seen| seen.id == id).map(|seen| seen.path.clone())
    }

    /// That the answers on one connection are those to its own requests, each once and in their order.
    fn are_its_own(&self, answers: &[Answer], paths: &[String], what: &str) {
        let mut left = paths.iter();
        for id in answers.iter().filter_map(|answer| answer.id.as_deref()) {
            let path = self.path_of(id).unwrap_or_else(|| panic!("{what}: an answer to nobody: {answers:?}"));
            assert!(left.any(|own| *own == path), "{what}: was answered for {path}: {answers:?}");
        }
    }
}

/// Sends bytes and reads until the other end closes; `false` if it does not.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut answer = Vec::new();
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let writing = async {
        // Who refuses may close before all is sent.
        let _ = writer.write_all(bytes).await;
        std::future::pending::<()>().await;
    };
    let reading = async {
        let mut piece = vec![0; 16 * 1024];
        loop {
            match tokio::time::timeout(PATIENCE, reader.read(&mut piece)).await {
                Err(_) => return false,
                Ok(Err(_) | Ok(0)) => return true,
                Ok(Ok(length)) => answer.extend_from_slice(&piece[..length]),
            }
        }
    };
    let closed = tokio::select! {
        closed = reading => closed,
        () = writing => unreachable!("it waits for ever"),
    };
    (answer, closed)
}

/// Does something for each case, some at a time.
async fn for_each_case<F>(work: impl Fn(usize, Case) -> F) -> usize
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let at_once = Arc::new(Semaphore::new(16));
    let cases = corpus();
    let count = cases.len();
    for (number, case) in cases.into_iter().enumerate() {
        let permit = Arc::clone(&at_once).acquire_owned().await.unwrap();
        let done = work(number, case);
        tasks.spawn(async move {
            done.await;
            drop(permit);
        });
    }
    // All of them are heard before the test fails.
    let mut failed = 0;
    while let Some(done) = tasks.join_next().await {
        failed += usize::from(done.is_err());
    }
    assert_eq!(failed, 0, "of {count} cases; each has said what is wrong");
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R120_ambiguous_framing_is_refused_and_nothing_behind_it_is_a_request() {
    let service = Arc::new(Service::start().await);
    let count = for_each_case(|number, case| check_direct(Arc::clone(&service), number, case)).await;
    assert!(count > 100, "{count}");
}

async fn check_direct(service: Arc<Service>, number: usize, case: Case) {
    let (bytes, paths) = service.bytes(number, &case);
    let stream = TcpStream::connect(service.address).await.unwrap();
    let (raw, closed) = exchange(stream, &bytes).await;
    let what = format!("{}: {}", case.name, String::from_utf8_lossy(&raw));
    assert!(closed, "the connection stays open: {what}");
    let answers = read_answers(&raw).unwrap_or_else(|| panic!("not HTTP: {what}"));
    service.are_its_own(&answers, &paths, &what);
    let seen = paths.each_ref().map(|path| service.seen(path).len());
    match case.direct {
        Direct::Refused => {
            assert_eq!(seen[1..], [0, 0], "{what}");
            // Where the next request was at hand it may be reset before it has read its answer.
            assert!(answers.len() <= 1, "{what}");
            assert!(
                answers.iter().all(|answer| [400, 408, 413, 431, 501, 505].contains(&answer.status)),
                "{what}"
            );
        }
        Direct::Once => {
            assert_eq!(seen[1..], [0, 0], "{what}");
            assert!(answers.len() <= 1, "{what}");
        }
        Direct::Fine => assert_eq!(seen, [1, 0, 1], "{what}"),
        Direct::Two => assert_eq!(seen, [1, 1, 1], "{what}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R120_behind_nginx_every_request_is_one_to_both_and_gets_its_own_answer() {
    behind(Proxy::nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R120_behind_HAProxy_every_request_is_one_to_both_and_gets_its_own_answer() {
    behind(Proxy::haproxy).await;
}

async fn behind(start: impl Fn(SocketAddr) -> Proxy) {
    let service = Arc::new(Service::start().await);
    let proxy = start(service.address);
    let sockets = proxy.sockets();
    for (round, socket) in sockets.iter().enumerate() {
        // Numbers go on, so that the paths are each round's own.
        let first = round * 1_000;
        for_each_case(|number, case| {
            let (service, socket) = (Arc::clone(&service), socket.clone());
            async move {
                let number = first + number;
                let (bytes, paths) = service.bytes(number, &case);
                let (raw, closed) = exchange(UnixStream::connect(&socket).await.unwrap(), &bytes).await;
                let what = format!("{} through {}", case.name, socket.display());
                assert!(closed, "the connection stays open: {what}");
                let answers = read_answers(&raw).unwrap_or_else(|| panic!("not HTTP: {what}"));
                service.are_its_own(&answers, &paths, &what);
                // The next one to use the proxy's connection to us.
                let victim = format!("/victim/{number}");
                let request = format!("GET {victim} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                let stream = UnixStream::connect(&socket).await.unwrap();
                let (raw, _) = exchange(stream, request.as_bytes()).await;
                let answers = read_answers(&raw).unwrap_or_else(|| panic!("not HTTP: {what}"));
                service.are_its_own(&answers, &[victim], &what);
                assert_eq!(answers.len(), 1, "{what}: {}", String::from_utf8_lossy(&raw));
            }
        })
        .await;
    }
    let forwarded = proxy.stop();
    agree(&service, &forwarded);
    let victims = forwarded.iter().filter(|request| request.path.starts_with("/victim/"));
    assert_eq!(victims.filter(|request| request.id.is_some()).count(), sockets.len() * corpus().len());
}

/// That what the proxy forwarded and what we saw are the same requests.
fn agree(service: &Service, forwarded: &[Forwarded]) {
    let seen = service.seen.lock().unwrap().clone();
    // Every answer that the proxy had from us is to the request that it was for.
    for request in forwarded {
        let Some(id) = &request.id else { continue };
        let ours = seen.iter().find(|seen| seen.id == *id);
        assert_eq!(ours.map(|seen| &seen.path), Some(&request.path), "{request:?}");
    }
    // And nothing reached us that it knows nothing of.
    let mut known = BTreeMap::<&str, usize>::new();
    for request in forwarded {
        *known.entry(&request.path).or_default() += 1;
    }
    for request in &seen {
        let left = known.entry(&request.path).or_default();
        assert!(*left > 0, "{} reached us without the proxy's knowledge", request.path);
        *left -= 1;
    }
}
