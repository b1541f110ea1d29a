//! What was found: rows of measurements, promises with their bounds, and single facts; as a table, as Markdown and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, Table, presets};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::load::{Seen, as_f64};

/// Median, least and most of repeated measurements.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        Self { median: f64::midpoint(at(last / 2), at(last.div_ceil(2))), min: at(0), max: at(last) }
    }
}

/// Something that was done again and again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub part: String,
    pub engine: String,
    pub what: String,
    /// How it was loaded.
    pub load: String,
    pub per_second: Spread,
    /// The processor time of the server and its database for each, in microseconds; of everything where it is a limit.
    /// Not a number where two servers share the database, whose time is neither's.
    #[serde(deserialize_with = "or_nan")]
    pub cpu_micros: f64,
    /// In milliseconds; nothing for what is measured without callers.
    pub latency: Option<Latency>,
    pub refused: u64,
    pub failed: u64,
}

/// What is not a number is written as null.
fn or_nan<'de, D: serde::Deserializer<'de>>(number: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(number)?.unwrap_or(f64::NAN))
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

impl Latency {
    /// From a histogram of microseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile: f64| as_f64(histogram.value_at_quantile(quantile)) / 1_000.0;
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    }
}

impl Row {
    /// Of what was seen in repeated runs.
    pub fn of(part: &str, engine: &str, what: &str, load: String, runs: &[Seen]) -> Self {
        let mut latency = runs.first().map(|seen| seen.latency.clone());
        for seen in runs.iter().skip(1) {
            // All have the same bounds.
            let _ = latency.as_mut().map(|all| all.add(&seen.latency));
        }
        Self {
            part: part.to_owned(),
            engine: engine.to_owned(),
            what: what.to_owned(),
            load,
            per_second: Spread::of(runs.iter().map(Seen::per_second)),
            cpu_micros: Spread::of(runs.iter().map(Seen::cpu_micros)).median,
            latency: latency.as_ref().map(Latency::of),
            refused: runs.iter().map(|seen| seen.refused).sum(),
            failed: runs.iter().map(|seen| seen.failed).sum(),
        }
    }
}

/// A bound that is to be kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promise {
    pub engine: String,
    pub what: String,
    pub value: f64,
    pub bound: f64,
    /// Whether the bound is the least; else it is the most.
    pub at_least: bool,
    pub unit: String,
}

impl Promise {
    pub fn is_kept(&self) -> bool {
        if self.at_least { self.value >= self.bound } else { self.value <= self.bound }
    }
}

/// All of a run.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What it ran on.
    pub machine: BTreeMap<String, String>,
    pub rows: Vec<Row>,
    pub promises: Vec<Promise>,
    pub facts: Vec<Fact>,
}

/// A number that nothing is promised of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fact {
    pub engine: String,
    pub what: String,
    pub value: f64,
}

impl Report {
    /// Drops what an earlier run measured of a part, on these databases.
    pub fn forget(&mut self, part: &str, engines: &[&str]) {
        let is_of =
            |name: &str| name.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
        self.rows.retain(|row| !(is_of(&row.part) && engines.contains(&&*row.engine)));
    }

    pub fn fact(&mut self, engine: &str, what: &str, value: f64) {
        self.facts.retain(|fact| fact.engine != engine || fact.what != what);
        self.facts.push(Fact { engine: engine.to_owned(), what: what.to_owned(), value });
    }

    /// A limit that is there already is measured anew.
    pub fn row(&mut self, row: Row) {
        let is_same = |old: &Row| {
            (&old.part, &old.engine, &old.what, &old.load) == (&row.part, &row.engine, &row.what, &row.load)
        };
        self.rows.retain(|old| !is_same(old));
        self.rows.push(row);
    }

    /// A ratio that is to be so much at least.
    pub fn at_least(&mut self, engine: &str, what: &str, value: f64, bound: f64, unit: &str) {
        self.promise(engine, what, value, bound, true, unit);
    }

    /// A ratio that is to be so much at most.
    pub fn at_most(&mut self, engine: &str, what: &str, value: f64, bound: f64, unit: &str) {
        self.promise(engine, what, value, bound, false, unit);
    }

    fn promise(&mut self, engine: &str, what: &str, value: f64, bound: f64, at_least: bool, unit: &str) {
        let (engine, what, unit) = (engine.to_owned(), what.to_owned(), unit.to_owned());
        self.promises.retain(|promise| promise.engine != engine || promise.what != what);
        self.promises.push(Promise { engine, what, value, bound, at_least, unit });
    }

    /// The promises as a table for the terminal.
    pub fn promise_table(&self, before: Option<&Self>) -> Table {
        table(&promise_header(before), self.promise_cells(before))
    }

    /// The measurements as a table for the terminal.
    pub fn row_table(&self) -> Table {
        table(&ROW_HEADER, self.rows.iter().map(row_cells))
    }

    /// The facts as a table for the terminal.
    pub fn fact_table(&self) -> Table {
        table(&FACT_HEADER, self.facts.iter().map(fact_cells))
    }

    fn promise_cells<'a>(&'a self, before: Option<&'a Self>) -> impl Iterator<Item = Vec<String>> + 'a {
        self.promises.iter().map(move |promise| {
            let same = |other: &&Promise| other.what == promise.what && other.engine == promise.engine;
            let earlier = before.map(|before| before.promises.iter().find(same));
            let sign = if promise.at_least { "≥" } else { "≤" };
            let mut cells = vec![promise.what.clone(), promise.engine.clone()];
            if let Some(earlier) = earlier {
                cells.push(earlier.map_or_else(|| "–".to_owned(), |earlier| number(earlier.value)));
            }
            cells.push(format!("{} {}", number(promise.value), promise.unit).trim_end().to_owned());
            cells.push(format!("{sign} {} {}", number(promise.bound), promise.unit).trim_end().to_owned());
            cells.push(if promise.is_kept() { "kept" } else { "MISSED" }.to_owned());
            cells
        })
    }

    /// The generated part of `docs/benchmarks.md`.
    pub fn markdown(&self, before: Option<&Self>) -> String {
        let mut text = String::from("## The machine\n\n");
        for (name, value) in &self.machine {
            let _ = writeln!(text, "- {name}: {value}");
        }
        text.push_str("\n## What is promised\n\n");
        markdown_table(&mut text, &promise_header(before), self.promise_cells(before));
        text.push_str("\n## What is told without a promise\n\n");
        markdown_table(&mut text, &FACT_HEADER, self.facts.iter().map(fact_cells));
        text.push_str("\n## What was measured\n");
        let mut parts: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !parts.contains(&row.part.as_str()) {
                parts.push(&row.part);
            }
        }
        for part in parts {
            let _ = write!(text, "\n### {part}\n\n");
            let rows = self.rows.iter().filter(|row| row.part == part);
            markdown_table(&mut text, &ROW_HEADER, rows.map(row_cells));
        }
        text
    }
}

const ROW_HEADER: [&str; 9] = [
    "what",
    "database",
    "load",
    "per second",
    "min–max",
    "CPU µs each",
    "p50 ms",
    "p99 / p99.9 ms",
    "refused / failed",
];

const FACT_HEADER: [&str; 3] = ["what", "database", ""];

fn fact_cells(fact: &Fact) -> Vec<String> {
    vec![fact.what.clone(), fact.engine.clone(), number(fact.value)]
}

fn promise_header(before: Option<&Report>) -> Vec<&'static str> {
    match before {
        Some(_) => vec!["what", "database", "before", "now", "bound", ""],
        None => vec!["what", "database", "now", "bound", ""],
    }
}

fn row_cells(row: &Row) -> Vec<String> {
    let latency = |value: fn(Latency) -> String| row.latency.map_or_else(|| "–".to_owned(), value);
    vec![
        row.what.clone(),
        row.engine.clone(),
        row.load.clone(),
        number(row.per_second.median),
        format!("{}–{}", number(row.per_second.min), number(row.per_second.max)),
        number(row.cpu_micros),
        latency(|latency| number(latency.p50)),
        latency(|latency| format!("{} / {}", number(latency.p99), number(latency.p999))),
        if row.latency.is_some() { format!("{} / {}", row.refused, row.failed) } else { "–".to_owned() },
    ]
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row.into_iter().enumerate().map(|(column, text)| {
            Cell::new(text).set_alignment(if column < 2 { CellAlignment::Left } else { CellAlignment::Right })
        }));
    }
    table
}

fn markdown_table(text: &mut String, header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(text, "| {} |", header.join(" | "));
    let rule: Vec<_> = (0..header.len()).map(|column| if column < 2 { "---" } else { "---:" }).collect();
    let _ = writeln!(text, "| {} |", rule.join(" | "));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
}

/// To three digits or so, with thousands apart.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value >= 1_000.0 {
        let whole = format!("{value:.0}");
        let mut text = String::new();
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        return text;
    }
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
