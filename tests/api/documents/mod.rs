//! The committed documents are the code's; what is served of them, and where.

mod examples;
mod files;
mod openapi;
mod operating;
mod page;
mod requirements;
mod roles;

use serde_json::Value;
use vestibule::server::{openapi, operator_openapi, operator_router};
use vestibule::telemetry::metrics;

use crate::support::app::{TestApp, Wanted};

fn document() -> Value {
    serde_json::to_value(openapi()).unwrap()
}

/// The one for tenants, and the one for operators.
fn documents() -> [Value; 2] {
    [document(), serde_json::to_value(operator_openapi()).unwrap()]
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    all.collect()
}

/// Whether a value fits a schema, as far as our document uses JSON Schema.
#[track_caller]
fn fits(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/components/schemas/").unwrap();
        return fits(document, &document["components"]["schemas"][name], value, place);
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        assert!(schema[word].is_null(), "{place}: {word} is not used here");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().map(|one| one.as_str().unwrap()).collect(),
        other => panic!("{place}: a schema without a type: {other}"),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(types.contains(&kind), "{place}: {kind} where {types:?} is declared");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{place}: {value}");
    }
    match value {
        Value::Array(items) => {
            for item in items {
                fits(document, &schema["items"], item, &format!("{place}[]"));
            }
        }
        Value::Object(fields) => {
            let Some(properties) = schema["properties"].as_object() else { return };
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(required.as_str().unwrap()), "{place} lacks {required}");
            }
            for (name, field) in fields {
                let property =
                    properties.get(name).unwrap_or_else(|| panic!("{place}.{name} is not declared"));
                fits(document, property, field, &format!("{place}.{name}"));
            }
        }
        _ => (),
    }
}

async fn start_with_docs(public_docs: bool) -> TestApp {
    TestApp::start_with(Wanted { public_docs, ..Wanted::default() }).await
}

/// The same app by its operator listener.
fn by_operator(app: TestApp) -> TestApp {
    TestApp { router: operator_router(&app.app, metrics()), ..app }
}
