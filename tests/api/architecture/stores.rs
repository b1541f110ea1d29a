//! Where SQL may stand, whose tables it writes, and for whom.

use std::collections::BTreeSet;

use super::{Source, sources};

#[test]
fn SQL_stands_in_stores_and_in_the_flows_reading_queries_only() {
    for source in sources() {
        let code = source.code.to_lowercase();
        let is_store = source.path.ends_with("/store.rs");
        let flow = source.is_under(&["flows"]);
        if is_store || source.is_under(&["db"]) {
            continue;
        }
        for word in
            ["\"insert into", "\"update ", "\"delete from", "\"create ", "\"drop ", "\"alter ", "\"with "]
        {
            assert!(!code.contains(word), "src/{}: {word} belongs into a store.rs", source.path);
        }
        if !flow {
            assert!(!code.contains("\"select "), "src/{}: a query belongs into a store.rs", source.path);
            assert!(
                !source.code.contains("Statement::new"),
                "src/{}: SQL belongs into a store.rs",
                source.path
            );
        }
        assert!(code.matches("\"select ").count() <= 1, "src/{}: a flow has one reading query", source.path);
    }
}

/// Each store writes its own tables only.
#[test]
fn a_store_writes_only_its_own_tables() {
    let owned = |module: &str| -> &[&str] {
        match module {
            "tenants" => &["tenants", "tenant_keys", "tenant_origins"],
            "users" => &["users", "login_names", "user_phones"],
            "throttles" => &["throttles", "attempts"],
            "source_limits" => &["login_sources", "source_attempts"],
            "customers" => &["customers"],
            "devices" => &["devices"],
            "events" => &["events", "event_heads", "event_tiles", "audit_keys"],
            "installation" => &["installation"],
            "sessions" => &["sessions", "session_operations"],
            "signing_keys" => &["signing_keys"],
            "operators" => &["operators"],
            "password_resets" => &["password_resets"],
            "imports" => &["imports"],
            other => panic!("{other}: say which tables it owns"),
        }
    };
    let mut written = 0;
    // A deleted tenant's rows go from every table, and all of that stands in one place.
    let is_own =
        |source: &&Source| source.path.ends_with("/store.rs") && source.path != "tenants/deletion/store.rs";
    for source in sources().iter().filter(is_own) {
        for verb in ["insert into ", "\"update ", "delete from "] {
            for (at, _) in source.code.match_indices(verb) {
                let table: String = source.code[at + verb.len()..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                written += 1;
                assert!(
                    owned(source.module()).contains(&table.as_str()),
                    "src/{} writes {table}, which is not its own",
                    source.path
                );
            }
        }
    }
    assert!(written > 15, "the statements were not found");
}

/// What makes or asks a thing of a tenant has the tenant in its arguments.
#[test]
fn R048_a_store_function_takes_a_tenant() {
    let exceptions = [
        ("tenants", "find", "it finds the tenant, by the name a request gives it"),
        ("tenants", "find_origin", "a preflight names no tenant"),
        ("events", "find_unnumbered", "the sealer looks for everybody's"),
        ("events", "find_sealed_otherwise", "the audit key is the installation's"),
        ("events", "count_sealed", "the audit key is the installation's"),
        ("events", "reseal", "the audit key is the installation's"),
        ("events", "find_key", "the installation's own"),
        ("events", "insert_key", "the installation's own"),
        ("sessions", "find_end_of_slice", "whose sessions have ended is looked for in all tenants"),
        ("tenants", "find_details", "it finds the tenant, by the name an operator gives it"),
        ("tenants", "list", "an operator's list of tenants"),
        ("tenants", "find_deleted", "which tenants are to be emptied"),
        ("signing_keys", "find_one_for_each_master_key", "whether the master key file is this database's"),
        ("sessions", "find_any_under", "whether the master key file is this database's"),
        ("sessions", "count_under", "what needs a line of the master key file"),
        ("signing_keys", "find_sealed_otherwise", "everybody's are sealed anew"),
        ("signing_keys", "count_sealed", "what needs a line of the master key file"),
        ("signing_keys", "find_replaced", "whose keys are to be retired"),
        ("sessions", "find_due", "whose operations are to go on"),
        ("operators", "find_by_token", "an operator is no tenant's"),
        ("operators", "insert", "an operator is no tenant's"),
        ("password_resets", "delete_expired", "what is over goes, whose ever it was"),
        ("source_limits", "delete_attempts_that_are_over", "what is over goes, whose ever it was"),
        ("source_limits", "delete_sources_that_are_over", "what is over goes, whose ever it was"),
        ("throttles", "delete_idle", "what nobody misses goes, whose ever it was"),
        ("operators", "list", "an operator is no tenant's"),
        ("operators", "find", "an operator is no tenant's"),
        ("operators", "revoke", "an operator is no tenant's"),
        ("installation", "mark_demo", "the database's own"),
        ("installation", "find_demo", "the database's own"),
        ("installation", "find_any_tenant", "the database's own: is there any?"),
        ("installation", "remember_refresh_key", "the database's own"),
        ("installation", "find_refresh_keys", "the database's own"),
        ("installation", "remember_pepper", "the database's own"),
        ("installation", "find_peppers", "the database's own"),
        ("users", "find_any_peppered", "whether the pepper file is this database's"),
        ("installation", "find_name_key", "the database's own"),
        ("installation", "keep_name_key", "the database's own"),
        ("installation", "find_sealed_otherwise", "the database's own"),
        ("installation", "count_sealed", "the database's own"),
        ("installation", "reseal", "the database's own"),
    ];
    let mut needed = BTreeSet::new();
    let mut seen = 0;
    for source in sources().iter().filter(|source| source.path.ends_with("/store.rs")) {
        for (at, _) in source.code.match_indices("\npub") {
            let Some(signature) = source.code[at + 1..].split('{').next() else { continue };
            let Some(rest) = signature.split("fn ").nth(1) else { continue };
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            seen += 1;
            if signature.contains("&TenantId") {
                continue;
            }
            let excepted = exceptions
                .iter()
                .any(|(module, function, _)| *module == source.module() && *function == name);
            assert!(excepted, "src/{}: {name} can be called without a tenant", source.path);
            needed.insert((source.module().to_owned(), name));
        }
    }
    assert!(seen > 20, "the functions were not found");
    assert_eq!(needed.len(), exceptions.len(), "an exception that is no longer needed stands on the list");
}
