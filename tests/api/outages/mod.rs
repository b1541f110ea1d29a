//! A database that is gone, frozen, cut off or locked, as callers of the service see it.

mod postgres;
mod sqlite;

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;
use serde_json::json;
use vestibule::server::public_router;
use vestibule::tenants::Family;

use crate::support::app::{Answer, NIL, TestApp, TestTenant, Wanted};
use crate::support::calls::{Call, Opened, session_call, session_path};
use crate::support::login::{answer, beside, until};
use crate::support::{TestDatabase, cluster, proxy};

/// How soon a caller must know, with some air for a machine that has much else to do.
const AT_ONCE: Duration = Duration::from_millis(1_500);

/// A service whose way to its database can be cut off, with two sessions: one alive, one ended.
struct Cut {
    app: TestApp,
    tenant: TestTenant,
    /// The service with the limits that it has in earnest.
    router: Router,
    live: Opened,
    over: Opened,
}

impl Cut {
    /// On a database, which the service reaches at `url`.
    async fn on(database: TestDatabase, url: &str) -> Self {
        database.migrate().await.unwrap();
        let key = vestibule::secrets::MasterKeys::generate().to_string();
        let app = TestApp::on(database, Wanted { master_key: Some(key.clone()), ..Wanted::default() });
        let tenant = app.tenant("acme").await;
        let (live, over) =
            (app.open(&tenant, Family::Admin).await, app.open(&tenant, Family::Individual).await);
        let logout = session_call("DELETE", &tenant, over.family, &over.session, &over.token);
        app.send(logout.request()).await.expect(200);
        let options = vestibule::db::DatabaseOptions::new(url);
        let through = vestibule::db::Database::open(&options).await.unwrap();
        let router = public_router(&beside(&app, &key, through));
        let cut = Self { app, tenant, router, live, over };
        for (name, found) in cut.ask_all().await {
            assert_eq!(
                found.status.as_u16(),
                if name == "over" { 401 } else { 200 },
                "{name}: {}",
                found.text
            );
        }
        cut
    }

    fn refresh(&self, token: &str) -> Request<Body> {
        let path = session_path(self.live.family, NIL, NIL, &self.live.session);
        let call = Call::new("PUT", path).tenant(&self.tenant.slug).and("deviceid", "device-1");
        call.json(&json!({ "refreshToken": token })).request()
    }

    /// Everything that depends on the database, at once. The refresh goes on with the token that a login gave, which
    /// its grace lets it do again and again.
    async fn ask_all(&self) -> Vec<(&'static str, Answer)> {
        let look =
            |of: &Opened| session_call("GET", &self.tenant, of.family, &of.session, &of.token).request();
        let token = [("token", &*self.live.token)];
        let introspect = Call::new("POST", "/oauth2/introspect").backend(&self.tenant).form(&token);
        let calls = [
            ("login", self.tenant.login(Family::Organization).request()),
            ("refresh", self.refresh(&self.live.refresh)),
            ("look", look(&self.live)),
            ("over", look(&self.over)),
            ("introspect", introspect.request()),
            ("ready", Call::get("/readyz").request()),
        ];
        let ask = async |(name, request)| (name, answer(self.router.clone(), request).await);
        join_all(calls.map(ask)).await
    }

    /// That each of these is told at once to come back, and nobody is let in.
    async fn refuses(&self, which: &[&str]) {
        let asked = Instant::now();
        let answers = self.ask_all().await;
        assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
        for (name, found) in answers.iter().filter(|(name, _)| which.contains(name)) {
            assert_eq!(found.status.as_u16(), 503, "{name}: {}", found.text);
            assert!(found.headers.contains_key("retry-after"), "{name}");
        }
    }

    /// That it finds its database again by itself, and knows what it knew.
    async fn recovers(&self) {
        until("the service has found its database again", async || {
            let answers = self.ask_all().await;
            answers
                .iter()
                .all(|(name, found)| found.status.as_u16() == if *name == "over" { 401 } else { 200 })
        })
        .await;
    }
}

const ALL: [&str; 6] = ["login", "refresh", "look", "over", "introspect", "ready"];
