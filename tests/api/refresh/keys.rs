//! The server's own key behind refresh tokens: rotated without a sign-out, and missed when it is gone.

use axum::Router;
use vestibule::secrets::random_text;
use vestibule::server::public_router;

use super::{INDIVIDUAL, refresh_call, refused};
use crate::support::app::{TestApp, Wanted};
use crate::support::login::beside;

fn line(id: &str) -> String {
    format!("{id}:{}\n", random_text())
}

/// Another instance on the database of `app`, with this master key file.
async fn with_keys(app: &TestApp, keys: &str) -> Router {
    public_router(&beside(app, keys, app.database.open_again().await))
}

#[tokio::test]
async fn R152_a_new_master_key_signs_nobody_out_and_sessions_keep_the_one_they_began_with() {
    let (old, new) = (line("old"), line("new"));
    let app = TestApp::start_with(Wanted { master_key: Some(old.clone()), ..Wanted::default() }).await;
    let tenant = app.tenant("acme").await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    let rotated = with_keys(&app, &format!("{new}{old}")).await;
    let answer = app.send_to(&rotated, refresh_call(&tenant, &first).request()).await.expect(200);
    let second = first.next(&answer);
    let key_of = |refresh: &str| vestibule::refresh_tokens::parse(refresh).unwrap().key_id;
    assert_eq!(key_of(&second.refresh), "old");
    // A node that has not been restarted yet goes on with it, and both compute the same.
    let third = app.refreshed(&tenant, &second).await;
    let again = app.send_to(&rotated, refresh_call(&tenant, &second).request()).await.expect(200);
    assert_eq!(again.field("refreshToken"), third.refresh);
    // New sessions take the new one.
    let login = app.send_to(&rotated, tenant.login(INDIVIDUAL).request()).await.expect(200);
    assert_eq!(key_of(login.field("refreshToken")), "new");
}

#[tokio::test]
async fn a_session_whose_master_key_is_gone_is_refused_like_any_token_that_does_not_hold() {
    let (old, new) = (line("old"), line("new"));
    let app = TestApp::start_with(Wanted { master_key: Some(old), ..Wanted::default() }).await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    for keys in [new, line("old")] {
        let without = with_keys(&app, &keys).await;
        refused(app.send_to(&without, refresh_call(&tenant, &opened).request()).await);
    }
    app.refreshed(&tenant, &opened).await;
}
