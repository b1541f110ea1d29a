//! The configuration as an operator meets it: sources, precedence, refusals.

use secrecy::ExposeSecret;

use super::*;

const SQLITE: (&str, &str) = ("VESTIBULE_DATABASE_URL", "sqlite:test.db");

fn load(file: Option<&str>, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vestibule.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(file.map(|_| path.as_path()), env)
}

fn problems(file: Option<&str>, env: &[(&str, &str)]) -> String {
    load(file, env).unwrap_err().to_string()
}

fn source(config: &Config, key: &str) -> Source {
    config.effective().iter().find(|entry| entry.key == key).unwrap().source.clone()
}

#[test]
fn a_variable_wins_over_the_file_and_the_file_over_the_default() {
    let file = "database_url = \"sqlite:file.db\"\nhash_threads = 3\nlog_level = \"debug\"\n";
    let config = load(Some(file), &[("VESTIBULE_HASH_THREADS", "5")]).unwrap();
    assert_eq!(config.hash_threads, 5);
    assert_eq!(source(&config, "hash_threads"), Source::Environment("VESTIBULE_HASH_THREADS".to_owned()));
    assert_eq!(config.log_level, "debug");
    assert!(matches!(source(&config, "log_level"), Source::File(_)));
    assert_eq!(config.shutdown_grace_seconds, 30);
    assert_eq!(source(&config, "shutdown_grace_seconds"), Source::Default);
}

#[test]
fn lists_come_from_the_file_and_from_the_environment() {
    let file = "database_url = \"sqlite:a\"\ntrusted_proxies = [\"10.0.0.0/8\", \"fd00::/8\"]\n";
    assert_eq!(load(Some(file), &[]).unwrap().trusted_proxies.len(), 2);
    let config =
        load(Some(file), &[("VESTIBULE_TRUSTED_PROXIES", "192.0.2.1, 192.0.2.2,192.0.2.3")]).unwrap();
    assert_eq!(config.trusted_proxies.len(), 3);
    assert!(load(Some(file), &[("VESTIBULE_TRUSTED_PROXIES", "")]).unwrap().trusted_proxies.is_empty());
}

#[test]
fn unknown_keys_and_variables_are_refused_by_name_with_what_they_may_have_meant() {
    let text =
        problems(Some("lisen = \"127.0.0.1:1\"\ncolour = 1\n"), &[SQLITE, ("VESTIBULE_HASH_TREADS", "1")]);
    assert!(text.contains("unknown key lisen; did you mean listen?"), "{text}");
    assert!(text.contains("unknown key colour\n"), "{text}");
    assert!(
        text.contains("unknown variable VESTIBULE_HASH_TREADS; did you mean VESTIBULE_HASH_THREADS?"),
        "{text}"
    );
}

#[test]
fn variables_of_tests_and_of_kubernetes_are_no_settings() {
    let foreign = [
        "TEST_POSTGRES",
        "CONFIG",
        "FUZZ_SECONDS",
        "SERVICE_HOST",
        "SERVICE_PORT_HTTP",
        "PORT",
        "PORT_8080_TCP_ADDR",
    ];
    let names: Vec<_> = foreign.iter().map(|name| format!("VESTIBULE_{name}")).collect();
    let mut env: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    env.extend([SQLITE, ("PATH", "/bin"), ("VESTIBULES", "2")]);
    load(None, &env).unwrap();
}

#[test]
fn a_secret_comes_from_a_file_without_its_trailing_newline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, "postgres://u:pw@h/v\n").unwrap();
    let from_file = ("VESTIBULE_DATABASE_URL_FILE", path.to_str().unwrap());
    let config = load(None, &[from_file]).unwrap();
    assert_eq!(config.database_url.expose_secret(), "postgres://u:pw@h/v");
    assert!(problems(None, &[from_file, SQLITE]).contains("both set; unset one"));
    assert!(problems(None, &[("VESTIBULE_DATABASE_URL_FILE", "/nowhere")]).contains("cannot read /nowhere"));
    assert!(
        problems(None, &[SQLITE, ("VESTIBULE_LOG_LEVEL_FILE", "/x")]).contains("VESTIBULE_LOG_LEVEL_FILE")
    );
}

#[test]
fn r145_the_master_key_itself_is_not_taken_from_the_environment() {
    let text = problems(None, &[SQLITE, ("VESTIBULE_MASTER_KEY", "c2VjcmV0")]);
    assert!(text.contains("VESTIBULE_MASTER_KEY_FILE") && !text.contains("c2VjcmV0"), "{text}");
    let config = load(None, &[SQLITE, ("VESTIBULE_MASTER_KEY_FILE", "/etc/key")]).unwrap();
    assert_eq!(config.master_key_file().unwrap(), Path::new("/etc/key"));
}

#[test]
fn what_a_command_needs_and_is_not_set_is_named() {
    assert!(problems(None, &[]).contains("database_url is not set"));
    let config = load(None, &[SQLITE]).unwrap();
    assert!(config.public_url().unwrap_err().to_string().contains("public_url is not set"));
    assert!(config.master_key_file().unwrap_err().to_string().contains("master_key_file is not set"));
}

#[test]
fn every_problem_is_listed_at_once_with_its_key_and_source() {
    let env = [
        ("VESTIBULE_LISTEN", "8080"),
        ("VESTIBULE_HASH_DEADLINE_MS", "1"),
        ("VESTIBULE_PUBLIC_DOCS", "yes"),
        ("VESTIBULE_TLS_KEY_FILE", ""),
    ];
    let text = problems(None, &env);
    assert!(text.starts_with("the configuration has 5 problems:\n  - "), "{text}");
    assert!(
        text.contains("listen (VESTIBULE_LISTEN): \"8080\" is not an address; write a literal"),
        "{text}"
    );
    assert!(
        text.contains("hash_deadline_ms (VESTIBULE_HASH_DEADLINE_MS): \"1\" is not a whole number from 50")
    );
    assert!(text.contains("public_docs (VESTIBULE_PUBLIC_DOCS): \"yes\" is neither true nor false"));
    assert!(text.contains("tls_key_file (VESTIBULE_TLS_KEY_FILE): it is empty"));
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    let file = "database_url = \"sqlite:a\"\nhash_threads = \"4\"\nlisten = 8080\npublic_docs = 1\ntrusted_proxies = 1\n";
    let text = problems(Some(file), &[]);
    for wanted in [
        "hash_threads must be a whole number",
        "listen must be a string",
        "public_docs must be true or",
        "trusted_proxies must be a list",
    ] {
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn r137_no_message_and_no_debug_print_shows_the_database_password() {
    for file in [
        "database_url = \"postgres://u:hunter2@h/v\" oops",
        "database_url = \"mysql://u:hunter2@h/v\"",
        "database_url = [\"hunter2\"]",
    ] {
        let text = problems(Some(file), &[]);
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(problems(Some("\nx = \"hunter2"), &[SQLITE]).contains("line 2: not TOML"));
    let config = load(Some("database_url = \"postgres://u:hunter2@h/v\"\n"), &[]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!(config.effective()[0].value, "postgres://***@h/v");
}

#[test]
fn r148_plain_http_off_loopback_is_refused_without_the_explicit_switch() {
    for (key, address) in [("LISTEN", "0.0.0.0:1"), ("LISTEN", "[::]:1"), ("OPERATOR_LISTEN", "192.0.2.1:1")]
    {
        let open = (&*format!("VESTIBULE_{key}"), address);
        assert!(problems(None, &[SQLITE, open]).contains("would carry passwords over plain HTTP"));
        load(None, &[SQLITE, open, ("VESTIBULE_ALLOW_PLAIN_HTTP", "true")]).unwrap();
        let tls = [SQLITE, open, ("VESTIBULE_TLS_KEY_FILE", "k"), ("VESTIBULE_TLS_CERTIFICATE_FILE", "c")];
        load(None, &tls).unwrap();
    }
    for address in ["127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        load(None, &[SQLITE, ("VESTIBULE_LISTEN", address)]).unwrap();
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    assert!(
        problems(None, &[SQLITE, ("VESTIBULE_TLS_KEY_FILE", "k")]).contains("without tls_certificate_file")
    );
    assert!(
        problems(None, &[SQLITE, ("VESTIBULE_TLS_CERTIFICATE_FILE", "c")]).contains("without tls_key_file")
    );
    assert!(problems(None, &[SQLITE, ("VESTIBULE_LISTEN", "127.0.0.1:8081")]).contains("a port of its own"));
    assert!(
        problems(None, &[SQLITE, ("VESTIBULE_ARGON2_PASSES", "1")])
            .contains("weaker than every accepted set")
    );
}

#[test]
fn a_configuration_file_that_is_named_must_be_there() {
    let text = Config::load(Some(Path::new("/nowhere.toml")), std::iter::empty()).unwrap_err().to_string();
    assert!(text.contains("cannot read the configuration file /nowhere.toml"), "{text}");
}

#[test]
fn every_default_parses() {
    let config = load(None, &[SQLITE]).unwrap();
    assert!(config.hash_threads >= 1);
    for key in keys::KEYS {
        assert!(config.effective().iter().any(|entry| entry.key == key.name));
    }
}
