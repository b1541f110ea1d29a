//! The program itself, run as people run it: real processes in a folder of their own, real signals.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::app::{NIL, prefix};
use super::canary;
use vestibule::tenants::Family;

/// How long a process may take for what it does in a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder in which the program is run, removed when this is dropped.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(TempDir::with_prefix("vestibule-program-").unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }

    pub fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The names of what is in it, in order.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A command line of the program, with none of this process's settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VESTIBULE_")) {
            command.env_remove(name);
        }
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.command(arguments))
    }

    /// Starts `serve` on free ports, with these settings beside its configuration, and waits until it is ready.
    pub fn serve(&self, settings: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["serve"]);
        command.env("VESTIBULE_LISTEN", "127.0.0.1:0").env("VESTIBULE_OPERATOR_LISTEN", "127.0.0.1:0");
        // All tests come from one address, and more often than anybody else.
        command.env("VESTIBULE_SOURCE_LIMITS", "false").env("VESTIBULE_REQUEST_LIMITS", "false");
        command.envs(settings.iter().copied());
        Server::start(command)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        canary::program_folder(self.0.path());
    }
}

/// The program under test: the one built with these tests, or for runs of hours a copy that no build replaces.
fn program() -> std::ffi::OsString {
    std::env::var_os("VESTIBULE_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_vestibule").into())
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub errors: String,
}

impl Ended {
    /// Runs a command to its end, which must come by itself.
    pub fn of(command: &mut Command) -> Self {
        let mut child = Kill(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let out = read_all(child.0.stdout.take().unwrap());
        let errors = read_all(child.0.stderr.take().unwrap());
        let status = child.wait_for_the_end();
        let ended = Self { code: status.code(), out: out.join().unwrap(), errors: errors.join().unwrap() };
        canary::said(&ended.errors);
        canary::shown(&ended.out);
        ended
    }

    /// That it went well: what it said.
    #[track_caller]
    pub fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// That it failed and said each of these things why.
    #[track_caller]
    pub fn badly(&self, reasons: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        for reason in reasons {
            assert!(self.errors.contains(reason), "no {reason:?} in {self:?}");
        }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), errors: text(&output.stderr) }
    }
}

/// A server that runs; killed when this is dropped.
pub struct Server {
    child: Kill,
    /// Its lines on standard error, as they come.
    log: Receiver<String>,
    out: JoinHandle<String>,
    pub public: String,
    pub operator: String,
}

impl Server {
    /// Starts a `serve` and waits until its log says that it is ready.
    pub fn start(mut command: Command) -> Self {
        let is_set = command.get_envs().any(|(name, _)| name == "VESTIBULE_LOG_LEVEL");
        if canary::is_on() && !is_set {
            command.env("VESTIBULE_LOG_LEVEL", "trace");
        }
        let mut child = Kill(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let out = read_all(child.0.stdout.take().unwrap());
        let log = lines(child.0.stderr.take().unwrap());
        let mut server = Self { child, log, out, public: String::new(), operator: String::new() };
        let ready = server.wait_for_line("\"ready\"");
        let ready: Value = serde_json::from_str(&ready).unwrap();
        ready["public"].as_str().unwrap().clone_into(&mut server.public);
        ready["operator"].as_str().unwrap().clone_into(&mut server.operator);
        server
    }

    /// The next line of the log with `part` in it.
    #[track_caller]
    pub fn wait_for_line(&mut self, part: &str) -> String {
        let mut seen = Vec::new();
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            if line.contains(part) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line with {part} in the log: {seen:#?}");
    }

    /// Host and port of the public listener.
    pub fn address(&self) -> &str {
        self.public.split_once("://").unwrap().1
    }

    /// Sends SIGTERM, as a supervisor does.
    pub fn terminate(&self) {
        signal(&self.child.0, "TERM");
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
    }

    /// Waits for its end, which somebody has asked for: its exit code and all that it said since it was ready.
    pub fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait_for_the_end();
        let mut said = self.out.join().unwrap();
        said.extend(self.log.iter().map(|line| line + "\n"));
        (status.code(), said)
    }

    /// Stops it: it ends well.
    #[track_caller]
    pub fn stop(self) -> String {
        self.terminate();
        let (code, said) = self.end();
        assert_eq!(code, Some(0), "{said}");
        said
    }

    /// The documented login of one user, as JSON over HTTP.
    pub async fn login(&self, family: Family, tenant: &str, body: &Value) -> (u16, Value) {
        login(&self.public, family, tenant, body).await
    }
}

/// The documented login, sent to a server at `base`.
pub async fn login(base: &str, family: Family, tenant: &str, body: &Value) -> (u16, Value) {
    let url = format!("{base}{}/users/{NIL}/sessions", prefix(family, NIL));
    let request = reqwest::Client::new()
        .post(url)
        .header("x-tenant-id", tenant)
        .header("x-forwarded-for", "127.0.0.1")
        .header("x-forwarded-from", "client-app")
        .header("platform", "mobile")
        .header("deviceid", "device-demo-001")
        .json(body);
    canary::look_at(body);
    let answer = request.send().await.unwrap();
    let (status, answer) = (answer.status().as_u16(), answer.json().await.unwrap());
    canary::look_at(&answer);
    (status, answer)
}

/// The body of a login.
pub fn credentials(name: &str, password: &str, key: &str, secret: &str) -> Value {
    json!({ "username": name, "password": password, "tenantKey": key, "tenantSecret": secret })
}

/// The lines that a process writes, as they come.
pub fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            canary::said(&format!("{line}\n"));
            let _ = sender.send(line);
        }
    });
    receiver
}

fn read_all(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    })
}

pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", child.id())).status().unwrap();
    assert!(sent.success());
}

/// A process that does not outlive this.
pub struct Kill(pub Child);

impl Kill {
    #[track_caller]
    pub fn wait_for_the_end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the process {} does not end", self.0.id());
    }
}

impl Drop for Kill {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All bytes of the files in a folder, one after another.
pub fn bytes_in(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).flat_map(|path| fs::read(path).unwrap()).collect()
}
