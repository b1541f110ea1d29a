//! Reads the raw values out of the file and the environment, and collects every problem on the way.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::keys::{self, Key, Kind};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable, by name.
    Environment(String),
    /// A file named by an environment variable: the variable and the file.
    EnvironmentFile(String, PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(variable) => write!(f, "{variable}"),
            Self::EnvironmentFile(variable, path) => write!(f, "{variable} = {}", path.display()),
        }
    }
}

/// Everything that is wrong with a configuration, one sentence each.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(f, "the configuration is wrong: {only}"),
            many => {
                write!(f, "the configuration has {} problems:", many.len())?;
                many.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}

/// The raw values, and what is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Reader {
    values: BTreeMap<&'static str, (String, Source)>,
    problems: Vec<String>,
    /// What the file would have set is unknown: that it is not set is no problem of its own.
    pub(super) file_is_unread: bool,
}

impl Reader {
    /// Takes all values of the file, if there is one, then those of the environment over them.
    pub(super) fn new(
        file: Option<(&Path, std::io::Result<String>)>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Self {
        let mut reader = Self::default();
        if let Some((path, text)) = file {
            reader.read_file(path, text);
        }
        reader.read_environment(env);
        reader
    }

    fn read_file(&mut self, path: &Path, text: std::io::Result<String>) {
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                self.file_is_unread = true;
                return self
                    .problem(format!("cannot read the configuration file {}: {error}", path.display()));
            }
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                self.file_is_unread = true;
                // Not its Display: that shows the line, and the line can hold a password.
                let line = error
                    .span()
                    .and_then(|span| text.get(..span.start))
                    .map_or(1, |before| before.matches('\n').count() + 1);
                let message = error.message();
                return self.problem(format!("{}, line {line}: not TOML: {message}", path.display()));
            }
        };
        for (name, value) in table {
            let Some(key) = keys::find(&name) else {
                let meant =
                    keys::nearest(&name).map_or(String::new(), |key| format!("; did you mean {}?", key.name));
                self.problem(format!("{}: unknown key {name}{meant}", path.display()));
                continue;
            };
            let source = Source::File(path.to_owned());
            match text_of(key, value) {
                Ok(text) => {
                    self.values.insert(key.name, (text, source));
                }
                Err(wanted) => self.problem(format!("{}: {} must be {wanted}", path.display(), key.name)),
            }
        }
    }

    fn read_environment(&mut self, env: impl Iterator<Item = (String, String)>) {
        // Sorted, so that problems come in the same order every time.
        let variables: BTreeMap<String, String> =
            env.filter(|(name, _)| name.starts_with("VESTIBULE_") && !is_foreign(name)).collect();
        for (variable, value) in &variables {
            let name = variable.trim_start_matches("VESTIBULE_").to_lowercase();
            let secret = name.strip_suffix("_file").and_then(keys::find).filter(|key| key.secret);
            if let Some(key) = keys::find(&name) {
                self.values.insert(key.name, (value.clone(), Source::Environment(variable.clone())));
            } else if let Some(key) = secret {
                if variables.contains_key(&key.variable()) {
                    self.problem(format!("{variable} and {} are both set; unset one", key.variable()));
                    continue;
                }
                match std::fs::read_to_string(value) {
                    Ok(text) => {
                        let source = Source::EnvironmentFile(variable.clone(), value.into());
                        let text = text.strip_suffix('\n').unwrap_or(&text);
                        let text = text.strip_suffix('\r').unwrap_or(text);
                        self.values.insert(key.name, (text.to_owned(), source));
                    }
                    Err(error) => self.problem(format!("{variable}: cannot read {value}: {error}")),
                }
            } else if variable == "VESTIBULE_MASTER_KEY" {
                self.problem(
                    "VESTIBULE_MASTER_KEY: the master key is read from a file only, never from the environment; put \
                     it in a file of mode 0600 and name that in VESTIBULE_MASTER_KEY_FILE"
                        .to_owned(),
                );
            } else {
                let meant = keys::nearest(&name)
                    .map_or(String::new(), |key| format!("; did you mean {}?", key.variable()));
                self.problem(format!("unknown variable {variable}{meant}"));
            }
        }
    }

    pub(super) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// A key's value as text, empty when nothing sets it, and where it came from.
    pub(super) fn raw(&self, name: &'static str) -> (&str, Source) {
        match self.values.get(name) {
            Some((text, source)) => (text, source.clone()),
            None => (keys::find(name).map_or("", |key| key.default), Source::Default),
        }
    }

    /// A key's value, or `None` when it is unset or wrong; what is wrong is noted.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (text, source) = self.raw(name);
        if text.is_empty() && source == Source::Default {
            return None;
        }
        match parse(text) {
            Ok(value) => Some(value),
            Err(problem) => {
                let problem = format!("{name} ({source}): {problem}");
                self.problem(problem);
                None
            }
        }
    }

    /// The value of a key that has a default; the default too when the value is wrong, which is noted.
    pub(super) fn value<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        let default = keys::find(name).map_or("", |key| key.default);
        self.optional(name, &parse)
            .unwrap_or_else(|| parse(default).expect("every default parses: a test sees to it"))
    }

    /// The end of reading: an error if anything was wrong.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ConfigError(self.problems)) }
    }
}

/// Variables with our prefix that are no settings: what the test-suite and `--config` use, and what Kubernetes sets
/// in every pod when a Service is called `vestibule`.
fn is_foreign(variable: &str) -> bool {
    variable == "VESTIBULE_CONFIG"
        || variable == "VESTIBULE_PORT"
        || ["VESTIBULE_TEST_", "VESTIBULE_FUZZ", "VESTIBULE_SERVICE_", "VESTIBULE_PORT_"]
            .iter()
            .any(|prefix| variable.starts_with(prefix))
}

/// A value of the file as the environment would write it, or what it should have been.
pub(super) fn text_of(key: &Key, value: toml::Value) -> Result<String, &'static str> {
    use toml::Value;
    match (key.kind, value) {
        (Kind::Text, Value::String(text)) => Ok(text),
        (Kind::Text, _) => Err("a string in quotes"),
        (Kind::Integer, Value::Integer(number)) => Ok(number.to_string()),
        (Kind::Integer, _) => Err("a whole number without quotes"),
        (Kind::Boolean, Value::Boolean(answer)) => Ok(answer.to_string()),
        (Kind::Boolean, _) => Err("true or false, without quotes"),
        (Kind::List, Value::Array(items)) => {
            let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            texts.map(|texts| texts.join(",")).ok_or("a list of strings")
        }
        (Kind::List, _) => Err("a list of strings"),
    }
}
