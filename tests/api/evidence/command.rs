//! `vestibule audit verify-evidence`: without server, database and configuration.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use vestibule::tenants::Family;

use super::call;
use crate::support::app::TestApp;
use crate::support::program::Folder;

#[tokio::test]
async fn R139_evidence_is_checked_offline_and_what_is_wrong_is_named() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("acme").await, app.tenant("globex").await);
    let opened = app.open(&tenant, Family::Individual).await;
    app.end(&tenant, &opened).await.expect(200);
    app.seal_events().await;
    let data = app.call(call(&tenant, &opened)).await.expect(200).data().clone();
    let answer = json!({ "code": 200, "data": data, "message": "Success" });
    let (key, others) = (app.log_key(&tenant).await.to_string(), app.log_key(&other).await.to_string());
    let folder = Folder::new();
    // As the server answers it, and what it answers by itself.
    for text in [answer.to_string(), data.to_string()] {
        folder.write("evidence.json", &text);
        let said = folder.run(&["audit", "verify-evidence", "evidence.json", "--key", &key]).well();
        assert!(said.contains(" session_expired success\n"), "{said}");
        assert!(said.contains("3 events hold: they are in the log id.example.test/t/acme of "), "{said}");
        assert!(!said.contains("may have made the key"), "{said}");
    }
    let said = folder.run(&["audit", "verify-evidence", "evidence.json"]).well();
    assert!(said.contains("may have made the key") && said.contains(&key), "{said}");

    let with_key = |key: &str| folder.run(&["audit", "verify-evidence", "evidence.json", "--key", key]);
    with_key(&others).badly(&["evidence.json does not hold", "its key is another"]);
    with_key("nonsense").badly(&["--key", "name+id+key"]);
    folder.run(&["audit", "verify-evidence", "absent"]).badly(&["absent: cannot be read"]);

    let altered = |change: &dyn Fn(&mut Value)| {
        let mut data = data.clone();
        change(&mut data);
        folder.write("altered.json", &data.to_string());
        folder.run(&["audit", "verify-evidence", "altered.json", "--key", &key])
    };
    let position = data["events"][2]["event"]["position"].as_u64().unwrap();
    let id = data["events"][2]["event"]["id"].as_str().unwrap();
    let named = format!("event {id}, position {position}: is not what was sealed at its position");
    altered(&|data| data["events"][2]["event"]["reason"] = json!("password_changed")).badly(&[&named]);
    altered(&|data| data["events"][2]["inclusionProof"][0] = json!(data["verifierKey"])).badly(&["32 bytes"]);
    altered(&|data| data["checkpoint"] = json!("x")).badly(&["its checkpoint does not hold"]);
    altered(&|data| data["events"][0]["personal"] = json!("{}")).badly(&["its personal part is not"]);
    // A part of the text that went over to the salt leaves the digest as it is.
    altered(&|data| {
        let event = &mut data["events"][0];
        let [salt, personal] = ["salt", "personal"].map(|name| event[name].as_str().unwrap().to_owned());
        let (moved, rest) = personal.split_at(5);
        let salt = [&STANDARD.decode(salt).unwrap(), moved.as_bytes()].concat();
        (event["salt"], event["personal"]) = (json!(STANDARD.encode(salt)), json!(rest));
    })
    .badly(&["its personal part is not"]);
    altered(&|data| data["events"] = json!([])).badly(&["it has no events"]);
    altered(&|data| data["more"] = json!(1)).badly(&["it is no evidence", "more"]);
}
