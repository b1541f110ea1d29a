//! A file of checkpoints from outside: signed notes one after the other, or lines of the program's log that hold them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use serde_json::Value;
use vestibule_audit::Checkpoint;

use crate::events::sealing::AuditKey;

/// What a line of a note's signatures begins with (C2SP signed-note).
const SIGNATURE: &str = "\u{2014} ";

/// The checkpoints of a file by the slug of their log. Each is signed by us, or the file is refused.
pub(super) fn read(path: &Path, key: &AuditKey) -> anyhow::Result<BTreeMap<String, Vec<Checkpoint>>> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("--checkpoint {shown}: cannot be read"))?;
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (number, note) in (1..).zip(notes(&text)) {
        let (slug, checkpoint) =
            own(&note, key).with_context(|| format!("--checkpoint {shown}: its checkpoint {number}"))?;
        found.entry(slug).or_default().push(checkpoint);
    }
    ensure!(
        !found.is_empty(),
        "--checkpoint {shown}: has no checkpoint; give signed notes, or lines of the log"
    );
    Ok(found)
}

fn own(note: &str, key: &AuditKey) -> anyhow::Result<(String, Checkpoint)> {
    let origin = Checkpoint::read_unverified(note)?.origin;
    let (_, slug) =
        origin.rsplit_once("/t/").ok_or_else(|| anyhow!("is of {origin}, which is no log of ours"))?;
    let checkpoint = key.read(note, &origin);
    let checkpoint = checkpoint.ok_or_else(|| anyhow!("is not signed by this installation's audit key"))?;
    Ok((slug.to_owned(), checkpoint))
}

/// The signed notes in a text.
fn notes(text: &str) -> Vec<String> {
    let (mut notes, mut note, mut signed) = (Vec::new(), String::new(), false);
    for line in text.lines() {
        if line.starts_with('{') {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            notes.extend(line["checkpoint"].as_str().map(str::to_owned));
            continue;
        }
        let signature = line.starts_with(SIGNATURE);
        if signed && !signature {
            notes.push(std::mem::take(&mut note));
            signed = false;
        }
        if !(note.is_empty() && line.is_empty()) {
            note.push_str(line);
            note.push('\n');
            signed |= signature;
        }
    }
    if !note.is_empty() {
        notes.push(note);
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_found_one_after_the_other_and_in_lines_of_the_log() {
        let (one, two) =
            ("a/t/b\n1\nAA==\n\n\u{2014} a/t/b x\n", "a/t/c\n2\nAA==\n\n\u{2014} x y\n\u{2014} z y\n");
        let line = serde_json::json!({ "message": "the audit log's checkpoint", "checkpoint": two });
        assert_eq!(notes(&format!("\n{one}{two}\n{one}")), [one, two, one]);
        assert_eq!(notes(&format!("{line}\n{{\"message\":\"other\"}}\n{{broken\n{line}\n")), [two, two]);
        assert!(notes("").is_empty());
    }
}
