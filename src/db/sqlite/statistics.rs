//! What SQLite's planner is told of the tables. Without it the planner takes `tenant_id = ?` to find ten rows, and would
//! rather look at all of a tenant's users than at one session by its key; with the statistics of a real database, plans
//! would change as it grows. So every database has the same ones (<https://sqlite.org/lang_analyze.html>, "Fixed Results
//! Of ANALYZE"), of an installation that is large: a plan that is right there is right in a small one.

use std::fmt::Write as _;

use rusqlite::Connection as Raw;

/// Rows of a table, and of a tenant in it.
const ROWS: u64 = 1_000_000;
const ROWS_OF_A_TENANT: u64 = 100_000;
/// Rows that agree in anything else that an index begins with: sessions of a user, events of a session.
const ROWS_THAT_AGREE: u64 = 10;

/// Writes the statistics of every index, unless they are there. Those of partial indexes are left out: the planner takes
/// such an index where its condition is asked for, which is what it was made for.
pub(super) fn write(raw: &Raw) -> rusqlite::Result<()> {
    raw.execute_batch("begin immediate")?;
    let written = write_now(raw);
    raw.execute_batch(if written.is_ok() { "commit" } else { "rollback" })?;
    written
}

fn write_now(raw: &Raw) -> rusqlite::Result<()> {
    let wanted = wanted(raw)?;
    if found(raw)? == wanted {
        return Ok(());
    }
    // It makes the tables that statistics stand in, and looks at one row of each index where they were made before.
    raw.query_row("pragma analysis_limit = 1", [], |_| Ok(()))?;
    raw.execute_batch("analyze; delete from sqlite_stat1")?;
    if exists(raw, "sqlite_stat4")? {
        raw.execute_batch("delete from sqlite_stat4")?;
    }
    for (table, index, statistics) in wanted {
        raw.execute(
            "insert into sqlite_stat1 (tbl, idx, stat) values (?1, ?2, ?3)",
            [table, index, statistics],
        )?;
    }
    // Connections read them with the schema, so it has to change: also where the tables were there before.
    raw.execute_batch(
        "create table statistics_are_new (x text); drop table statistics_are_new; analyze sqlite_schema",
    )
}

type Statistics = Vec<(String, String, String)>;

fn found(raw: &Raw) -> rusqlite::Result<Statistics> {
    if !exists(raw, "sqlite_stat1")? {
        return Ok(Vec::new());
    }
    let mut read = raw.prepare("select tbl, coalesce(idx, ''), stat from sqlite_stat1 order by tbl, idx")?;
    let rows = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

fn exists(raw: &Raw, table: &str) -> rusqlite::Result<bool> {
    raw.query_row("select exists (select 1 from sqlite_schema where name = ?1)", [table], |row| row.get(0))
}

/// The statistics of all whole indexes, by table and index; an expression has no name.
fn wanted(raw: &Raw) -> rusqlite::Result<Statistics> {
    let mut read = raw.prepare(
        "select t.name, i.name, i.\"unique\", group_concat(coalesce(c.name, '') order by c.seqno) \
         from sqlite_schema t join pragma_index_list(t.name) i join pragma_index_info(i.name) c \
         where t.type = 'table' and t.name not like 'sqlite%' and not i.partial \
         group by t.name, i.name, i.\"unique\" order by t.name, i.name",
    )?;
    let rows = read.query_map([], |row| {
        let columns: String = row.get(3)?;
        Ok((row.get(0)?, row.get(1)?, statistics(&columns.split(',').collect::<Vec<_>>(), row.get(2)?)))
    })?;
    rows.collect()
}

/// The numbers of an index: all rows, then for each more of its columns how many rows agree in them.
fn statistics(columns: &[&str], is_unique: bool) -> String {
    let mut rows = ROWS;
    let mut text = rows.to_string();
    for (number, column) in columns.iter().enumerate() {
        let agree = if is_unique && number + 1 == columns.len() {
            1
        } else if *column == "tenant_id" {
            ROWS_OF_A_TENANT
        } else {
            ROWS_THAT_AGREE
        };
        rows = rows.min(agree);
        let _ = write!(text, " {rows}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::MIGRATIONS;

    fn database() -> (tempfile::TempDir, Raw) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        std::fs::File::create(&path).unwrap();
        super::super::migrate::run(&path, std::time::Duration::ZERO, MIGRATIONS).unwrap();
        (folder, Raw::open(path).unwrap())
    }

    /// How what a session check joins is found.
    fn plan(raw: &Raw) -> String {
        let text = "explain query plan select t.name, u.email, c.status from sessions s \
                    join tenants t on t.id = s.tenant_id \
                    join users u on u.tenant_id = s.tenant_id and u.id = s.user_id \
                    join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
                    where s.tenant_id = ?1 and s.id = ?2";
        let mut read = raw.prepare(text).unwrap();
        let steps = read.query_map(["t", "s"], |row| row.get::<_, String>(3)).unwrap();
        steps.map(|step| step.unwrap() + "\n").collect()
    }

    #[test]
    fn a_session_is_found_by_its_key_and_not_by_looking_at_all_users_of_its_tenant() {
        let (_folder, raw) = database();
        assert!(!plan(&raw).contains("(tenant_id=?)"), "{}", plan(&raw));
        raw.execute_batch("delete from sqlite_stat1; analyze sqlite_schema").unwrap();
        assert!(plan(&raw).contains("(tenant_id=?)"), "the statistics are not what does it: {}", plan(&raw));
    }

    #[test]
    fn connections_that_were_open_before_plan_by_them_too() {
        let (folder, raw) = database();
        raw.execute_batch("delete from sqlite_stat1; analyze sqlite_schema").unwrap();
        let other = Raw::open(folder.path().join("x.db")).unwrap();
        assert!(plan(&other).contains("(tenant_id=?)"));
        write(&raw).unwrap();
        // What is only explained never looks whether the schema is another one.
        assert_eq!(other.query_row("select count(*) from users", [], |row| row.get::<_, i64>(0)), Ok(0));
        assert!(!plan(&other).contains("(tenant_id=?)"), "{}", plan(&other));
    }

    #[test]
    fn statistics_that_are_there_are_left_alone_and_others_are_replaced() {
        let (_folder, raw) = database();
        let first = found(&raw).unwrap();
        let of = |index| &first.iter().find(|(_, found, _)| found == index).unwrap().2;
        assert_eq!(of("sessions_by_user"), "1000000 10 10 10");
        assert_eq!(of("sqlite_autoindex_users_1"), "1000000 100000 1");
        let version =
            |raw: &Raw| raw.query_row("pragma schema_version", [], |row| row.get::<_, i64>(0)).unwrap();
        let before = version(&raw);
        write(&raw).unwrap();
        assert_eq!(version(&raw), before);
        raw.execute_batch("pragma analysis_limit = 0; analyze").unwrap();
        assert_ne!(found(&raw).unwrap(), first);
        write(&raw).unwrap();
        assert_eq!(found(&raw).unwrap(), first);
    }
}
