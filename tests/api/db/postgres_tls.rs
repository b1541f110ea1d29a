//! TLS to PostgreSQL: what each word of `sslmode` lets in.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use vestibule::db::{Database, DbError, Statement};

use crate::support;
use crate::support::cluster::{Cluster, give_away};

/// An authority, and a server's certificate for `localhost` from it.
struct Certificates(TempDir);

impl Certificates {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        for name in ["ca", "other-ca"] {
            let subject = format!("/CN={name}");
            openssl(
                &[
                    &["req", "-x509"],
                    &key[..],
                    &["-subj", &subject, "-keyout", &at("ca.key"), "-out", &at(&format!("{name}.pem"))],
                ]
                .concat(),
            );
            if name == "ca" {
                let files = ["-CA", &at("ca.pem"), "-CAkey", &at("ca.key"), "-keyout", &at("server.key")];
                let names = ["-subj", "/CN=server", "-addext", "subjectAltName=DNS:localhost"];
                let plain = ["-addext", "basicConstraints=critical,CA:false", "-out", &at("server.pem")];
                openssl(&[&["req", "-x509"], &key[..], &files, &names, &plain].concat());
            }
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn install(&self, data: &Path) {
        for name in ["server.pem", "server.key"] {
            std::fs::copy(self.path(name), data.join(name)).unwrap();
        }
        give_away(data);
    }
}

fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output().expect("openssl is needed: install it");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

async fn connect(cluster: &Cluster, host: &str, words: &str) -> Result<Database, DbError> {
    let url = format!("postgres://postgres@{host}:{}/postgres?{words}", cluster.port());
    Database::open(&support::patient(&url)).await
}

#[tokio::test]
async fn sslmode_lets_in_whom_it_says() {
    let certificates = Certificates::new();
    let settings = ["ssl = on", "ssl_cert_file = 'server.pem'", "ssl_key_file = 'server.key'"];
    let cluster = Cluster::start_with(&settings, |data| certificates.install(data));
    let root = |name: &str| format!("sslrootcert={}", certificates.path(name));
    let (ours, foreign) = (root("ca.pem"), root("other-ca.pem"));

    for (host, words, encrypted) in [
        ("localhost", "sslmode=disable".to_owned(), false),
        ("localhost", "sslmode=prefer".to_owned(), true),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        ("localhost", format!("sslmode=verify-full&{ours}"), true),
        ("127.0.0.1", format!("sslmode=verify-ca&{ours}"), true),
        ("127.0.0.1", format!("sslmode=require&{ours}"), true),
    ] {
        let database =
            connect(&cluster, host, &words).await.unwrap_or_else(|error| panic!("{words}: {error}"));
        let ssl = Statement::new("select ssl from pg_stat_ssl where pid = pg_backend_pid()");
        assert_eq!(database.fetch(ssl).await.unwrap()[0].bool("ssl").unwrap(), encrypted, "{words}");
        let apart = database.apply(Statement::new("select 1 as one").must_change("one")).await;
        assert!(apart.is_ok(), "{words}");
    }
    for (host, words, problem) in [
        ("127.0.0.1", format!("sslmode=verify-full&{ours}"), "not valid for name"),
        ("localhost", format!("sslmode=verify-full&{foreign}"), "certificate"),
        ("localhost", format!("sslmode=verify-ca&{foreign}"), "certificate"),
        ("localhost", format!("sslmode=require&{foreign}"), "certificate"),
        ("localhost", "sslmode=verify-full&sslrootcert=/nowhere.pem".to_owned(), "/nowhere.pem"),
    ] {
        let error = connect(&cluster, host, &words).await.expect_err(&words).to_string();
        assert!(error.contains(problem), "{words}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    let cluster = Cluster::start(&[]);
    connect(&cluster, "127.0.0.1", "sslmode=prefer").await.unwrap();
    let error = connect(&cluster, "127.0.0.1", "sslmode=require").await.unwrap_err();
    assert!(error.to_string().contains("does not support TLS"), "{error}");
}
