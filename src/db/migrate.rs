//! Migrations: `migrations/NNNN_name.sql`, embedded, applied in order, each all or nothing.
//!
//! They are written once, as PostgreSQL takes them, and never edited once released. For SQLite a
//! closed list of words is replaced, outside of quotes and comments:
//!
//! | in the file | on SQLite | on PostgreSQL |
//! | --- | --- | --- |
//! | `bigint`, `boolean` | `integer` | as it is |
//! | `bytea` | `blob` | as it is |
//! | `/*table*/` | `strict` | nothing |
//! | `/*busy table*/` | `strict` | room for updates in place, early vacuum |
//! | `/*on PostgreSQL: … */` | nothing | what it says |
//!
//! So every table ends in one of the two marks: `create table users (…) /*table*/;`. A busy table
//! is one whose rows are updated all day long: sessions, throttles, attempts, tenants' heads.

use aws_lc_rs::digest;

use super::change::{DbError, Statement};
use super::text::{Piece, pieces};
use super::{Database, Engine};

/// One step of the schema.
#[derive(Debug)]
pub struct Migration {
    /// 1, 2, 3 …, without gaps.
    pub version: i64,
    /// The file's name without number and ending.
    pub name: &'static str,
    /// The portable SQL.
    pub sql: &'static str,
}

/// All migrations, in their order: the one place where they are listed.
pub const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "foundation", sql: include_str!("../../migrations/0001_foundation.sql") },
    Migration { version: 2, name: "directory", sql: include_str!("../../migrations/0002_directory.sql") },
    Migration { version: 3, name: "sessions", sql: include_str!("../../migrations/0003_sessions.sql") },
    Migration { version: 4, name: "defence", sql: include_str!("../../migrations/0004_defence.sql") },
    Migration { version: 5, name: "vacuum", sql: include_str!("../../migrations/0005_vacuum.sql") },
    Migration { version: 6, name: "indexes", sql: include_str!("../../migrations/0006_indexes.sql") },
];

const BUSY_TABLE: &str = "with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, \
                          autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02)";

/// Where it is written down what has been applied.
pub(super) const VERSIONS_TABLE: &str = "create table if not exists vestibule_migrations (\
    version bigint primary key, name text not null, checksum text not null, applied_at bigint not null\
    ) /*table*/";

/// Reads what has been applied.
pub(super) const APPLIED: &str = "select version, name, checksum from vestibule_migrations order by version";

/// Writes down what was applied.
pub(super) const RECORD: &str =
    "insert into vestibule_migrations (version, name, checksum, applied_at) values ($1, $2, $3, $4)";

/// A migration found in the database.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) checksum: String,
}

impl Migration {
    /// SHA-256 of the text as it stands in the file, in hexadecimal.
    pub(super) fn checksum(&self) -> String {
        hex::encode(digest::digest(&digest::SHA256, self.sql.as_bytes()))
    }
}

/// A mistake in the list itself, before anything is touched.
pub(super) fn refuse_disorder(migrations: &[Migration]) -> Result<(), DbError> {
    for (migration, expected) in migrations.iter().zip(1..) {
        let Migration { version, name, sql } = migration;
        if *version != expected {
            return Err(DbError::Failed(format!(
                "migration {version} ({name}) stands where {expected} should"
            )));
        }
        if tables(sql) != marks(sql) {
            return Err(DbError::Failed(format!(
                "migration {version} ({name}) has a table without the mark /*table*/ or /*busy table*/"
            )));
        }
    }
    Ok(())
}

/// What is still to be applied, once it is certain that what is there is what this binary knows.
pub(super) fn outstanding<'a>(
    migrations: &'a [Migration],
    recorded: &[Recorded],
) -> Result<&'a [Migration], DbError> {
    for found in recorded {
        let known = migrations.iter().find(|migration| migration.version == found.version);
        let Some(known) = known else {
            return Err(DbError::Failed(format!(
                "the database has migration {} ({}), which this binary does not know: \
                 it is newer than this binary; run the newer one",
                found.version, found.name
            )));
        };
        if known.checksum() != found.checksum {
            return Err(DbError::Failed(format!(
                "migration {} ({}) was changed after it was applied: \
                 restore its text and put what is new into a migration of its own",
                found.version, found.name
            )));
        }
    }
    migrations.get(recorded.len()..).ok_or_else(|| DbError::Failed("migrations are missing".into()))
}

/// Whether any migration was ever applied.
pub(super) async fn present(database: &Database) -> Result<bool, DbError> {
    let exists = match &database.0.engine {
        Engine::Sqlite(_) => "select 1 as there from sqlite_schema where name = 'vestibule_migrations'",
        Engine::Postgres(_) => "select 1 as there where to_regclass('vestibule_migrations') is not null",
    };
    Ok(!database.list(Statement::new(exists)).await?.is_empty())
}

/// Whether each of `migrations` is there as this binary knows it.
pub(super) async fn current(database: &Database, migrations: &[Migration]) -> Result<bool, DbError> {
    if !present(database).await? {
        return Ok(migrations.is_empty());
    }
    let mut found = Vec::new();
    for row in database.list(Statement::new(APPLIED)).await? {
        found.push((row.int("version")?, row.text("checksum")?));
    }
    Ok(migrations.iter().all(|migration| found.contains(&(migration.version, migration.checksum()))))
}

/// The text as SQLite takes it.
pub(super) fn for_sqlite(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    for piece in pieces(sql) {
        match piece {
            Piece::Code(code) => {
                for word in words(code) {
                    text.push_str(match word {
                        "bigint" | "boolean" => "integer",
                        "bytea" => "blob",
                        other => other,
                    });
                }
            }
            Piece::Comment("/*table*/" | "/*busy table*/") => text.push_str("strict"),
            Piece::Quoted(other) | Piece::Comment(other) => text.push_str(other),
        }
    }
    text
}

/// The text as PostgreSQL takes it.
pub(super) fn for_postgres(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    for piece in pieces(sql) {
        text.push_str(match piece {
            Piece::Comment("/*busy table*/") => BUSY_TABLE,
            Piece::Comment(comment) => said_to_postgres(comment).unwrap_or(comment),
            Piece::Code(other) | Piece::Quoted(other) => other,
        });
    }
    text
}

/// What a comment holds that only PostgreSQL has words for.
fn said_to_postgres(comment: &str) -> Option<&str> {
    comment.strip_prefix("/*on PostgreSQL: ")?.strip_suffix("*/")
}

/// The words of `code` and what stands between them.
fn words(code: &str) -> impl Iterator<Item = &str> {
    let in_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut rest = code;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|letter| in_word(letter) != in_word(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

fn tables(sql: &str) -> usize {
    let count = |piece| match piece {
        Piece::Code(code) => {
            let spoken: Vec<_> = words(code).filter(|word| !word.trim().is_empty()).collect();
            spoken.windows(2).filter(|pair| pair == &["create", "table"]).count()
        }
        _ => 0,
    };
    pieces(sql).into_iter().map(count).sum()
}

fn marks(sql: &str) -> usize {
    let mark = |piece: &Piece<'_>| matches!(piece, Piece::Comment("/*table*/" | "/*busy table*/"));
    pieces(sql).iter().filter(|piece| mark(piece)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "create table a (\n  n bigint, b boolean default false, x bytea, bigint_like text, t text \
                         default 'bigint' -- boolean\n) /*busy table*/;";

    #[test]
    fn sqlite_gets_its_own_words() {
        assert_eq!(
            for_sqlite(TABLE),
            "create table a (\n  n integer, b integer default false, x blob, bigint_like text, t text \
             default 'bigint' -- boolean\n) strict;"
        );
    }

    #[test]
    fn postgresql_gets_the_text_and_its_settings() {
        let text = for_postgres(TABLE);
        assert!(text.contains("n bigint") && text.contains(") with (fillfactor = 80"));
    }

    #[test]
    fn what_is_said_to_postgresql_alone_is_a_comment_to_sqlite() {
        let sql = "select 1; /*on PostgreSQL: select 2;*/ /* select 3; */";
        assert_eq!(for_sqlite(sql), sql);
        assert_eq!(for_postgres(sql), "select 1; select 2; /* select 3; */");
    }

    #[test]
    fn the_embedded_migrations_are_in_order_and_marked() {
        refuse_disorder(MIGRATIONS).expect("in order and marked");
    }

    #[test]
    fn a_table_without_its_mark_is_refused() {
        let unmarked = [Migration { version: 1, name: "a", sql: "create table a (b bigint);" }];
        let error = refuse_disorder(&unmarked).expect_err("unmarked");
        assert!(error.to_string().contains("/*table*/"), "{error}");
    }
}
