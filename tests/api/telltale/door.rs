//! Whatever is wrong with tenant or key: one 403, no hash, one read.

use vestibule::ids::NIL;
use vestibule::tenants::Family;

use super::{Cost, Set};
use crate::support::app::{LoginCall, TestApp, TestTenant, Wanted};

/// Everything that keeps a login outside.
fn refused(
    tenant: &TestTenant,
    suspended: &TestTenant,
    deleted: &TestTenant,
    family: Family,
) -> Vec<(String, LoginCall)> {
    let call = tenant.login(family);
    let header = |value: &str| call.clone().set("tenantId", ()).header("x-tenant-id", value);
    let key = |key: &str, secret: &str| call.clone().set("tenantKey", key).set("tenantSecret", secret);
    let mut refused: Vec<_> = [
        ("unknown slug", header("nobody")),
        ("unknown id", header("99999999-2222-4333-8444-555555555555")),
        ("the slug in another case", header("ACME")),
        ("the system tenant by slug", header("system")),
        ("the system tenant by id", header(NIL)),
        ("suspended tenant", suspended.login(family)),
        ("suspended tenant and a wrong secret", suspended.login(family).set("tenantSecret", "wrong")),
        ("deleted tenant", deleted.login(family)),
        ("another tenant in the body", call.clone().set("tenantId", suspended.id.as_str())),
        ("another tenant in the header", call.clone().header("x-tenant-id", &suspended.slug)),
        ("unknown key", key("nobody", &tenant.secret)),
        ("the secret of the other purpose", key(&tenant.key, &tenant.backend_secret)),
        ("key of another tenant", key(&suspended.key, &suspended.secret)),
        ("no key", call.clone().set("tenantKey", ()).set("tenantSecret", ())),
        ("no secret", call.clone().set("tenantSecret", ())),
        ("no key but a secret", call.clone().set("tenantKey", ())),
        ("an empty key", key("", "")),
        ("an origin nobody lists", call.clone().header("origin", "https://evil.test")),
    ]
    .map(|(what, call)| (what.to_owned(), call))
    .to_vec();
    for length in [0, 1, 8, tenant.secret.len() - 1] {
        let wrong = format!("{}~", &tenant.secret[..length]);
        refused.push((format!("a wrong secret of which {length} are right"), key(&tenant.key, &wrong)));
    }
    refused
}

#[tokio::test]
async fn R044_R045_every_reason_at_the_door_is_one_403_byte_for_byte_of_no_hash_and_one_read() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let (suspended, deleted) = (app.tenant("suspended").await, app.tenant("deleted").await);
    for tenant in [&suspended, &deleted] {
        app.script(&format!("update tenants set status = '{0}' where slug = '{0}'", tenant.slug)).await;
    }
    let mut set = Set::default();
    for family in Family::ALL {
        for (what, call) in refused(&tenant, &suspended, &deleted, family) {
            let calls = [
                ("right", call.clone()),
                ("wrong", call.clone().set("password", "wrong")),
                ("nobody's", call.named("nobody@x.test")),
            ];
            for (whose, call) in calls {
                set.send(&app, &format!("{what} on {family:?}, {whose} password"), &call, 403).await;
            }
        }
    }
    let cost = set.is_of_one_kind(190, "Invalid tenant", 0);
    assert_eq!(cost, Cost { hashes: 0, calls: 1, statements: 1 });
    assert_eq!(app.number_of("throttles").await, 0);
    for tenant in [&tenant, &suspended, &deleted] {
        assert_eq!(app.event_names(tenant).await, [""; 0]);
    }
}

#[tokio::test]
async fn R024_R044_R045_too_often_at_the_door_is_one_429_for_every_reason_and_costs_each_the_same() {
    let wanted = Wanted { source_limits: true, trusted_proxies: vec!["127.0.0.1/32"], ..Wanted::default() };
    let app = TestApp::start_with(wanted).await;
    let tenant = app.tenant("acme").await;
    let (suspended, deleted) = (app.tenant("suspended").await, app.tenant("deleted").await);
    for tenant in [&suspended, &deleted] {
        app.script(&format!("update tenants set status = '{0}' where slug = '{0}'", tenant.slug)).await;
    }
    // A token that might be a proof, and is not this tenant's.
    let globex = app.tenant("globex").await;
    let token = app.open(&globex, Family::Individual).await.refresh;
    let counted = async || app.number_of("throttles").await + app.number_of("source_attempts").await;
    let before = counted().await;
    let [mut first, mut later, mut proving] = [Set::default(), Set::default(), Set::default()];
    let all = refused(&tenant, &suspended, &deleted, Family::Individual);
    // That is the app's mistake, with a key that is right.
    let all = all.into_iter().filter(|(what, _)| *what != "an origin nobody lists");
    for (number, (what, call)) in all.enumerate() {
        let call = call.header("x-forwarded-for", format!("198.51.100.{number}"));
        for _ in 0..10 {
            first.send(&app, &what, &call, 403).await;
        }
        // Where no key is shown none is guessed, and the tenant might need none: so it is read.
        let shows = call.body.get("tenantKey").is_some();
        let set = if shows { &mut later } else { &mut proving };
        for _ in 0..3 {
            set.send(&app, &what, &call, 429).await;
        }
        let with_proof = call.header("x-device-proof", &token);
        proving.send(&app, &what, &with_proof, 429).await;
    }
    assert_eq!(first.is_of_one_kind(210, "Invalid tenant", 0), Cost { hashes: 0, calls: 1, statements: 1 });
    assert_eq!(later.is_of_one_kind(57, "wrong-keys", 0), Cost { hashes: 0, calls: 0, statements: 0 });
    assert_eq!(proving.is_of_one_kind(27, "wrong-keys", 0), Cost { hashes: 0, calls: 1, statements: 1 });
    assert_eq!(counted().await, before);
}
