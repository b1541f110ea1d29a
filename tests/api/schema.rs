//! Both engines' catalogues are asked whether every row belongs to a tenant (R048).

use std::collections::{BTreeMap, BTreeSet};

use vestibule::db::{Database, MIGRATIONS, Row, Statement};

use crate::support::{self, migrated_database};

/// Tables that are no tenant's, and why.
const NO_TENANTS: [(&str, &str); 5] = [
    ("vestibule_migrations", "which migrations the database has"),
    ("installation", "what the database itself is"),
    ("audit_keys", "what the checkpoints of all tenants' logs are signed with"),
    ("operators", "who runs Vestibule, for all tenants"),
    ("tenants", "its id is the tenant_id of all others"),
];

/// Indexes that go across tenants, and why.
const ODD_INDEXES: [(&str, &str, &str); 9] = [
    ("tenants", "id", "deleted tenants that are being emptied, of which there are few"),
    ("operators", "token_digest", "an operator is nobody's but the installation's"),
    ("tenants", "slug", "a slug is unique everywhere: it stands in the issuer"),
    ("tenant_keys", "tenant_key", "HTTP Basic names a key and no tenant"),
    ("tenant_origins", "origin", "a preflight names an origin and no tenant"),
    ("throttles", "created_at", "upkeep deletes what is old, whose ever it is, and nothing else may fit it"),
    ("login_sources", "due_at", "upkeep's, likewise"),
    ("source_attempts", "(expression)", "upkeep's, likewise"),
    ("password_resets", "(expression)", "upkeep's, likewise"),
];

#[derive(Default, PartialEq, Debug)]
struct Table {
    /// Whether each column may be null.
    columns: BTreeMap<String, bool>,
    primary_key: Vec<String>,
    /// The table referred to, with our columns and its own.
    foreign_keys: BTreeSet<(String, Vec<String>, Vec<String>)>,
    /// Columns of each index and unique constraint, the primary key's apart.
    indexes: BTreeSet<Vec<String>>,
}

type Schema = BTreeMap<String, Table>;

async fn rows(database: &Database, sql: &'static str) -> Vec<Row> {
    database.list(Statement::new(sql)).await.unwrap()
}

fn put<T: Default>(map: &mut BTreeMap<(String, String), T>, row: &Row, group: &str) -> (String, String) {
    let key = (row.text("t").unwrap(), row.text(group).unwrap());
    map.entry(key.clone()).or_default();
    key
}

const SQLITE_COLUMNS: &str = "select m.name as t, c.name as c, 1 - max(c.\"notnull\", c.pk > 0) as nullable, \
    c.pk as pk from pragma_table_list m, pragma_table_info(m.name) c \
    where m.schema = 'main' and m.type = 'table' and m.name not like 'sqlite%' order by m.name, c.pk, c.cid";
const SQLITE_KEYS: &str = "select m.name as t, cast(f.id as text) as g, f.\"table\" as other, f.\"from\" as mine, \
    f.\"to\" as theirs from pragma_table_list m, pragma_foreign_key_list(m.name) f \
    where m.schema = 'main' and m.type = 'table' order by m.name, f.id, f.seq";
const SQLITE_INDEXES: &str = "select m.name as t, i.name as g, coalesce(c.name, '(expression)') as c \
    from pragma_table_list m, pragma_index_list(m.name) i, pragma_index_info(i.name) c \
    where m.schema = 'main' and m.type = 'table' and i.origin <> 'pk' order by m.name, i.name, c.seqno";

const POSTGRES_COLUMNS: &str = "select c.relname::text as t, a.attname::text as c, \
    case when a.attnotnull then 0::bigint else 1::bigint end as nullable, \
    coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)::bigint as pk \
    from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public' \
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
    left join pg_index i on i.indrelid = c.oid and i.indisprimary where c.relkind in ('r', 'p') order by 1, 4, a.attnum";
const POSTGRES_KEYS: &str = "select c.conrelid::regclass::text as t, c.conname::text as g, \
    c.confrelid::regclass::text as other, a.attname::text as mine, b.attname::text as theirs \
    from pg_constraint c, unnest(c.conkey, c.confkey) with ordinality as k(mine, theirs, n), pg_attribute a, pg_attribute b \
    where c.contype = 'f' and a.attrelid = c.conrelid and a.attnum = k.mine \
    and b.attrelid = c.confrelid and b.attnum = k.theirs order by 1, 2, k.n";
const POSTGRES_INDEXES: &str = "select i.indrelid::regclass::text as t, i.indexrelid::regclass::text as g, \
    coalesce(a.attname::text, '(expression)') as c from pg_index i \
    join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public' \
    cross join unnest(i.indkey::int2[]) with ordinality as k(attnum, n) \
    left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum and k.attnum > 0 \
    where not i.indisprimary order by 1, 2, k.n";

async fn schema(database: &Database) -> Schema {
    let [columns, keys, indexes] = if database.is_sqlite() {
        [SQLITE_COLUMNS, SQLITE_KEYS, SQLITE_INDEXES]
    } else {
        [POSTGRES_COLUMNS, POSTGRES_KEYS, POSTGRES_INDEXES]
    };
    let mut schema = Schema::new();
    for row in rows(database, columns).await {
        let table = schema.entry(row.text("t").unwrap()).or_default();
        let column = row.text("c").unwrap();
        if row.int("pk").unwrap() > 0 {
            table.primary_key.push(column.clone());
        }
        table.columns.insert(column, row.int("nullable").unwrap() > 0);
    }
    let mut groups: BTreeMap<_, (String, Vec<String>, Vec<String>)> = BTreeMap::new();
    for row in rows(database, keys).await {
        let key = put(&mut groups, &row, "g");
        let group = groups.get_mut(&key).unwrap();
        group.0 = row.text("other").unwrap();
        group.1.push(row.text("mine").unwrap());
        group.2.push(row.text("theirs").unwrap());
    }
    for ((table, _), key) in groups {
        schema.get_mut(&table).unwrap().foreign_keys.insert(key);
    }
    let mut groups: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for row in rows(database, indexes).await {
        let key = put(&mut groups, &row, "g");
        groups.get_mut(&key).unwrap().push(row.text("c").unwrap());
    }
    for ((table, _), index) in groups {
        schema.get_mut(&table).unwrap().indexes.insert(index);
    }
    schema
}

async fn migrated() -> Schema {
    let database = migrated_database().await;
    schema(&database).await
}

fn is_tenants(table: &str) -> bool {
    NO_TENANTS.iter().all(|(name, _)| *name != table)
}

#[tokio::test]
async fn R048_every_tenants_table_has_the_tenant_first_in_its_primary_key() {
    let schema = migrated().await;
    assert!(schema.len() > 12, "{:?}", schema.keys());
    for (name, _) in NO_TENANTS {
        assert!(schema.contains_key(name), "{name} is gone: take it off the list");
        assert!(!schema[name].columns.contains_key("tenant_id"), "{name} has a tenant: take it off the list");
    }
    for (name, table) in schema.iter().filter(|(name, _)| is_tenants(name)) {
        assert_eq!(table.columns.get("tenant_id"), Some(&false), "{name}.tenant_id is there and not null");
        assert_eq!(table.primary_key.first().map(String::as_str), Some("tenant_id"), "{name}'s primary key");
    }
}

#[tokio::test]
async fn R048_no_foreign_key_can_point_into_another_tenant() {
    let schema = migrated().await;
    let mut seen = 0;
    for (name, table) in schema.iter().filter(|(name, _)| is_tenants(name)) {
        assert!(!table.foreign_keys.is_empty(), "{name} does not even say that its tenant exists");
        for (other, mine, theirs) in &table.foreign_keys {
            seen += 1;
            assert_eq!(mine[0], "tenant_id", "{name} → {other}");
            let tenant_there = if other == "tenants" { "id" } else { "tenant_id" };
            assert_eq!(theirs[0], tenant_there, "{name} → {other}");
            assert_eq!(schema[other].primary_key, *theirs, "{name} → {other}: by its whole primary key");
        }
    }
    assert!(seen > 12);
}

#[tokio::test]
async fn R048_every_index_is_within_a_tenant_but_those_that_must_not_be() {
    let schema = migrated().await;
    let mut odd = BTreeSet::new();
    for (name, table) in &schema {
        // The tenant stands first, or right after the id that is looked for (the migration says why).
        for index in
            table.indexes.iter().filter(|index| !index.iter().take(2).any(|name| name == "tenant_id"))
        {
            odd.insert((name.as_str(), index.join(", ")));
        }
    }
    let allowed: BTreeSet<_> =
        ODD_INDEXES.iter().map(|(table, columns, _)| (*table, (*columns).to_owned())).collect();
    assert_eq!(odd, allowed);
}

#[tokio::test]
async fn on_sqlite_every_table_is_strict_and_foreign_keys_are_on() {
    let database = support::sqlite().await;
    database.migrate_with(MIGRATIONS).await.unwrap();
    let sql = "select name as t, strict as s from pragma_table_list \
               where schema = 'main' and type = 'table' and name not like 'sqlite%'";
    let tables = rows(&database, sql).await;
    assert!(tables.len() > 12);
    for row in tables {
        assert_eq!(row.int("s").unwrap(), 1, "{}", row.text("t").unwrap());
    }
    // What would point into another tenant is refused, not only declared.
    let stray = Statement::new(
        "insert into users (tenant_id, id, customer_id, kind, status, roles, phones, created_at, updated_at) \
         values ('00000000-0000-0000-0000-000000000000', 'u', 'nobody', 'customer', 'active', '[]', '[]', 0, 0)",
    );
    database.apply(stray).await.unwrap_err();
}

#[tokio::test]
async fn both_engines_have_the_same_tables_columns_keys_and_indexes() {
    let sqlite = support::sqlite().await;
    let postgres = support::postgres().await;
    sqlite.migrate_with(MIGRATIONS).await.unwrap();
    postgres.migrate_with(MIGRATIONS).await.unwrap();
    let (left, right) = (schema(&sqlite).await, schema(&postgres).await);
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (name, table) in &left {
        assert_eq!(table, &right[name], "{name}: SQLite, PostgreSQL");
    }
}
