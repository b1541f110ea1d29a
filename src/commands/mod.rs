//! The command line: what there is to run, and how its outcome is told.

mod audit;
mod backup;
mod check_config;
mod demo;
mod desk;
mod expiry;
mod explain_address;
mod files;
mod first_tenant;
mod init;
mod keys;
mod login_call;
mod migrate;
mod operator;
mod out;
mod restore;
mod restored;
mod serve;
mod show;
mod signing_keys;
mod start;
mod tenant;
mod user;
mod version;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use self::out::Out;
pub(crate) use self::user::judge_import;
use crate::config::{self, Config};
use crate::version as build;

/// The configuration that is read when none is named and it exists.
const DEFAULT_CONFIG: &str = "vestibule.toml";

const ENVIRONMENT: &str = "\
Examples:
  vestibule demo                                      try it
  vestibule init --tenant acme --admin ada@acme.test  begin an installation with a first tenant
  vestibule check-config                              what is in effect, and what is wrong with it
  vestibule tenant create acme                        a tenant with its keys
  vestibule --config /etc/vestibule/vestibule.toml serve

Environment:
  VESTIBULE_<KEY>              sets a key of the configuration and wins over the file, as VESTIBULE_LISTEN
  VESTIBULE_DATABASE_URL_FILE  names a file that holds the database's URL, as a mounted secret does

config.example.toml explains every key.";

/// A self-hosted, multi-tenant customer session service.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version = build::FULL, after_help = ENVIRONMENT)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The configuration file [default: ./vestibule.toml, if there is one]
    #[arg(long, short, global = true, value_name = "PATH", env = "VESTIBULE_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: serve the documented example from an embedded database
    Demo(demo::Demo),
    /// Begin an installation: a configuration, a master key, an operator and, on request, the first tenant
    Init(init::Init),
    /// Serve the API by the configuration, until SIGTERM or Ctrl-C
    Serve,
    /// Make, list and revoke operators: who runs Vestibule
    Operator(operator::Operator),
    /// Make tenants, set, suspend, resume and delete them, end their sessions
    Tenant(tenant::Tenant),
    /// Make, list and revoke tenant keys, what a tenant's apps and backends show; rotate the master key
    Keys(keys::Keys),
    /// List, rotate and retire a tenant's signing keys: what its access tokens are signed with
    SigningKeys(signing_keys::SigningKeys),
    /// Let a tenant's users in from a file, or write them to one
    #[command(subcommand)]
    User(user::User),
    /// Verify and export the sealed log of every tenant's events
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Copy the database to a file while the service goes on
    Backup(backup::Backup),
    /// Put a backup in the database's place, with every session in it ended
    Restore(restore::Restore),
    /// End every session of a database that was restored by other means, or list what such a restore has undone
    Restored(restored::Restored),
    /// Bring the database's schema up to this version's
    Migrate,
    /// Check the configuration, its files and its database, and show what is in effect
    CheckConfig,
    /// Tell which address would count as a client's, and why
    ExplainAddress(explain_address::ExplainAddress),
    /// Show the version and the commit it was built from
    Version,
}

impl Command {
    fn run(&self, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Demo(demo) => demo::run(demo, global, out),
            Self::Init(init) => init::run(init, global, out),
            Self::Serve => serve::run(global),
            Self::Operator(operator) => operator::run(operator, global, out),
            Self::Tenant(tenant) => tenant::run(tenant, global, out),
            Self::Keys(keys) => keys::run(keys, global, out),
            Self::SigningKeys(keys) => signing_keys::run(keys, global, out),
            Self::User(user) => user::run(user, global, out),
            Self::Audit(audit) => audit::run(audit, global, out),
            Self::Backup(backup) => backup::run(backup, global, out),
            Self::Restore(restore) => restore::run(restore, global, out),
            Self::Restored(restored) => restored::run(restored, global, out),
            Self::Migrate => migrate::run(global, out),
            Self::CheckConfig => check_config::run(global, out),
            Self::ExplainAddress(asked) => explain_address::run(asked, global, out),
            Self::Version => version::run(out),
        }
    }

    /// Whether what it writes to standard output is good for nothing without its end.
    const fn is_kept_from_a_pipe(&self) -> bool {
        match self {
            Self::User(user) => user.is_kept_from_a_pipe(),
            Self::Audit(audit) => audit.is_kept_from_a_pipe(),
            _ => false,
        }
    }
}

impl Global {
    /// The file to read: the named one, which must be there, or the default one, which need not.
    fn config_file(&self) -> Option<&Path> {
        let default = || Some(Path::new(DEFAULT_CONFIG)).filter(|path| path.exists());
        self.config.as_deref().or_else(default)
    }

    /// The configuration of this process.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(self.config_file(), config::process_environment())?)
    }
}

/// Runs the program: 0 when all went well, 1 after an error, 2 when the command line cannot be understood.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = Out::stdout();
    let outcome = cli.command.run(&cli.global, &mut out).and_then(|()| Ok(out.flush()?));
    match outcome {
        // Whoever keeps records from a pipe must learn that these are not all.
        Err(error) if !out.reader_left || cli.command.is_kept_from_a_pipe() => {
            eprintln!("{}", describe(&error));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// An error for people: what failed, and below it why, down to the first cause.
fn describe(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        text.push_str("\n  because: ");
        text.push_str(&cause.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_configuration_can_be_named_before_and_after_the_command() {
        for line in [["vestibule", "--config", "a", "version"], ["vestibule", "version", "--config", "a"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap().global.config, Some("a".into()));
        }
    }

    #[test]
    fn an_error_is_told_with_its_causes() {
        let error = anyhow::anyhow!("no such file").context("cannot read the key").context("cannot start");
        let text = "error: cannot start\n  because: cannot read the key\n  because: no such file";
        assert_eq!(describe(&error), text);
    }
}
