//! TLS as an installation has it: a certificate, and plain HTTP where nobody else can listen.

use std::process::Command;

use serde_json::Value;

use super::init::Installation;
use crate::support::app::NIL;
use crate::support::program::{Ended, Folder};

/// Makes a certificate for 127.0.0.1 and its key.
fn certificate(folder: &Folder) {
    let mut openssl = Command::new("openssl");
    openssl.current_dir(folder.path("."));
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]);
    openssl.args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]);
    openssl.args(["-keyout", "tls.key", "-out", "tls.crt"]);
    Ended::from(openssl.output().expect("openssl is installed")).well();
    folder.set_mode("tls.key", 0o600);
}

#[tokio::test]
async fn R148_with_a_certificate_a_login_is_taken_over_https_and_over_nothing_else() {
    let made = Installation::new().await;
    certificate(&made.folder);
    let settings = [
        ("VESTIBULE_PUBLIC_URL", "https://id.example.test"),
        ("VESTIBULE_TLS_CERTIFICATE_FILE", "tls.crt"),
        ("VESTIBULE_TLS_KEY_FILE", "tls.key"),
    ];
    let server = made.folder.serve(&settings);
    let base = server.public.strip_prefix("https://").expect("it says https");
    let curl = |arguments: &[&str]| {
        let mut curl = Command::new("curl");
        curl.current_dir(made.folder.path(".")).args(["--silent", "--show-error", "--max-time", "20"]);
        Ended::from(curl.args(arguments).output().expect("curl is installed"))
    };
    let url = format!("https://{base}/api/v2.1/admin/organization/{NIL}/users/{NIL}/sessions");
    let body = made.login().to_string();
    let login =
        ["--header", "content-type: application/json", "--header", "x-tenant-id: acme", "--data", &body];
    for version in ["--tlsv1.3", "--tls-max=1.2"].map(|option| option.split('=').collect::<Vec<_>>()) {
        let arguments = [&version[..], &["--cacert", "tls.crt", "--include", &url], &login[..]].concat();
        let answer = curl(&arguments).well();
        assert!(answer.starts_with("HTTP/2 200"), "{answer}");
        assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
        let json: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert!(json["data"]["token"].is_string());
    }
    let old = curl(&["--cacert", "tls.crt", "--tls-max", "1.1", "--ciphers", "ALL:@SECLEVEL=0", &url]);
    assert_ne!(old.code, Some(0), "{old:?}");
    let plain = curl(&[&format!("http://{base}/healthz")]);
    assert!(plain.code != Some(0) && plain.out.is_empty(), "{plain:?}");
    let stranger = curl(&[&format!("https://{base}/healthz")]);
    assert_eq!(stranger.code, Some(60), "who does not trust the certificate is told so: {stranger:?}");
}

#[tokio::test]
async fn R148_plain_http_off_this_machine_needs_an_explicit_setting() {
    let made = Installation::new().await;
    for key in ["VESTIBULE_LISTEN", "VESTIBULE_OPERATOR_LISTEN"] {
        let mut serve = made.folder.command(&["serve"]);
        serve.env("VESTIBULE_LISTEN", "127.0.0.1:0").env("VESTIBULE_OPERATOR_LISTEN", "127.0.0.1:0");
        let name = key.trim_start_matches("VESTIBULE_").to_lowercase();
        Ended::of(serve.env(key, "0.0.0.0:0")).badly(&[&name, "0.0.0.0:0", "allow_plain_http"]);
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_served_is_refused_by_name() {
    let made = Installation::new().await;
    certificate(&made.folder);
    let refused = |settings: &[(&str, &str)], reasons: &[&str]| {
        for command in ["serve", "check-config"] {
            Ended::of(made.folder.command(&[command]).envs(settings.iter().copied())).badly(reasons);
        }
    };
    let both =
        |certificate, key| [("VESTIBULE_TLS_CERTIFICATE_FILE", certificate), ("VESTIBULE_TLS_KEY_FILE", key)];
    refused(&both("absent.crt", "tls.key"), &["tls_certificate_file", "absent.crt"]);
    refused(&both("tls.crt", "tls.crt"), &["tls_key_file", "tls.crt"]);
    refused(&both("tls.crt", "tls.key")[..1], &["tls_key_file"]);
    made.folder.set_mode("tls.key", 0o644);
    refused(&both("tls.crt", "tls.key"), &["tls_key_file", "tls.key"]);
}
