//! The tenant comes from its credential; whatever else names one must agree, and nothing means "all" (R047).

use vestibule::ids::TenantId;

use super::callers::{Caller, Party};
use super::rows::unchanged;
use super::world::World;
use super::{Permission, operations};
use crate::support::app::NIL;

#[tokio::test]
async fn R047_no_operation_takes_a_tenant_that_its_credential_does_not_name() {
    let world = World::new().await;
    let World { app, acme, globex, rows, .. } = &world;
    let absent = TenantId::random();
    let wrong = [
        "",
        " ",
        "null",
        "undefined",
        "0",
        "*",
        "%",
        "all",
        "default",
        NIL,
        "system",
        "ACME",
        "acme.",
        "acme,globex",
        "acme globex",
        "absent",
        absent.as_str(),
        &globex.slug,
        globex.id.as_str(),
    ];
    let is_globex = |name: &str| [globex.slug.as_str(), globex.id.as_str()].contains(&name);
    for operation in &operations() {
        let permission = operation.permission();
        let caller = match permission {
            Permission::Open | Permission::Public | Permission::Operator => continue,
            Permission::Login(_) | Permission::Secret | Permission::Refresh(_) => vec![Caller::Nobody],
            Permission::Backend | Permission::Client => vec![Caller::Backend],
            Permission::Read | Permission::Manage | Permission::ManageSessions => {
                vec![Caller::Backend, Caller::Admin]
            }
            Permission::Own(family) => {
                Caller::ALL.into_iter().filter(|caller| caller.family() == Some(family)).take(1).collect()
            }
        };
        for caller in caller {
            let what = format!("{} by {caller:?}", operation.id);
            let party = Party::new(&world, caller).await;
            let own = world.own(operation, &party).await;
            let before = rows.all(app).await;
            // As the caller signs it, but for the tenant.
            let mut call = party.sign(&world, world.request(operation, &own, &Vec::new()).await);
            call.headers.retain(|(name, _)| name != "x-tenant-id");
            for name in wrong {
                let answer = app.call(call.clone().tenant(name)).await;
                let expected = match name.trim() {
                    "" if permission == Permission::Client => (400, "invalid_request"),
                    "" => (400, "MISSING_HEADERS"),
                    // Beside a reset secret nothing else says whose it is: there it is nobody's.
                    _ if permission == Permission::Secret && is_globex(name) => (400, "VALIDATION"),
                    _ if permission == Permission::Client => (403, "unauthorized_client"),
                    _ => (403, "TENANT"),
                };
                assert_eq!((answer.status.as_u16(), answer.error_type()), expected, "{what} for {name:?}");
            }
            for second in [&acme.slug, &globex.slug, ""] {
                let answer = app.call(call.clone().tenant(&acme.slug).tenant(second)).await.expect(400);
                let malformed =
                    if permission == Permission::Client { "invalid_request" } else { "MALFORMED_REQUEST" };
                assert_eq!(answer.error_type(), malformed, "{what}");
            }
            // A key names its tenant by itself; a token does not say for whom it is shown.
            if caller != Caller::Backend {
                let answer = app.call(call.clone()).await.expect(400);
                assert_eq!(answer.error_type(), "MISSING_HEADERS", "{what}");
            }
            unchanged(&before, &rows.all(app).await, &what);
            let good = if caller == Caller::Backend { call } else { call.tenant(acme.id.as_str()) };
            app.call(good).await.expect(200);
        }
    }
}
