//! `vestibule tenant set` and `vestibule tenant settings`, beside a running server and without one.

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::tenants::Family;
use vestibule::tenants::settings::schema::{SETTINGS, json_schema};

use super::init::Installation;
use crate::support::program::Folder;

#[tokio::test]
async fn settings_are_set_beside_a_running_server_and_null_takes_them_back() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    let lives = async || {
        let (status, answer) = server.login(Family::Admin, "acme", &made.login()).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"]["expiresIn"].as_i64().unwrap()
    };
    assert_eq!(lives().await, 300);
    let said =
        made.run(&["tenant", "set", "acme", "profile=payment", "accessSeconds=60", "name=Acme & Sons"]);
    assert_eq!(lives().await, 60, "on the next request");
    for line in
        ["  accessSeconds        60", "  name                 Acme & Sons", "  profile              payment"]
    {
        assert!(said.contains(line), "{said}");
    }
    let shown = made.run(&["tenant", "show", "acme"]);
    for (name, rest) in [
        ("profile", "payment     set; default standard"),
        ("accessSeconds", "60          set; default null"),
        ("keyOptional", "(none)      default"),
        ("maxSessions", "10          default"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap();
        assert_eq!(line.strip_prefix(name).unwrap().trim_start(), rest);
    }
    assert!(shown.contains("access token 60 s, session idle 300 s, at most 43200 s"), "{shown}");
    for setting in &SETTINGS {
        assert!(
            shown.lines().any(|line| line.starts_with(&format!("{} ", setting.name))),
            "{}",
            setting.name
        );
    }
    made.run(&["tenant", "set", "acme", "accessSeconds=null", "profile=null"]);
    assert_eq!(lives().await, 300);
    let all = [
        "idleSeconds=1200",
        "absoluteSeconds=7200",
        "refreshGraceSeconds=0",
        "maxSessions=3",
        "sessionLimitAction=refuse",
        "replaceDeviceSession=true",
        "keyOptional=admin",
        "algorithm=EdDSA",
        "tokenType=at+jwt",
        "audience=https://api.acme.example",
        "metadataClaims=plan,tier_2",
        "hideLock=true",
        "trustBackendAddress=true",
        "passwordMinLength=8",
    ];
    let set = made.json(&[&["tenant", "set", "acme"], &all[..]].concat());
    assert_eq!(set, made.data(&server, "/tenants/acme").await);
    assert_eq!(set["settings"]["metadataClaims"], json!(["plan", "tier_2"]));
    let defaults = made.json(&["tenant", "show", "acme"])["settings"].as_object().unwrap().len();
    assert_eq!(defaults, SETTINGS.len() + 1);
    let emptied = made.json(&["tenant", "set", "acme", "metadataClaims=", "keyOptional="]);
    assert_eq!(emptied["settings"]["metadataClaims"], json!([]));
    assert_eq!(emptied["settings"]["keyOptional"], json!([]));
}

/// What the API complains of, as the command line says it.
fn complaints(answer: &Value) -> Vec<String> {
    let errors = answer["data"]["errors"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let line = |error: &Value| {
        format!("{} {}", error["field"].as_str().unwrap(), error["message"].as_str().unwrap())
    };
    errors.iter().map(line).collect()
}

#[tokio::test]
async fn R126_what_a_setting_may_not_be_is_refused_in_the_words_of_the_API_and_nothing_changes() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    let before = made.data(&server, "/tenants/acme").await;
    for (assignments, settings) in [
        (&["profil=payment"][..], json!({ "profil": "payment" })),
        (&["profile=fast"], json!({ "profile": "fast" })),
        (&["profile="], json!({ "profile": "" })),
        (&["accessSeconds=59"], json!({ "accessSeconds": 59 })),
        (&["accessSeconds=many"], json!({ "accessSeconds": "many" })),
        (&["accessSeconds=60.5"], json!({ "accessSeconds": "60.5" })),
        (&["accessSeconds=1200"], json!({ "accessSeconds": 1_200 })),
        (&["hideLock=yes"], json!({ "hideLock": "yes" })),
        (&["hideLock=true", "showAttempts=true"], json!({ "hideLock": true, "showAttempts": true })),
        (&["keyOptional=admin,admin"], json!({ "keyOptional": ["admin", "admin"] })),
        (&["keyOptional=staff"], json!({ "keyOptional": ["staff"] })),
        (&["version=4"], json!({ "version": 4 })),
        (&["maxSessions=5", "algorithm=HS256", "audience="], json!({ "algorithm": "HS256", "audience": "" })),
    ] {
        let body = Some(json!({ "settings": settings }));
        let (status, answer) = made.ask(&server, Method::PATCH, "/tenants/acme", body).await;
        assert_eq!(status, 400, "{settings}");
        let complaints = complaints(&answer);
        let complaints: Vec<_> = complaints.iter().map(String::as_str).collect();
        made.refused(&[&["tenant", "set", "acme"], assignments].concat(), &complaints);
        // And a new tenant is not made so either.
        made.refused(&[&["tenant", "create", "beta"], assignments].concat(), &complaints);
    }
    for (assignments, reason) in [
        (&["name="][..], "name must have 1 to 200 bytes"),
        (&["name=null"], "name has no default"),
        (&["origins=https://a.example/path"], "origins[0]"),
        (&["origins+=nowhere"], "origins[0]"),
        (&["profile=payment", "profile=standard"], "profile is set twice"),
    ] {
        made.refused(&[&["tenant", "set", "acme"], assignments].concat(), &[reason]);
    }
    for arguments in [&["profile"][..], &["keyOptional+=admin"], &[]] {
        let ended = made.folder.run(&[&["tenant", "set", "acme"], arguments].concat());
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
    made.refused(&["tenant", "set", "nobody", "profile=payment"], &["there is no tenant \"nobody\""]);
    assert_eq!(made.data(&server, "/tenants/acme").await, before);
    assert_eq!(made.json(&["tenant", "list"]).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_origins_that_are_added_and_taken_away_at_the_same_moment_all_hold() {
    let made = Installation::new().await;
    made.run(&["tenant", "set", "acme", "origins=https://gone.example,https://kept.example"]);
    std::thread::scope(|scope| {
        for at in 0..6 {
            let made = &made;
            scope.spawn(move || {
                let added = format!("origins+=https://a{at}.example");
                made.run(&["tenant", "set", "acme", &added, "origins-=https://gone.example"]);
            });
        }
    });
    let origins = made.json(&["tenant", "show", "acme"])["origins"].clone();
    let mut wanted: Vec<_> = (0..6).map(|at| format!("https://a{at}.example")).collect();
    wanted.push("https://kept.example".to_owned());
    assert_eq!(origins, json!(wanted));
    let many: Vec<_> = (0..44).map(|at| format!("https://b{at}.example")).collect();
    made.refused(&["tenant", "set", "acme", &format!("origins+={}", many.join(","))], &["origins may be 50"]);
    made.run(&["tenant", "set", "acme", &format!("origins+={}", many[..43].join(","))]);
    assert_eq!(made.json(&["tenant", "set", "acme", "origins=null"])["origins"], json!([]));
}

#[tokio::test]
async fn what_the_settings_may_be_is_told_without_a_database() {
    let folder = Folder::new();
    let schema: Value = serde_json::from_str(&folder.run(&["tenant", "settings", "--json"]).well()).unwrap();
    assert_eq!(schema, json_schema());
    let said = folder.run(&["tenant", "settings"]).well();
    assert!(said.lines().all(|line| line.chars().count() <= 110), "{said}");
    let flowing = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for setting in &SETTINGS {
        let wanted = format!("{} Default ", setting.name);
        assert!(flowing.contains(&wanted), "{wanted}");
        for text in [setting.meaning, setting.reason] {
            assert!(flowing.contains(&text.replace('`', "")), "{text}: {flowing}");
        }
    }
}

#[tokio::test]
async fn settings_and_logins_at_the_same_moment_all_succeed() {
    let made = std::sync::Arc::new(Installation::new().await);
    let server = made.folder.serve(&[]);
    let logins = std::sync::Arc::new(AtomicU32::new(0));
    let (setting, seen) = (std::sync::Arc::clone(&made), std::sync::Arc::clone(&logins));
    let mut setting = tokio::task::spawn_blocking(move || {
        // Again and again, until some logins have gone on beside it, also where a login takes long.
        let mut rounds = 0;
        while rounds < 1 || (seen.load(Ordering::Relaxed) < 3 && rounds < 100) {
            for seconds in [60, 90, 120, 150] {
                setting.run(&["tenant", "set", "acme", &format!("accessSeconds={seconds}")]);
            }
            rounds += 1;
        }
    });
    while !setting.is_finished() {
        assert_eq!(server.login(Family::Admin, "acme", &made.login()).await.0, 200);
        logins.fetch_add(1, Ordering::Relaxed);
    }
    (&mut setting).await.unwrap();
    assert!(logins.load(Ordering::Relaxed) >= 3, "they were under way together");
    assert_eq!(made.json(&["tenant", "show", "acme"])["settings"]["accessSeconds"], 150);
}
