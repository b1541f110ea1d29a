//! The canary run (R137): with `VESTIBULE_CANARY` naming a folder, every secret that a test sends or is given is written
//! into a ledger there, and beside it what must hold none of them: log lines at TRACE, answers, errors of commands,
//! metrics, and what the databases hold. `tests/canary` searches all of it when the suite is over.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, OnceLock};

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use serde_json::Value;
use vestibule::config::LogFormat;
use vestibule::telemetry;

use super::app::Answer;

/// Fields of bodies, forms and answers that hold a secret.
const FIELDS: [&str; 14] = [
    "password",
    "newPassword",
    "currentPassword",
    "oldPassword",
    "tenantSecret",
    "token",
    "accessToken",
    "access_token",
    "refreshToken",
    "refresh_token",
    "resetSecret",
    "client_secret",
    "pepper",
    "proof",
];

/// Fields whose texts are nobody's secret: what a test shows in a secret's place is none by that.
const PUBLIC_FIELDS: [&str; 10] = [
    "id",
    "customerId",
    "userId",
    "sessionId",
    "deviceId",
    "tenantId",
    "tenantKey",
    "keyId",
    "nextCursor",
    "cursor",
];

/// Logged at TRACE by every process: a search that does not find it is blind.
pub const PLANTED: &str = "planted-canary-5d0c7b1e93a24f68";

/// A page of SQLite's.
const PAGE: usize = 4096;

fn folder() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER.get_or_init(|| std::env::var_os("VESTIBULE_CANARY").map(PathBuf::from)).as_deref()
}

/// A file of this process, to be added to.
fn append(kind: &str) -> Option<File> {
    let path = folder()?.join(format!("{kind}-{}", std::process::id()));
    Some(OpenOptions::new().create(true).append(true).open(path).unwrap())
}

/// Adds a line, by one write: tests beside this one add theirs.
fn add_line(kind: &str, line: &str) {
    append(kind).unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Lets this process log at TRACE into the folder. Tests that look at log lines have a subscriber of their own.
pub fn begin() {
    static ONCE: Once = Once::new();
    if folder().is_none() {
        return;
    }
    ONCE.call_once(|| {
        note("planted", PLANTED.as_bytes());
        let file = Mutex::new(append("log").unwrap());
        let subscriber = telemetry::subscriber(LogFormat::Json, "trace", file).unwrap();
        if tracing::subscriber::set_global_default(subscriber).is_ok() {
            tracing::trace!(target: "vestibule::canary", planted = PLANTED, "the log is at TRACE");
        }
        drop(telemetry::metrics());
    });
}

/// Writes a secret into the ledger.
pub fn note(what: &str, secret: &[u8]) {
    static KNOWN: Mutex<Option<HashSet<u64>>> = Mutex::new(None);
    if folder().is_none() || secret.is_empty() {
        return;
    }
    let mut hasher = DefaultHasher::new();
    (what == "public", secret).hash(&mut hasher);
    if KNOWN.lock().unwrap().get_or_insert_default().insert(hasher.finish()) {
        add_line("ledger", &format!("{}\t{what}", hex::encode(secret)));
    }
}

/// Of a token, the part that is nobody's to know: an access token's signature, a refresh token's MAC; or all of it.
fn note_token(what: &str, token: &str) {
    let parts: Vec<_> = token.split('.').collect();
    let secret = match parts[..] {
        [_, _, signature] if parts.iter().all(|part| part.len() > 20) => signature,
        ["vrt1", body] if body.len() > 60 => &body[body.len() - 40..],
        _ => token,
    };
    note(what, secret.as_bytes());
}

/// Whether it has the form of a token of ours: a JWT, a refresh token, or an operator's.
fn is_token(text: &str) -> bool {
    let is_jwt = text.split('.').count() == 3 && text.split('.').all(|part| part.len() > 20);
    is_jwt || text.starts_with("vrt1.") || text.starts_with("vop1.")
}

/// Notes what secrets a JSON text has, and takes them out of it.
pub fn take_from(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if FIELDS.contains(&name.as_str()) => {
                        note_token(name, text);
                        *value = Value::from("(taken out)");
                    }
                    Value::String(text) if PUBLIC_FIELDS.contains(&name.as_str()) => {
                        note("public", text.as_bytes());
                    }
                    value => take_from(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(take_from),
        _ => (),
    }
}

/// Notes what secrets a JSON text has.
pub fn look_at(json: &Value) {
    if folder().is_some() {
        take_from(&mut json.clone());
    }
}

/// Notes what secrets a request shows.
pub async fn sent(request: Request<Body>) -> Request<Body> {
    if folder().is_none() {
        return request;
    }
    let (parts, body) = request.into_parts();
    look_at_headers(&parts.headers);
    // A body that comes piece by piece, or never, is left alone.
    let body = if body.size_hint().exact().is_some() {
        let bytes = body.collect().await.unwrap().to_bytes();
        match serde_json::from_slice(&bytes) {
            Ok(json) => look_at(&json),
            Err(_) => look_at_form(&bytes),
        }
        Body::from(bytes)
    } else {
        body
    };
    Request::from_parts(parts, body)
}

fn look_at_headers(headers: &HeaderMap) {
    for value in headers.get_all("authorization") {
        let Ok(text) = value.to_str() else { continue };
        match text.split_once(' ') {
            // Tests show there what is none: ids, keys, cursors.
            Some(("Bearer", token)) if is_token(token) => note_token("bearer", token),
            Some(("Basic", credentials)) => {
                note("basic", credentials.as_bytes());
                let clear = STANDARD.decode(credentials).unwrap_or_default();
                if let Some(colon) = clear.iter().position(|byte| *byte == b':') {
                    note("basic", &clear[colon + 1..]);
                }
            }
            _ => (),
        }
    }
}

fn look_at_form(body: &[u8]) {
    for (name, value) in url::form_urlencoded::parse(body) {
        if FIELDS.contains(&&*name) {
            note_token(&name, &value);
        }
    }
}

/// Keeps an answer, without the secrets that it is there to give.
pub fn answered(answer: &Answer) {
    if folder().is_none() {
        return;
    }
    let text = if answer.status.is_success() && !answer.json.is_null() {
        let mut json = answer.json.clone();
        take_from(&mut json);
        json.to_string()
    } else {
        answer.text.clone()
    };
    add_line("answers", &format!("{} {:?} {text}", answer.status, answer.headers));
}

/// Keeps what a process says on standard error.
pub fn said(text: &str) {
    if let Some(mut file) = append("processes") {
        file.write_all(text.as_bytes()).unwrap();
    }
}

/// Notes what a command has shown once: JSON, or words behind their labels.
pub fn shown(out: &str) {
    if folder().is_none() {
        return;
    }
    if let Ok(json) = serde_json::from_str(out) {
        look_at(&json);
    }
    for label in ["tenantSecret  ", "token  "] {
        for (_, rest) in out.lines().filter_map(|line| line.split_once(label)) {
            note(label.trim(), rest.split_whitespace().next().unwrap_or_default().as_bytes());
        }
    }
}

/// Notes the keys in a file of keys, as text: the search knows their bytes by it.
pub fn key_file(text: &str) {
    for (_, key) in text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(':'))
    {
        note("key file", key.trim().as_bytes());
    }
}

/// Notes what is secret in a folder in which the program was run.
pub fn program_folder(path: &Path) {
    if folder().is_none() {
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "key") {
            key_file(&fs::read_to_string(entry.path()).unwrap_or_default());
        }
    }
    note("password file", fs::read_to_string(path.join("password")).unwrap_or_default().trim().as_bytes());
}

/// Keeps what the files of an SQLite database hold: each page once in a process, for most of them are of all.
pub fn sqlite(folder: &Path) {
    static KNOWN: Mutex<Option<HashSet<u64>>> = Mutex::new(None);
    let Some(mut kept) = append("sqlite") else { return };
    fs::write(append_path("metrics"), telemetry::metrics().render()).unwrap();
    let mut known = KNOWN.lock().unwrap();
    let known = known.get_or_insert_default();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        let is_wal = entry.path().extension().is_some_and(|extension| extension == "db-wal");
        // A frame of the log has a header before its page (sqlite.org/fileformat2.html §4.1).
        let (first, header) = if is_wal { (32, 24) } else { (0, 0) };
        for page in bytes.get(first..).unwrap_or_default().chunks(PAGE + header) {
            let page = page.get(header..).unwrap_or_default();
            let mut hasher = DefaultHasher::new();
            page.hash(&mut hasher);
            if known.insert(hasher.finish()) {
                kept.write_all(page).unwrap();
            }
        }
    }
}

fn append_path(kind: &str) -> PathBuf {
    folder().unwrap().join(format!("{kind}-{}", std::process::id()))
}

/// Keeps rows of a database on a server, as text.
pub fn rows(text: &str) -> io::Result<()> {
    append("postgres").map_or(Ok(()), |mut file| file.write_all(text.as_bytes()))
}

pub fn is_on() -> bool {
    folder().is_some()
}
