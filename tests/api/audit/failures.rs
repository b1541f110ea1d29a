//! When an event, or a line of the log, cannot be written: nobody gets in unseen, and nobody is kept out by the log.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::process::Stdio;

use vestibule::tenants::Family;

use crate::commands::init::Installation;
use crate::support::app::TestApp;
use crate::support::login::until;
use crate::support::program::{Kill, login};

/// Lets no event be written any more.
pub(super) async fn refuse_events(app: &TestApp) {
    app.script(if app.database.is_sqlite() {
        "create trigger stuck before insert on events begin select raise(abort, 'stuck'); end"
    } else {
        "create function stuck() returns trigger as $$ begin raise 'stuck'; end $$ language plpgsql; \
         create trigger stuck before insert on events for each row execute function stuck()"
    })
    .await;
}

#[tokio::test]
async fn R140_R142_what_cannot_leave_its_event_does_not_happen() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, Family::Admin).await;
    let sessions = app.number_of("sessions").await;
    refuse_events(&app).await;
    let right = app.login(&tenant, Family::Individual).await.expect(500);
    assert!(!right.text.contains("token"), "{}", right.text);
    app.send(tenant.login(Family::Individual).set("password", "wrong").request()).await.expect(500);
    app.end(&tenant, &opened).await.expect(500);
    app.view(&tenant, &opened).await.expect(200);
    assert_eq!(app.number_of("sessions").await, sessions);
    assert_eq!(app.number_of("sessions where ended_at is not null").await, 0);
    app.script(if app.database.is_sqlite() { "drop trigger stuck" } else { "drop trigger stuck on events" })
        .await;
    app.login(&tenant, Family::Organization).await.expect(200);
}

#[tokio::test]
async fn R142_a_server_whose_log_cannot_be_written_serves_and_counts_what_is_lost() {
    let made = Installation::new().await;
    let ports = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let [public, operator] = ports.each_ref().map(|port| port.local_addr().unwrap().to_string());
    drop(ports);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = made.folder.command(&["serve"]);
    command.env("VESTIBULE_LISTEN", &public).env("VESTIBULE_OPERATOR_LISTEN", &operator);
    let child =
        command.env("VESTIBULE_LOG_LEVEL", "debug").stdout(Stdio::null()).stderr(full).spawn().unwrap();
    let mut server = Kill(child);
    until("it listens", async || std::net::TcpStream::connect(&public).is_ok()).await;
    let base = format!("http://{public}");
    let (status, answer) = login(&base, Family::Admin, "acme", &made.login()).await;
    assert_eq!(status, 200, "{answer}");
    let url = format!("http://{operator}/metrics");
    let metrics = reqwest::get(url).await.unwrap().text().await.unwrap();
    let lost = metrics.lines().find_map(|line| line.strip_prefix("vestibule_log_lines_lost_total "));
    assert!(lost.is_some_and(|lost| lost != "0"), "{metrics}");
    server.0.kill().unwrap();
    server.0.wait().unwrap();
}
