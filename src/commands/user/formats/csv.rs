//! Comma-separated values (RFC 4180): the first line names the fields, with dots where one is in another.

use std::collections::HashSet;
use std::io::Read;

use anyhow::{bail, ensure};
use csv::{ByteRecord, ReaderBuilder, Terminator, Trim};
use serde_json::{Map, Value};

use super::super::source::{Source, too_long};
use super::{MARK, Take};
use crate::error::FieldError;
use crate::imports::{Entry, parse_value};

/// The columns that an import knows, beside `metadata.` and a key.
const COLUMNS: [&str; 35] = [
    "id",
    "kind",
    "status",
    "username",
    "email",
    "firstName",
    "lastName",
    "fullName",
    "gender",
    "phones",
    "roles",
    "dateOfBirth",
    "nationality",
    "placeOfBirth",
    "pincode",
    "customerId",
    "customer.id",
    "customer.kind",
    "customer.name",
    "customer.status",
    "customer.statusBefore",
    "customer.category.id",
    "customer.category.name",
    "customer.organization.legalName",
    "customer.organization.tradingName",
    "customer.organization.registrationNumber",
    "customer.organization.taxId",
    "customer.createdAt",
    "customer.updatedAt",
    "passwordHash",
    "password",
    "passwordChangedAt",
    "lastLogin",
    "createdAt",
    "updatedAt",
];
const METADATA: &str = "metadata.";

pub(super) fn read(source: &mut Source, done: u64, take: &mut Take<'_>) -> anyhow::Result<()> {
    let budget = source.budget();
    budget.begin_entry();
    // Every record ends with a line feed, the last one as well: only then can lines be counted.
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .terminator(Terminator::Any(b'\n'))
        .trim(Trim::Headers)
        .from_reader(source.chain(&b"\n"[..]));
    let columns = columns(reader.byte_headers()?)?;
    let mut record = ByteRecord::new();
    loop {
        budget.begin_entry();
        let begins = reader.position().line();
        match reader.read_byte_record(&mut record) {
            Ok(true) => (),
            Ok(false) => return Ok(()),
            Err(_) => bail!("line {begins}: cannot be read, or {}", too_long()),
        }
        let within = record.as_slice().split(|byte| *byte == b'\n').count() - 1;
        // A quote that is never closed ends with the file, and with no line feed of its own.
        let number = reader.position().line().saturating_sub(1 + within as u64).max(begins);
        if number > done
            && !record.as_slice().trim_ascii().is_empty()
            && !take(number, entry(&columns, &record))
        {
            return Ok(());
        }
    }
}

/// The fields that the first line names. What stands there is repeated only where it looks like a name: a file
/// without a header begins with somebody's data.
fn columns(header: &ByteRecord) -> anyhow::Result<Vec<String>> {
    let mut columns = Vec::new();
    for (at, name) in (1..).zip(header) {
        let name = if at == 1 { name.strip_prefix(MARK).unwrap_or(name) } else { name };
        let name = str::from_utf8(name).unwrap_or_default().trim_matches('"');
        columns.push((at, name.to_owned()));
    }
    let is_known = |name: &str| {
        COLUMNS.contains(&name) || name.strip_prefix(METADATA).is_some_and(|key| !key.is_empty())
    };
    ensure!(
        columns.iter().any(|(_, name)| is_known(name)),
        "line 1: must name the columns, separated by commas: email, firstName and so on; see docs/import.md"
    );
    let mut seen = HashSet::new();
    for (at, name) in &columns {
        let shown = if name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphabetic() || b"._- ".contains(&byte))
        {
            format!("column {at} ({name})")
        } else {
            format!("column {at}")
        };
        ensure!(
            is_known(name),
            "line 1: {shown} is not a field of an import; see docs/import.md, or take it out"
        );
        ensure!(seen.insert(name), "line 1: {shown} stands there twice");
    }
    Ok(columns.into_iter().map(|(_, name)| name).collect())
}

fn entry(columns: &[String], record: &ByteRecord) -> Result<Entry, FieldError> {
    if record.len() != columns.len() {
        let problem = format!("has {} columns, and the first line names {}", record.len(), columns.len());
        return Err(FieldError::new("line", problem));
    }
    let mut object = Map::new();
    for (name, cell) in columns.iter().zip(record) {
        let cell = str::from_utf8(cell).map_err(|_| FieldError::new(name, "is not UTF-8"))?;
        // The last one has what is left of CR LF. An empty one says nothing.
        let cell = cell.trim_end_matches('\r');
        if cell.trim().is_empty() {
            continue;
        }
        let value = match name.as_str() {
            "roles" => cell.split_whitespace().map(Value::from).collect(),
            "phones" => cell.split(';').map(phone).collect(),
            _ => Value::from(cell),
        };
        put(&mut object, name, value);
    }
    parse_value(Value::Object(object))
}

/// `+37060000000`, or with what it is before it: `HOME:+37060000000`.
fn phone(text: &str) -> Value {
    match text.split_once(':') {
        Some((kind, number)) => serde_json::json!({ "phoneType": kind.trim(), "number": number }),
        None => serde_json::json!({ "number": text }),
    }
}

/// Puts a value where its name's dots say.
fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        Some((outer, inner)) => {
            let within = object.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(within) = within {
                put(within, inner, value);
            }
        }
        None => {
            object.insert(name.to_owned(), value);
        }
    }
}
