//! What was counted is counted after a kill.

use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use vestibule::tenants::Family;

use crate::commands::init::Installation;
use crate::support::app::{NIL, prefix};

#[tokio::test(flavor = "multi_thread")]
async fn R027_a_source_that_is_used_up_stays_so_through_a_kill() {
    let made = Installation::new().await;
    let mut server = made.folder.serve(&[("VESTIBULE_SOURCE_LIMITS", "true")]);
    let http = reqwest::Client::new();
    let login = async |base: &str, body: Value| {
        let url = format!("{base}{}/users/{NIL}/sessions", prefix(Family::Admin, NIL));
        http.post(url).header("x-tenant-id", "acme").json(&body).send().await.unwrap()
    };
    for number in 0..10 {
        let mut body = made.login();
        body["username"] = json!(format!("nobody-{number}@x.test"));
        assert_eq!(login(&server.public, body).await.status(), 401);
    }
    assert_eq!(login(&server.public, made.login()).await.status(), 429);
    server.kill();
    let server = made.folder.serve(&[("VESTIBULE_SOURCE_LIMITS", "true")]);
    let answer = login(&server.public, made.login()).await;
    assert_eq!(answer.status(), 429);
    let seconds: u64 = answer.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
}
