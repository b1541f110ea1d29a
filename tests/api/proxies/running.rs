//! nginx and `HAProxy` as tests run them: on sockets in a folder, in front of a port, telling what they forwarded.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program::{Kill, signal};

/// A request that a proxy told of in its log.
#[derive(Debug)]
pub struct Forwarded {
    /// As it read it.
    pub path: String,
    /// The id in the answer that it had from us, if it had one.
    pub id: Option<String>,
}

/// A proxy that runs until this is dropped.
pub struct Proxy {
    process: Kill,
    folder: TempDir,
    sockets: Vec<PathBuf>,
    read: fn(&str) -> Forwarded,
}

/// nginx as lax as it can be: it forwards headers with odd names, one server as they come and one with their body read.
const NGINX: &str = r#"
daemon off;
master_process off;
pid nginx.pid;
error_log error.log;
events { worker_connections 512; }
http {
  log_format told escape=json '{"path":"$request_uri","id":"$upstream_http_x_request_id"}';
  access_log log told;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  underscores_in_headers on;
  ignore_invalid_headers off;
  merge_slashes off;
  client_max_body_size 0;
  keepalive_timeout 3s;
  client_header_timeout 3s;
  client_body_timeout 3s;
  lingering_close off;
  upstream service { server SERVICE; keepalive 8; }
  proxy_pass_request_headers on;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_next_upstream off;
  server { listen unix:FOLDER/streaming; location / { proxy_pass http://service; proxy_request_buffering off; } }
  server { listen unix:FOLDER/buffering; location / { proxy_pass http://service; } }
}
"#;

/// `HAProxy` as it is, and as lax as it can be; connections to us are shared by all clients.
const HAPROXY: &str = r#"
global
  log stdout format raw local0
defaults
  mode http
  log global
  log-format "%HU %hs"
  option http-keep-alive
  http-reuse always
  retries 0
  timeout connect 5s
  timeout server 20s
  timeout client 3s
  timeout http-request 3s
  timeout http-keep-alive 3s
frontend strict
  bind unix@FOLDER/strict
  capture response header x-request-id len 64
  default_backend service
frontend lax
  bind unix@FOLDER/lax
  option accept-invalid-http-request
  capture response header x-request-id len 64
  default_backend service
backend service
  server service SERVICE
"#;

impl Proxy {
    pub fn nginx(service: SocketAddr) -> Self {
        Self::start("nginx", "nginx-light", NGINX, ["streaming", "buffering"], service, |line| {
            let told: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
            let text = |name: &str| told[name].as_str().unwrap().to_owned();
            Forwarded { path: text("path"), id: Some(text("id")).filter(|id| !id.is_empty()) }
        })
    }

    pub fn haproxy(service: SocketAddr) -> Self {
        Self::start("haproxy", "haproxy", HAPROXY, ["strict", "lax"], service, |line| {
            let (path, id) = line.split_once(' ').unwrap_or((line, ""));
            let id = id.trim_matches(['{', '}']).to_owned();
            Forwarded { path: path.to_owned(), id: Some(id).filter(|id| !id.is_empty()) }
        })
    }

    fn start(
        program: &str,
        package: &str,
        configuration: &str,
        sockets: [&str; 2],
        service: SocketAddr,
        read: fn(&str) -> Forwarded,
    ) -> Self {
        let folder = TempDir::with_prefix("vestibule-proxy-").unwrap();
        let configuration = configuration
            .replace("FOLDER", folder.path().to_str().unwrap())
            .replace("SERVICE", &service.to_string());
        fs::write(folder.path().join("configuration"), configuration).unwrap();
        // Debian keeps them where only root's PATH looks.
        let known = [Path::new("/usr/sbin").join(program), PathBuf::from(program)];
        let known = known.iter().find(|path| path.exists()).unwrap_or(&known[1]);
        let mut command = Command::new(known);
        let log = folder.path().join("log");
        if program == "nginx" {
            command.arg("-p").arg(folder.path()).args(["-e", "error.log", "-c", "configuration"]);
            command.stdout(Stdio::null());
        } else {
            command.args(["-db", "-f"]).arg(folder.path().join("configuration"));
            command.stdout(fs::File::create(&log).unwrap());
        }
        let errors = folder.path().join("errors");
        command.current_dir(folder.path()).stdin(Stdio::null()).stderr(fs::File::create(&errors).unwrap());
        let started = command.spawn().unwrap_or_else(|error| {
            panic!("{program} is needed to prove how it and we read requests: install it (apt-get install {package}): {error}")
        });
        let sockets = sockets.map(|name| folder.path().join(name)).to_vec();
        let proxy = Self { process: Kill(started), folder, sockets, read };
        let begun = Instant::now();
        while !proxy.sockets.iter().all(|socket| UnixStream::connect(socket).is_ok()) {
            let said = || fs::read_to_string(&errors).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(20), "{program} does not listen: {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    pub fn sockets(&self) -> Vec<PathBuf> {
        self.sockets.clone()
    }

    /// Ends it: all requests that it has told of.
    pub fn stop(mut self) -> Vec<Forwarded> {
        signal(&self.process.0, "TERM");
        self.process.wait_for_the_end();
        let log = fs::read(self.folder.path().join("log")).unwrap();
        let log = String::from_utf8_lossy(&log).into_owned();
        log.lines().filter(|line| !line.is_empty()).map(self.read).collect()
    }
}
