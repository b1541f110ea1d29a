//! `config.example.toml`: the reference of every key, and what `vestibule init` writes with its own values in it.

use super::keys;

/// The committed example.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The example with these keys set to these values, or commented out where there is none; every other line
/// as it is.
///
/// A name that is no key of the example is not written.
#[must_use]
pub fn with_values(values: &[(&str, Option<toml::Value>)]) -> String {
    let mut text = String::with_capacity(EXAMPLE.len());
    for line in EXAMPLE.lines() {
        match key_of(line).and_then(|key| values.iter().find(|(name, _)| *name == key)) {
            Some((_, None)) => {
                text.push_str("# ");
                text.push_str(line.trim_start_matches("# "));
            }
            Some((name, Some(value))) => {
                text.push_str(name);
                text.push_str(" = ");
                text.push_str(&value.to_string());
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// The key a line sets, or would set if it were not commented out.
fn key_of(line: &str) -> Option<&str> {
    let (name, _) = line.trim_start_matches("# ").split_once(" = ")?;
    keys::find(name).map(|key| key.name)
}

#[cfg(test)]
mod tests {
    use super::super::reader::text_of;
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_example_is_a_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vestibule.toml");
        std::fs::write(&path, EXAMPLE).unwrap();
        let config = Config::load(Some(&path), std::iter::empty()).unwrap();
        config.public_url().unwrap();
        config.master_key_file().unwrap();
    }

    #[test]
    fn the_example_has_every_key_once_in_order_explained_and_with_its_true_default() {
        let lines: Vec<_> = EXAMPLE.lines().collect();
        let found: Vec<_> = lines.iter().filter_map(|line| key_of(line)).collect();
        assert_eq!(found, keys::KEYS.map(|key| key.name));
        for (number, line) in lines.iter().enumerate() {
            let Some(key) = key_of(line).and_then(keys::find) else { continue };
            assert!(lines[number - 1].starts_with("# "), "{} is not explained", key.name);
            let mut table: toml::Table = line.trim_start_matches("# ").parse().unwrap();
            let value = text_of(key, table.remove(key.name).unwrap()).unwrap();
            if key.default.is_empty() && !value.is_empty() {
                let paragraph = lines[..number].iter().rev().take_while(|line| !line.is_empty());
                let says = paragraph.fold(String::new(), |all, line| format!("{line}\n{all}"));
                assert!(says.contains("No default"), "{} does not say that it has no default", key.name);
            } else {
                assert_eq!(value, key.default, "{}", key.name);
                assert!(line.starts_with("# "), "{} has a default and is set all the same", key.name);
            }
        }
    }

    #[test]
    fn values_are_written_into_the_example_and_quoted() {
        let odd = "postgres://u:\"\\p@h/v";
        let values =
            [("database_url", Some(odd.into())), ("public_docs", Some(true.into())), ("public_url", None)];
        let text = with_values(&values);
        let table: toml::Table = text.parse().unwrap();
        assert!(!table.contains_key("public_url"));
        assert_eq!(table["database_url"].as_str(), Some(odd));
        assert_eq!(table["public_docs"].as_bool(), Some(true));
        assert_eq!(text.lines().count(), EXAMPLE.lines().count());
    }
}
