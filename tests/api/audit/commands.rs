//! `vestibule audit`: at the command line, beside a running server.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};
use vestibule::db::{Database, Statement};
use vestibule::tenants::Family;
use vestibule_audit::{Checkpoint, Digest, EventRecord, VerifierKey, event_leaf, personal_digest};

use crate::commands::init::Installation;
use crate::support::login::until;

/// All events of all tenants are sealed.
async fn all_sealed(db: &Database) -> bool {
    let sql = "select count(*) as number, sum(case when h.sealed >= e.position then 1 else 0 end) as sealed \
               from events e left join event_heads h on h.tenant_id = e.tenant_id";
    let row = db.list(Statement::new(sql)).await.unwrap().remove(0);
    row.int("number").unwrap() == row.int("sealed").unwrap_or(-1)
}

/// An installation with so many events of a tenant more than it has, sealed by its server.
async fn sealed(more: usize) -> Installation {
    let made = Installation::new().await;
    if more > 0 {
        made.database
            .execute_script(&format!(
                "insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, details, salt) \
                 with recursive n(i) as (select 1 union all select i + 1 from n where i < {more}) \
                 select t.id, 'x' || (1000000 + i), 'user_updated', 'success', 1, 'system', '{{}}', \
                 (select salt from events limit 1) from n, tenants t where t.slug = 'acme'"
            ))
            .await
            .unwrap();
    }
    let server = made.folder.serve(&[]);
    let logged_in = server.login(Family::Admin, "acme", &made.login()).await;
    assert_eq!(logged_in.0, 200, "{}", logged_in.1);
    until("all are sealed", async || all_sealed(&made.database).await).await;
    server.stop();
    made
}

async fn checkpoints(made: &Installation) -> Vec<String> {
    let sql = "select checkpoint from event_heads order by tenant_id";
    let rows = made.database.list(Statement::new(sql)).await.unwrap();
    rows.iter().map(|row| row.text("checkpoint").unwrap()).collect()
}

#[tokio::test]
async fn R139_audit_verify_says_what_holds_and_names_the_first_bad_row() {
    let made = sealed(0).await;
    let said = made.run(&["audit", "verify"]);
    assert!(said.contains("acme: ") && said.contains(" events hold\n"), "{said}");
    assert!(said.contains("Without --checkpoint"), "{said}");
    let notes = checkpoints(&made).await;
    // As notes, and as they stand in the program's log.
    let lines: Vec<_> = notes.iter().map(|note| json!({ "checkpoint": note }).to_string()).collect();
    made.folder.write("notes", &notes.concat());
    made.folder.write("lines", &lines.join("\n"));
    for file in ["notes", "lines"] {
        let said = made.run(&["audit", "verify", "--checkpoint", file]);
        assert!(said.contains("of them by the checkpoint given\n") && !said.contains("Without"), "{said}");
    }
    let note = notes.iter().find(|note| note.contains("/t/acme")).unwrap();
    let key: VerifierKey = made.run(&["audit", "key", "--tenant", "acme"]).trim().parse().unwrap();
    let checkpoint = Checkpoint::verify(note, &key).unwrap();
    assert_eq!(made.run(&["audit", "key"]).lines().count(), notes.len().max(2));

    made.folder.write("forged", &note.replace(&format!("\n{}\n", checkpoint.size), "\n1\n"));
    made.refused(
        &["audit", "verify", "--checkpoint", "forged"],
        &["its checkpoint 1", "is not signed by this"],
    );
    made.refused(&["audit", "verify", "--checkpoint", "absent"], &["--checkpoint absent: cannot be read"]);
    made.folder.write("empty", "nothing\n");
    made.refused(&["audit", "verify", "--checkpoint", "empty"], &["--checkpoint empty"]);
    made.refused(&["audit", "verify", "--tenant", "nobody"], &["there is no tenant \"nobody\""]);

    let edit = "update events set outcome = 'failure' where position = 2 and tenant_id in \
                (select id from tenants where slug = 'acme') returning id";
    let applied = made.database.apply(Statement::new(edit)).await.unwrap();
    let id = applied.rows(0)[0].text("id").unwrap();
    let ended = made.folder.run(&["audit", "verify", "--checkpoint", "notes"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let named = format!("acme: WRONG: position 2, event {id}: is not what was sealed at its position\n");
    assert!(ended.out.contains(&named), "{ended:?}");
    assert!(ended.errors.contains("logs do not hold"), "{ended:?}");
    // Of a tenant whose log is gone altogether the checkpoint still tells.
    let hidden = Statement::new("update tenants set slug = 'hidden' where slug = 'acme' returning id");
    made.database.apply(hidden).await.unwrap();
    let ended = made.folder.run(&["audit", "verify", "--checkpoint", "notes"]);
    assert!(ended.out.contains("acme: WRONG: there is no such log"), "{ended:?}");
}

/// Each tenant's exported positions, of which none is there twice or left out, and every hash and digest of them.
fn exported(text: &str) -> BTreeMap<String, Vec<u64>> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in text.lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let fields = line.as_object_mut().unwrap();
        let (personal, salt) = (fields.remove("personal").unwrap(), fields.remove("salt").unwrap());
        let event: EventRecord = serde_json::from_value(line).unwrap();
        if let Some(personal) = personal.as_str() {
            use base64::Engine;
            let salt = base64::engine::general_purpose::STANDARD.decode(salt.as_str().unwrap()).unwrap();
            assert_eq!(Digest(personal_digest(&salt, personal)), event.personal_digest);
        }
        found.entry(event.tenant_id).or_default().push(event.position);
    }
    for positions in found.values() {
        let all = 1..=u64::try_from(positions.len()).unwrap();
        assert!(positions.iter().copied().eq(all), "{positions:?}");
    }
    found
}

#[tokio::test]
async fn R139_an_export_goes_on_where_it_was_killed_without_gap_or_double() {
    let made = sealed(3_000).await;
    let whole = made.run(&["audit", "export"]);
    let positions = exported(&whole);
    assert!(positions.values().any(|positions| positions.len() > 3_000));
    // Its lines have what it takes to compute the checkpoint's root.
    let acme = positions.iter().find(|(_, positions)| positions.len() > 3_000).unwrap().0.clone();
    let leaves: Vec<_> = whole
        .lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            line.as_object_mut().unwrap().retain(|name, _| name != "personal" && name != "salt");
            serde_json::from_value::<EventRecord>(line).unwrap()
        })
        .filter(|event| event.tenant_id == acme)
        .map(|event| event_leaf(&event))
        .collect();
    let notes = checkpoints(&made).await;
    let note = notes.iter().find(|note| note.contains("/t/acme")).unwrap();
    assert_eq!(Checkpoint::read_unverified(note).unwrap().root, super::by_the_book(&leaves));

    // Cut anywhere: in the middle of a line, of a page, of a tenant; and killed while it writes.
    for cut in [0, 1, 500, whole.len() / 2, whole.len() - 1, whole.len()] {
        made.folder.write("events.jsonl", &whole[..cut]);
        made.run(&["audit", "export", "--out", "events.jsonl"]);
        assert_eq!(
            exported(&fs::read_to_string(made.folder.path("events.jsonl")).unwrap()),
            positions,
            "{cut}"
        );
    }
    fs::remove_file(made.folder.path("events.jsonl")).unwrap();
    for _ in 0..3 {
        let mut command = made.folder.command(&["audit", "export", "--out", "events.jsonl"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("it writes", async || {
            made.folder.path("events.jsonl").exists() || child.try_wait().unwrap().is_some()
        })
        .await;
        let _ = child.kill();
        child.wait().unwrap();
    }
    let said = made.run(&["audit", "export", "--out", "events.jsonl"]);
    assert!(said.contains("acme: ") && said.contains("up to position 300"), "{said}");
    assert_eq!(exported(&fs::read_to_string(made.folder.path("events.jsonl")).unwrap()), positions);
    assert_eq!(made.folder.mode("events.jsonl"), 0o600);
    assert!(made.run(&["audit", "export", "--out", "events.jsonl"]).contains("acme: 0 events written"));

    // Of two at once one writes.
    let other = fs::File::open(made.folder.path("events.jsonl")).unwrap();
    other.lock().unwrap();
    made.refused(&["audit", "export", "--out", "events.jsonl"], &["--out events.jsonl: another export"]);
    drop(other);
    made.run(&["audit", "export", "--out", "events.jsonl"]);

    // By position; and into no file that is something else.
    let rest = made.run(&["audit", "export", "--tenant", "acme", "--after", "3000"]);
    assert!(rest.lines().count() < 20 && rest.contains("\"position\":3001,"), "{rest}");
    made.folder.write("other", "{}\n");
    made.refused(&["audit", "export", "--out", "other"], &["--out other: line 1 is none of an export"]);
    assert_eq!(fs::read_to_string(made.folder.path("other")).unwrap(), "{}\n");
}
