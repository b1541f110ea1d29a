//! Where failures cannot be counted nobody gets in (R029).

use super::{INDIVIDUAL, from, one};

#[tokio::test]
async fn R029_a_login_whose_source_cannot_be_counted_is_refused() {
    let (app, tenant) = one().await;
    let login = || from("203.0.113.9", tenant.login(INDIVIDUAL).request());
    app.send(login()).await.expect(200);
    // It can be read and not written.
    app.script("alter table source_attempts rename column reserved_at to moved_at").await;
    app.script("alter table source_attempts add column reserved_at bigint").await;
    let hashes = app.app.passwords.evaluations();
    let refused = app.send(login()).await;
    assert!(refused.status.is_server_error(), "{}", refused.text);
    assert_eq!(app.app.passwords.evaluations(), hashes, "nothing is hashed that is not counted");
    assert_eq!(app.number_of("sessions").await, 1);
    // Not even that.
    app.script("alter table source_attempts rename column reserved_at to gone_at").await;
    assert!(app.send(login()).await.status.is_server_error());
    assert_eq!(app.number_of("sessions").await, 1);
}
