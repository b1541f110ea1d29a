//! The small commands: check-config, version, help.

use std::fs;

use insta::assert_snapshot;

use super::init::Installation;
use crate::support::program::{Ended, Folder};

#[tokio::test]
async fn check_config_shows_what_is_in_effect_and_lists_everything_that_is_wrong() {
    let made = Installation::new().await;
    let mut command = made.folder.command(&["check-config"]);
    let said = Ended::of(command.env("VESTIBULE_LISTEN", "127.0.0.1:9")).well();
    let line = said.lines().find(|line| line.starts_with("listen ")).unwrap();
    assert!(line.contains("127.0.0.1:9 ") && line.ends_with("# VESTIBULE_LISTEN"), "{line}");
    assert!(said.ends_with("# the configuration is good\n"), "{said}");

    let text = fs::read_to_string(made.folder.path("vestibule.toml")).unwrap();
    made.folder.write("vestibule.toml", &text.replace("/master.key\"", "/absent.key\""));
    made.folder.set_mode("vestibule.toml", 0o640);
    let mut command = made.folder.command(&["check-config"]);
    let ended =
        Ended::of(command.env("VESTIBULE_TLS_KEY_FILE", "k").env("VESTIBULE_TLS_CERTIFICATE_FILE", "c"));
    ended.badly(&["\n  - master_key_file ", "/absent.key", "\n  - tls_certificate_file"]);

    made.folder.write(
        "breached",
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3\r\n5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD7:3\r\n",
    );
    for (file, reason) in [("breached", "not sorted by hash at byte 44"), ("nowhere", "No such file")] {
        let mut command = made.folder.command(&["check-config"]);
        let ended = Ended::of(command.env("VESTIBULE_BREACHED_PASSWORDS_FILE", file));
        ended.badly(&["\n  - breached_passwords_file: cannot use ", file, reason]);
    }

    let mut command = made.folder.command(&["check-config"]);
    let ended = Ended::of(command.env("VESTIBULE_LISTEN", "localhost").env("VESTIBULE_HASH_THREADS", "many"));
    ended.badly(&["2 problems", "listen (VESTIBULE_LISTEN)", "hash_threads (VESTIBULE_HASH_THREADS)"]);
}

#[tokio::test]
async fn check_config_warns_of_more_hashing_threads_than_cores() {
    let made = Installation::new().await;
    let mut command = made.folder.command(&["check-config"]);
    let said = Ended::of(command.env("VESTIBULE_HASH_THREADS", "1000")).well();
    let warning = said.lines().find(|line| line.contains("hash_threads = 1000")).unwrap();
    assert!(warning.starts_with("# warning: ") && warning.contains("19000 MiB"), "{warning}");
}

#[test]
fn a_configuration_file_that_cannot_be_read_is_the_only_problem() {
    let folder = Folder::new();
    folder.write("broken.toml", "database_url = ");
    for (file, reason) in
        [("absent.toml", "cannot read the configuration file absent.toml"), ("broken.toml", "not TOML")]
    {
        let ended = folder.run(&["--config", file, "check-config"]);
        ended.badly(&["the configuration is wrong: ", reason]);
        assert!(!ended.errors.contains("is not set"), "{ended:?}");
    }
}

#[test]
fn the_version_names_the_commit() {
    let folder = Folder::new();
    let said = folder.run(&["--version"]).well();
    assert_eq!(folder.run(&["version"]).well(), said);
    let (name, rest) = said.trim_end().split_once(' ').unwrap();
    let (version, commit) = rest.split_once(' ').unwrap();
    assert_eq!((name, version), ("vestibule", env!("CARGO_PKG_VERSION")));
    assert_eq!(commit, format!("({})", vestibule::version::COMMIT));
}

#[test]
fn a_command_line_that_cannot_be_understood_ends_with_2_and_says_what_is_wrong() {
    let folder = Folder::new();
    for (arguments, reason) in [
        (&["serf"][..], "unrecognized subcommand 'serf'"),
        (&["init", "--tenant", "acme"], "--admin <EMAIL>"),
        (
            &["demo", "--listen", "localhost:8080"],
            "write a literal IP address and a port, like 127.0.0.1:8080",
        ),
        (&[], "Usage: vestibule"),
    ] {
        let ended = folder.run(arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.errors.contains(reason), "{ended:?}");
    }
}

#[test]
fn the_help_reads_well() {
    let folder = Folder::new();
    assert_snapshot!(folder.run(&["--help"]).well(), @r"
    A self-hosted, multi-tenant customer session service

    Usage: vestibule [OPTIONS] <COMMAND>

    Commands:
      demo             Try it: serve the documented example from an embedded database
      init             Begin an installation: a configuration, a master key, an operator and, on request, the first tenant
      serve            Serve the API by the configuration, until SIGTERM or Ctrl-C
      operator         Make, list and revoke operators: who runs Vestibule
      tenant           Make tenants, set, suspend, resume and delete them, end their sessions
      keys             Make, list and revoke tenant keys, what a tenant's apps and backends show; rotate the master key
      signing-keys     List, rotate and retire a tenant's signing keys: what its access tokens are signed with
      user             Let a tenant's users in from a file, or write them to one
      audit            Verify and export the sealed log of every tenant's events
      backup           Copy the database to a file while the service goes on
      restore          Put a backup in the database's place, with every session in it ended
      restored         End every session of a database that was restored by other means, or list what such a restore has undone
      migrate          Bring the database's schema up to this version's
      check-config     Check the configuration, its files and its database, and show what is in effect
      explain-address  Tell which address would count as a client's, and why
      version          Show the version and the commit it was built from
      help             Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Global options:
      -c, --config <PATH>  The configuration file [default: ./vestibule.toml, if there is one] [env: VESTIBULE_CONFIG]

    Examples:
      vestibule demo                                      try it
      vestibule init --tenant acme --admin ada@acme.test  begin an installation with a first tenant
      vestibule check-config                              what is in effect, and what is wrong with it
      vestibule tenant create acme                        a tenant with its keys
      vestibule --config /etc/vestibule/vestibule.toml serve

    Environment:
      VESTIBULE_<KEY>              sets a key of the configuration and wins over the file, as VESTIBULE_LISTEN
      VESTIBULE_DATABASE_URL_FILE  names a file that holds the database's URL, as a mounted secret does

    config.example.toml explains every key.
    ");
    assert_snapshot!(folder.run(&["init", "--help"]).well(), @r"
    Begin an installation: a configuration, a master key, an operator and, on request, the first tenant

    Usage: vestibule init [OPTIONS]

    Options:
          --public-url <URL>        The origin your apps will call; every token names it [default: http://127.0.0.1:8080]
          --database-url <URL>      Where the data goes: sqlite:PATH, or postgres://… (one with a password better by the environment) [default: sqlite:vestibule.db]
          --master-key-file <PATH>  Where the master key goes, readable by you alone [default: master.key]
      -h, --help                    Print help

    First tenant:
          --tenant <SLUG>               Make a tenant with this slug; it stands in its issuer and never changes
          --tenant-name <NAME>          What the tenant is called [default: its slug]
          --admin <EMAIL>               The e-mail of its first staff user, with the role ADMIN
          --admin-password-file <PATH>  A file with that user's password; asked for when left out
          --origin <URL>                A browser origin its web apps call from; may be repeated [default: none]
          --profile <PROFILE>           How long its sessions live [default: standard] [possible values: standard, payment, compatible, consumer]
          --algorithm <ALGORITHM>       What its access tokens are signed with [default: ES256] [possible values: ES256, EdDSA, PS256, RS256]
          --token-type <TYPE>           The access tokens' typ; at+jwt is RFC 9068's [default: JWT] [possible values: JWT, at+jwt]

    Global options:
      -c, --config <PATH>  The configuration file [default: ./vestibule.toml, if there is one] [env: VESTIBULE_CONFIG]
    ");
    assert_snapshot!(folder.run(&["demo", "--help"]).well(), @r"
    Try it: serve the documented example from an embedded database

    Usage: vestibule demo [OPTIONS]

    Options:
          --data <DIR>                 Where the demo keeps its data [default: vestibule-demo]
          --listen <ADDRESS>           Where customers' apps reach it: an address of this machine alone [default: 127.0.0.1:8080]
          --operator-listen <ADDRESS>  Where the operator reaches it [default: 127.0.0.1:8081]
      -h, --help                       Print help

    Global options:
      -c, --config <PATH>  The configuration file [default: ./vestibule.toml, if there is one] [env: VESTIBULE_CONFIG]
    ");
}
