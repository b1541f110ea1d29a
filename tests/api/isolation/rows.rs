//! All that the database holds, by its own catalogue, to see what a call has changed.

use std::collections::{BTreeMap, BTreeSet};

use vestibule::db::{Row, Statement};
use vestibule::ids::TenantId;

use crate::support::app::TestApp;

/// Reads every row of every table.
pub struct Rows {
    tables: Vec<Table>,
}

struct Table {
    name: String,
    columns: Vec<String>,
    all: &'static str,
    /// The rows of one tenant; none where rows are no tenant's.
    of_tenant: Option<&'static str>,
}

impl Rows {
    pub async fn new(app: &TestApp) -> Self {
        let sql = if app.database.is_sqlite() {
            "select m.name as t, p.name as c from sqlite_master m join pragma_table_info(m.name) p \
             where m.type = 'table' and m.name not like 'sqlite%'"
        } else {
            "select table_name::text as t, column_name::text as c from information_schema.columns \
             where table_schema = 'public'"
        };
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in app.database.list(Statement::new(sql)).await.unwrap() {
            columns.entry(row.text("t").unwrap()).or_default().push(row.text("c").unwrap());
        }
        assert!(columns.len() > 15, "the catalogue lists all tables");
        let tables = columns.into_iter().map(|(name, columns)| {
            let key = if name == "tenants" { "id" } else { "tenant_id" };
            let all = &*format!("select {} from {name}", columns.join(", ")).leak();
            let of_tenant = columns.iter().any(|column| column == key);
            let of_tenant = of_tenant.then(|| &*format!("{all} where {key} = $1").leak());
            Table { name, columns, all, of_tenant }
        });
        Self { tables: tables.collect() }
    }

    /// SQL that gives another tenant a copy of some of a tenant's rows, with all their ids: those of `table` whose column
    /// `key` is `id`. What is the tenant's own takes the words in `set`.
    pub fn copy(&self, table: &str, key: &str, id: &str, tenant: &TenantId, set: &[(&str, &str)]) -> String {
        let columns = &self.tables.iter().find(|known| known.name == table).unwrap().columns;
        let values = columns.iter().map(|column| {
            set.iter().find(|(name, _)| name == column).map_or(column.as_str(), |(_, value)| *value)
        });
        format!(
            "insert into {table} ({}) select {} from {table} where tenant_id = '{tenant}' and {key} = '{id}' \
             on conflict do nothing;",
            columns.join(", "),
            values.collect::<Vec<_>>().join(", ")
        )
    }

    /// All rows there are, as text.
    pub async fn all(&self, app: &TestApp) -> BTreeSet<String> {
        let mut rows = BTreeSet::new();
        for table in &self.tables {
            table.read(app, Statement::new(table.all), &mut rows).await;
        }
        rows
    }

    /// All rows of a tenant.
    pub async fn of(&self, app: &TestApp, tenant: &TenantId) -> BTreeSet<String> {
        let mut rows = BTreeSet::new();
        for table in &self.tables {
            if let Some(sql) = table.of_tenant {
                table.read(app, Statement::new(sql).bind(tenant), &mut rows).await;
            }
        }
        rows
    }
}

impl Table {
    async fn read(&self, app: &TestApp, statement: Statement, rows: &mut BTreeSet<String>) {
        for row in app.database.list(statement).await.unwrap() {
            let values: Vec<_> = self.columns.iter().map(|column| value(&row, column)).collect();
            let new = rows.insert(format!("{} {}", self.name, values.join("|")));
            assert!(new, "{} has a row twice", self.name);
        }
    }
}

fn value(row: &Row, column: &str) -> String {
    if let Ok(text) = row.maybe_text(column) {
        return text.unwrap_or_else(|| "null".to_owned());
    }
    if let Ok(Some(number)) = row.maybe_int(column) {
        return number.to_string();
    }
    if let Ok(Some(bytes)) = row.maybe_bytes(column) {
        return hex::encode(bytes);
    }
    row.bool(column).unwrap().to_string()
}

/// Fails with what has changed. Who tries another tenant's door again and again leaves one word of it, in their own (R057).
#[track_caller]
pub fn unchanged(before: &BTreeSet<String>, after: &BTreeSet<String>, by: &str) {
    let gone: Vec<_> = before.difference(after).take(5).collect();
    let is_word = |row: &str| row.starts_with("events ") && row.contains("|authz_fail|failure|");
    let new: Vec<_> = after.difference(before).filter(|row| !is_word(row)).take(5).collect();
    let nothing = gone.is_empty() && new.is_empty();
    assert!(nothing, "{by} changed what it must not: gone {gone:#?}, new {new:#?}");
}
