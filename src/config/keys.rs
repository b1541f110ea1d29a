//! The configuration's keys: their names, kinds and defaults, in the order of `config.example.toml`.

/// What may stand after a key in the file. From the environment everything comes as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Boolean,
    /// Strings in the file, separated by commas in the environment.
    List,
}

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    /// The default as the environment would write it; empty where there is none.
    pub default: &'static str,
    /// Never printed, and also taken from the file that `VESTIBULE_<KEY>_FILE` names.
    pub secret: bool,
}

const fn key(name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key { name, kind, default, secret: false }
}

/// Every key there is.
pub const KEYS: [Key; 28] = [
    Key { name: "database_url", kind: Kind::Text, default: "", secret: true },
    key("public_url", Kind::Text, ""),
    key("master_key_file", Kind::Text, ""),
    key("pepper_file", Kind::Text, ""),
    key("listen", Kind::Text, "127.0.0.1:8080"),
    key("operator_listen", Kind::Text, "127.0.0.1:8081"),
    key("tls_certificate_file", Kind::Text, ""),
    key("tls_key_file", Kind::Text, ""),
    key("allow_plain_http", Kind::Boolean, "false"),
    key("trusted_proxies", Kind::List, ""),
    key("proxy_header", Kind::Text, "X-Forwarded-For"),
    key("source_limits", Kind::Boolean, "true"),
    key("request_limits", Kind::Boolean, "true"),
    key("public_docs", Kind::Boolean, "false"),
    key("max_connections", Kind::Integer, "4096"),
    key("header_timeout_seconds", Kind::Integer, "10"),
    key("body_timeout_seconds", Kind::Integer, "10"),
    key("idle_timeout_seconds", Kind::Integer, "60"),
    key("shutdown_grace_seconds", Kind::Integer, "30"),
    key("log_format", Kind::Text, "json"),
    key("log_level", Kind::Text, "info"),
    key("hash_threads", Kind::Integer, "0"),
    key("hash_deadline_ms", Kind::Integer, "1000"),
    key("argon2_implementation", Kind::Text, "argon2-rust"),
    key("argon2_memory_kib", Kind::Integer, "19456"),
    key("argon2_passes", Kind::Integer, "2"),
    key("argon2_lanes", Kind::Integer, "1"),
    key("breached_passwords_file", Kind::Text, ""),
];

/// The key of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Key {
    /// The environment variable that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("VESTIBULE_{}", self.name.to_uppercase())
    }
}

/// The key a mistyped or shortened name most likely meant.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static Key> {
    let begun = KEYS.iter().find(|key| name.len() > 3 && key.name.starts_with(name));
    begun.or_else(|| nearest_by_letters(name))
}

fn nearest_by_letters(name: &str) -> Option<&'static Key> {
    KEYS.iter()
        .map(|key| (distance(name, key.name), key))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, key)| *distance <= 1 + key.name.len() / 4)
        .map(|(_, key)| key)
}

/// Levenshtein's distance: insertions, deletions and replacements of one character.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_the_key_it_meant() {
        let meant = |name| nearest(name).map(|key| key.name);
        assert_eq!(meant("lisen"), Some("listen"));
        assert_eq!(meant("master_key"), Some("master_key_file"));
        assert_eq!(meant("hash_treads"), Some("hash_threads"));
        assert_eq!(meant("colour"), None);
        assert_eq!(meant(""), None);
    }

    #[test]
    fn no_key_can_be_mistaken_for_what_kubernetes_sets() {
        for key in KEYS {
            assert!(!key.name.starts_with("service_") && !key.name.starts_with("port"), "{}", key.name);
            assert!(!key.name.starts_with("test_") && !key.name.starts_with("fuzz"), "{}", key.name);
            assert!(key.name != "config" && key.name != "master_key", "{}", key.name);
        }
    }

    #[test]
    fn the_file_variable_of_a_secret_is_no_other_keys_variable() {
        for secret in KEYS.iter().filter(|key| key.secret) {
            let file = format!("{}_FILE", secret.variable());
            assert!(KEYS.iter().all(|key| key.variable() != file));
        }
    }
}
