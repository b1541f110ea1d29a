//! The files in `docs/` that are made from the code.

use std::path::Path;

use vestibule::error::errors_document;
use vestibule::events::events_document;
use vestibule::server::{openapi, operator_openapi};
use vestibule::sessions::sessions_document;
use vestibule::tenants::settings::schema::settings_document;

use super::requirements;

/// Holds a committed file to what it is made from; `UPDATE_DOCS=1` writes it anew.
pub fn is_current(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "docs/{name} is not current: UPDATE_DOCS=1 cargo test --test api documents");
}

#[test]
fn docs_openapi_json_is_what_the_handlers_say() {
    is_current("openapi.json", &format!("{}\n", openapi().to_pretty_json().unwrap()));
}

#[test]
fn docs_openapi_operator_json_is_what_the_handlers_say() {
    is_current("openapi-operator.json", &format!("{}\n", operator_openapi().to_pretty_json().unwrap()));
}

/// Numbers and names of papers that only we have say nothing to whoever calls.
#[test]
fn what_a_client_reads_names_no_paper_of_ours() {
    let operators = operator_openapi().to_pretty_json().unwrap();
    for text in [openapi().to_pretty_json().unwrap(), operators, errors_document()] {
        for name in ["contract.md", "design.md", "security.md", "contract-notes", "docs/"] {
            assert!(!text.contains(name), "{name} in a client's text");
        }
        let numbers: Vec<_> = requirements::numbers(&text).collect();
        assert!(numbers.is_empty(), "{numbers:?} in a client's text");
    }
}

#[test]
fn docs_events_md_is_what_the_catalogue_says() {
    is_current("events.md", &events_document());
}

#[test]
fn docs_errors_md_is_what_the_catalogue_says() {
    is_current("errors.md", &errors_document());
}

#[test]
fn docs_settings_md_is_what_the_schema_says() {
    is_current("settings.md", &settings_document());
}

#[test]
fn docs_sessions_md_is_what_the_rules_say() {
    is_current("sessions.md", &sessions_document());
}
