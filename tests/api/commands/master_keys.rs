//! `vestibule keys rotate-master`: another line of the master key file becomes current beneath running servers.

use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use vestibule::db::{Change, Statement};
use vestibule::refresh_tokens;
use vestibule::secrets::MasterKeys;
use vestibule::tenants::Family;

use super::init::Installation;
use crate::races::{Held, nodes};
use crate::support::dice::Dice;
use crate::support::login::until;
use crate::support::program::{Kill, Server, credentials};

fn key_of(refresh: &str) -> String {
    refresh_tokens::parse(refresh).unwrap().key_id
}

impl Installation {
    fn master(&self) -> MasterKeys {
        MasterKeys::load(&self.folder.path("master.key")).unwrap()
    }

    /// Lets the file look as if it had not been changed lately.
    fn age_the_file(&self) {
        let file = File::options().write(true).open(self.folder.path("master.key")).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_mins(2)).unwrap();
    }

    /// That every sealed value opens under a line of the file: the ids of those that they are sealed under.
    async fn sealed(&self) -> Vec<String> {
        let master = self.master();
        let database = self.database.open_again().await;
        let sql = "select 'signing_keys/' || tenant_id || '/' || kid || '/private_key' as place, \
                   private_key as sealed from signing_keys \
                   union all select 'audit_keys/1/private_key', private_key from audit_keys \
                   union all select 'installation/name_key', value from installation where name = 'name_key'";
        let rows = database.list(Statement::new(sql)).await.unwrap();
        let ids = rows.iter().map(|row| {
            let [place, sealed] = ["place", "sealed"].map(|column| row.text(column).unwrap());
            master.open(&place, &sealed).unwrap();
            MasterKeys::id_in(&sealed).unwrap().to_owned()
        });
        let ids = ids.collect();
        database.close().await;
        ids
    }
}

/// Lets a server make what it makes when it begins, and seal what there is.
async fn until_sealed(made: &Installation) {
    let server = made.folder.serve(&[]);
    until("something is sealed", async || {
        let sealed = Statement::new("select tenant_id from event_heads where sealed > 0");
        !made.database.list(sealed).await.unwrap().is_empty()
    })
    .await;
    server.stop();
}

/// A wrong login of a name that nobody has.
async fn fail(server: &Server, made: &Installation) -> (u16, Value) {
    let login = made.login();
    let [key, secret] = ["tenantKey", "tenantSecret"].map(|name| login[name].as_str().unwrap().to_owned());
    server
        .login(Family::Admin, "acme", &credentials("nobody@acme.test", "a wrong password", &key, &secret))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn R152_a_master_key_is_rotated_under_load_and_nobody_is_refused_or_signed_out() {
    let made = Installation::new().await;
    let mut servers = nodes(&made);
    let old = made.master().current().id().to_owned();
    for _ in 0..4 {
        assert_eq!(fail(&servers[0], &made).await.0, 401);
    }
    let over = Arc::new(AtomicBool::new(false));
    let mut phones = Vec::new();
    for phone in 0..4 {
        let bases: Vec<_> = servers.iter().map(|server| server.public.clone()).collect();
        let mut held = Held::open(&bases[0], &made, &format!("phone-{phone}")).await;
        assert_eq!(key_of(&held.refresh), old);
        let over = Arc::clone(&over);
        phones.push(tokio::spawn(async move {
            let mut refreshed = 0;
            while !over.load(Ordering::SeqCst) {
                let base = &bases[refreshed % bases.len()];
                let (status, body) = held.refresh(base).await.unwrap();
                // What has no room for a moment is asked again.
                assert!([200, 503].contains(&status), "refused: {status} {body}");
                assert_eq!(held.look(base).await, 200);
                refreshed += 1;
            }
            (held, refreshed)
        }));
    }
    let said = made.run(&["keys", "rotate-master"]);
    let new = made.master().current().id().to_owned();
    assert_ne!(new, old);
    assert!(said.contains(&format!("Line {new} of ")) && said.contains("Sealed anew under it: 3"), "{said}");
    // At once, although no server has taken it up: what one makes with it every other reads.
    let opened = Held::open(&servers[0].public, &made, "early").await;
    for server in &mut servers {
        let line = server.wait_for_line("the master key file was read anew");
        assert!(line.contains(&new), "{line}");
    }
    let mut late = Held::open(&servers[0].public, &made, "late").await;
    assert_eq!(key_of(&late.refresh), new);
    let farthest = servers.last().unwrap();
    assert_eq!(late.refresh(&farthest.public).await.unwrap().0, 200);
    over.store(true, Ordering::SeqCst);
    for phone in phones {
        let (held, refreshed) = phone.await.unwrap();
        assert!(refreshed > 2, "{refreshed}");
        assert_eq!(key_of(&held.refresh), old, "a session keeps the line it began with");
    }
    drop(opened);
    // The fifth failure is the fifth: none was forgotten, on any node.
    assert_eq!(fail(farthest, &made).await.0, 401);
    let (_, locked) = fail(&servers[0], &made).await;
    assert_eq!(locked["message"], "Account locked", "{locked}");

    made.refused(&["keys", "retire-master", &old], &["sessions are refreshed under line", "or end them"]);
    made.run(&["tenant", "end-sessions", "acme"]);
    made.refused(&["keys", "retire-master", &old], &["try again in a minute"]);
    made.age_the_file();
    let said = made.run(&["keys", "retire-master", &old]);
    assert!(said.contains(&format!("Line {old} is out of ")), "{said}");
    for server in &mut servers {
        server.wait_for_line("the master key file was read anew");
    }
    assert_eq!(late.look(&servers[0].public).await, 401, "ended with the others");
    let fresh = Held::open(&servers[0].public, &made, "fresh").await;
    for server in servers {
        server.stop();
    }
    let server = made.folder.serve(&[]);
    assert_eq!(fresh.look(&server.public).await, 200);
    assert_eq!(made.master().ids(), [new]);
}

#[tokio::test(flavor = "multi_thread")]
async fn R152_where_each_node_has_a_copy_a_line_can_be_read_everywhere_before_it_is_used() {
    let made = Installation::new().await;
    let old = made.master().current().id().to_owned();
    let copy = || {
        fs::copy(made.folder.path("master.key"), made.folder.path("copy.new")).unwrap();
        fs::rename(made.folder.path("copy.new"), made.folder.path("copy.key")).unwrap();
    };
    copy();
    let copied = made.folder.path("copy.key");
    let mut node = made.folder.serve(&[("VESTIBULE_MASTER_KEY_FILE", copied.to_str().unwrap())]);
    let said = made.run(&["keys", "rotate-master", "--prepare"]);
    let ids = made.master().ids();
    assert_eq!((ids.len(), &ids[0]), (2, &old), "below the current one");
    let new = ids[1].clone();
    assert!(said.contains(&format!("--activate {new}")), "{said}");
    copy();
    node.wait_for_line("the master key file was read anew");
    assert_eq!(key_of(&Held::open(&node.public, &made, "before").await.refresh), old);

    made.run(&["keys", "rotate-master", "--activate", &new]);
    assert_eq!(made.master().ids(), [new.clone(), old.clone()]);
    assert!(made.sealed().await.iter().all(|id| *id == new));
    // The node's copy still has the old line first; what is sealed under the new one it opens.
    let fresh = made.folder.serve(&[("VESTIBULE_MASTER_KEY_FILE", copied.to_str().unwrap())]);
    let held = Held::open(&fresh.public, &made, "after").await;
    assert_eq!((key_of(&held.refresh), held.look(&fresh.public).await), (old, 200));
    copy();
    node.wait_for_line("the master key file was read anew");
    assert_eq!(key_of(&Held::open(&node.public, &made, "last").await.refresh), new);
}

#[tokio::test(flavor = "multi_thread")]
async fn R152_a_rotation_that_is_killed_at_any_moment_leaves_everything_open_and_is_gone_on_with() {
    const KEYS: usize = 800;
    let made = Installation::new().await;
    // With the audit key and the key for names.
    until_sealed(&made).await;
    let tenant = made.json(&["tenant", "show", "acme"])["id"].as_str().unwrap().to_owned();
    let master = made.master();
    let database = made.database.open_again().await;
    for slice in (0..KEYS).collect::<Vec<_>>().chunks(250) {
        let rows = slice.iter().map(|key| {
            let kid = format!("kid-{key:06}");
            let place = format!("signing_keys/{tenant}/{kid}/private_key");
            let sql = "insert into signing_keys (tenant_id, kid, algorithm, private_key, public_jwk, created_at, retired_at) \
                       values ($1, $2, 'ES256', $3, '{}', 1, 1)";
            let sealed = master.seal(&place, kid.as_bytes()).unwrap();
            Statement::new(sql).bind(tenant.as_str()).bind(kid.as_str()).bind(sealed)
        });
        database.apply(Change::new().with_all(rows)).await.unwrap();
    }
    database.close().await;
    let mut dice = Dice::new(152);
    let mut torn = 0;
    for _ in 0..8 {
        let before = made.master().ids();
        let mut running = Kill(made.folder.command(&["keys", "rotate-master"]).spawn().unwrap());
        // From the moment at which the file is another one, it seals anew.
        while made.master().ids() == before && running.0.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(dice.below(300)));
        let _ = running.0.kill();
        running.0.wait().unwrap();
        let (ids, current) = (made.sealed().await, made.master().current().id().to_owned());
        assert_eq!(ids.len(), KEYS + 3);
        let done = ids.iter().filter(|id| **id == current).count();
        torn += usize::from(done > 0 && done < ids.len());
    }
    crate::races::tell(format_args!(
        "8 kills of a rotation of the master key, {torn} of them between two slices"
    ));
    made.run(&["keys", "rotate-master", "--reseal"]);
    let current = made.master().current().id().to_owned();
    assert!(made.sealed().await.iter().all(|id| *id == current));
    let listed = made.json(&["keys", "list-master"]);
    for line in listed.as_array().unwrap() {
        let is_current = line["id"] == json!(current);
        assert_eq!((&line["current"], &line["mayGo"]), (&json!(is_current), &json!(!is_current)), "{listed}");
    }
    made.age_the_file();
    for line in listed.as_array().unwrap().iter().filter(|line| line["current"] == false) {
        made.run(&["keys", "retire-master", line["id"].as_str().unwrap()]);
        made.age_the_file();
    }
    let server = made.folder.serve(&[]);
    assert_eq!(server.login(Family::Admin, "acme", &made.login()).await.0, 200);
}

/// As after a rotation that was killed behind the signing keys, and a file that was then changed by hand.
#[tokio::test(flavor = "multi_thread")]
async fn R152_a_running_server_takes_up_no_file_without_a_line_that_the_audit_key_or_the_names_key_needs() {
    for (table, column, place, condition) in [
        ("audit_keys", "private_key", "audit_keys/1/private_key", "id = 1"),
        ("installation", "value", "installation/name_key", "name = 'name_key'"),
    ] {
        let made = Installation::new().await;
        until_sealed(&made).await;
        let before = made.master();
        let text = fs::read_to_string(made.folder.path("master.key")).unwrap();
        let sealed = |master: &MasterKeys, plain: &[u8]| {
            let sql = format!("update {table} set {column} = $1 where {condition} returning {column}");
            Statement::new(sql.leak()).bind(master.seal(place, plain).unwrap())
        };
        made.run(&["keys", "rotate-master"]);
        let rows = format!("select {column} as sealed from {table} where {condition}");
        let row = made.database.list(Statement::new(rows.leak())).await.unwrap().remove(0);
        let plain = made.master().open(place, &row.text("sealed").unwrap()).unwrap();
        made.database.apply(sealed(&before, &plain)).await.unwrap();

        let mut server = made.folder.serve(&[]);
        let with_both = fs::read_to_string(made.folder.path("master.key")).unwrap();
        let old = text.lines().find(|line| !line.starts_with('#')).unwrap();
        let without: Vec<_> = with_both.lines().filter(|line| *line != old).collect();
        fs::write(made.folder.path("master.key"), without.join("\n")).unwrap();
        let line = server.wait_for_line("the master key file was");
        assert!(line.contains("cannot be used") && line.contains(place), "{line}");
        made.database.apply(sealed(&made.master(), &plain)).await.unwrap();
        let line = server.wait_for_line("the master key file was read anew");
        assert!(!line.contains(before.current().id()), "{line}");
        server.stop();
    }
}

#[tokio::test]
async fn R136_a_master_key_file_whose_change_cannot_be_told_is_not_changed() {
    let made = Installation::new().await;
    let old = made.master().current().id().to_owned();
    made.run(&["keys", "rotate-master"]);
    made.age_the_file();
    let text = || fs::read_to_string(made.folder.path("master.key")).unwrap();
    let (before, names) = (text(), made.folder.names());
    let script = if made.database.is_sqlite() {
        "create trigger stuck before insert on events begin select raise(abort, 'stuck'); end"
    } else {
        "create function stuck() returns trigger as $$ begin raise 'stuck'; end $$ language plpgsql; \
         create trigger stuck before insert on events for each row execute function stuck()"
    };
    made.database.execute_script(script).await.unwrap();
    for arguments in [&["rotate-master"][..], &["rotate-master", "--prepare"], &["retire-master", &old]] {
        let ended = made.folder.run(&[&["keys"], arguments].concat());
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(text(), before, "{arguments:?}");
    }
    assert_eq!(made.folder.names(), names, "no draft is left");
}

#[tokio::test]
async fn R152_a_line_that_is_needed_is_not_taken_out_and_what_is_wrong_is_said() {
    let made = Installation::new().await;
    let text = || fs::read_to_string(made.folder.path("master.key")).unwrap();
    let (before, old) = (text(), made.master().current().id().to_owned());
    made.refused(&["keys", "retire-master", &old], &["is the current one", "rotate-master"]);
    made.refused(&["keys", "retire-master", "nothing"], &["there is no line \"nothing\"", "list-master"]);
    made.refused(&["keys", "rotate-master", "--activate", "nothing"], &["there is no line \"nothing\""]);
    assert_eq!(text(), before);
    made.run(&["keys", "rotate-master", "--prepare", "--json"]);
    let new = made.master().ids()[1].clone();
    // As if somebody had put it first by hand: nothing is sealed under it yet.
    let lines: Vec<_> = text().lines().rev().map(str::to_owned).collect();
    fs::write(made.folder.path("master.key"), lines.join("\n")).unwrap();
    made.refused(&["keys", "retire-master", &old], &["values are sealed under line", "--reseal"]);
    let said = made.run(&["keys", "list-master"]);
    assert!(said.contains("after rotate-master --reseal"), "{said}");
    for line in text().lines().filter(|line| !line.starts_with('#')) {
        assert!(!said.contains(line.split_once(':').unwrap().1), "{said}");
    }
    let listed = made.json(&["keys", "rotate-master", "--reseal"]);
    assert_eq!((&listed[0]["id"], &listed[0]["sealed"]["signing keys"]), (&json!(new), &json!(1)));
    let events = Statement::new(
        "select details from events where name in ('master_key_added', 'master_key_retired') order by id",
    );
    let events = made.database.list(events).await.unwrap();
    assert_eq!(events.len(), 1, "the line that was prepared; by hand leaves none");
    assert!(events[0].text("details").unwrap().contains(&new));
    for wrong in
        [&["--prepare", "--reseal"][..], &["--prepare", "--activate", "a"], &["--activate", "a", "--reseal"]]
    {
        assert_eq!(made.folder.run(&[&["keys", "rotate-master"], wrong].concat()).code, Some(2));
    }
    assert_eq!(made.folder.mode("master.key"), 0o600);
}
