//! The requests of every operation, made of its document's examples.

use secrecy::ExposeSecret;
use serde_json::Value;
use vestibule::http::paging::List;
use vestibule::ids::{SessionId, TenantId, UserId, random_uuid};
use vestibule::password_resets::new_secret;

use super::{Own, World, fresh_email};
use crate::isolation::places::{Naming, Place, Whose};
use crate::isolation::{Operation, Permission};
use crate::support::app::{Answer, NIL, TestTenant};
use crate::support::calls::Call;
use crate::support::directory::CUSTOMERS;

impl World {
    /// What stands at a place.
    async fn id(&self, operation: &Operation, own: &Own, place: &Place, whose: Whose) -> String {
        let Self { acme, globex, .. } = self;
        let permission = operation.permission();
        let named = |of: &Own, tenant: &TestTenant| match place.name() {
            "customerId" | "organizationId" => of.customer.clone(),
            "userId" => of.user.clone(),
            "sessionId" => of.session.clone(),
            "resetSecret" => of.reset_secret.clone(),
            "device" => of.device_in_path.clone(),
            "deviceId" => of.device.clone(),
            "operationId" => of.operation.clone(),
            "refreshToken" => of.refresh_token.clone(),
            "token" => of.token.clone(),
            "slug" | "tenant" => of.tenant.clone(),
            "keyId" => of.key.clone(),
            "kid" => of.kid.clone(),
            "operatorId" => of.operator.clone(),
            "tenantId" => tenant.id.to_string(),
            "tenantKey" => tenant.key.clone(),
            name => panic!("{} names a thing at {name}: what is it?", operation.id),
        };
        let is_cursor = ["cursor", "after"].contains(&place.name());
        match (whose, permission) {
            // Somebody of another family has none of their own here.
            (Whose::Own, Permission::Own(family)) if is_cursor && own.family != Some(family) => {
                self.cursor(operation, acme, &self.of_family(&self.neighbours, family).await).await
            }
            (Whose::Own, _) if is_cursor => self.cursor(operation, acme, own).await,
            (Whose::Anothers, Permission::Own(family)) if is_cursor => {
                self.cursor(operation, globex, &self.of_family(&self.theirs, family).await).await
            }
            (Whose::Anothers, _) if is_cursor => self.cursor(operation, globex, &self.their_things).await,
            (Whose::Own, _) => named(own, acme),
            (
                Whose::Neighbours,
                Permission::Own(family) | Permission::Login(family) | Permission::Refresh(family),
            ) => named(&self.of_family(&self.neighbours, family).await, acme),
            (
                Whose::Anothers,
                Permission::Own(family) | Permission::Login(family) | Permission::Refresh(family),
            ) => named(&self.of_family(&self.theirs, family).await, globex),
            (Whose::Neighbours, _) => panic!("{place:?} of {} has no neighbours", operation.id),
            (Whose::Anothers, _) => named(&self.their_things, globex),
            (Whose::Absent, _) => match place.name() {
                "sessionId" => SessionId::at(self.app.clock.now()).to_string(),
                "tenantId" => TenantId::random().to_string(),
                "resetSecret" => new_secret().expose_secret().to_owned(),
                "refreshToken" => self.refresh_token_of_nobody(),
                "slug" | "tenant" | "tenantKey" => "absent".to_owned(),
                "kid" => own.kid.chars().rev().collect(),
                "cursor" | "after" => "vpc1.a.MA.AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
                _ => UserId::random().to_string(),
            },
            (Whose::Nil, _) => NIL.to_owned(),
            (Whose::Odd, _) => "a.b".to_owned(),
        }
    }

    /// The cursor of an operation's second page, for a tenant's backend; of operators' lists for an operator.
    async fn cursor(&self, operation: &Operation, tenant: &TestTenant, of: &Own) -> String {
        if let Permission::Own(_) = operation.permission()
            && !operation.id.starts_with("listSessions")
        {
            // Nobody has a second page of these; what is in a cursor is no secret.
            let (query, position) = match operation.id.as_str() {
                id if id.starts_with("listDevices") => (format!("devices {}", of.user), "9000000000000:a"),
                id if id.starts_with("listSessionEvents") => {
                    (format!("session events {}", of.session), "0:a")
                }
                id => panic!("{id}: what is its list called?"),
            };
            return List { master: &self.app.app.master, tenant: &tenant.id, query }.cursor(position);
        }
        let path = operation.path.replace("{customerId}", &of.customer).replace("{slug}", &tenant.slug);
        let path = path.replace("{organizationId}", &of.customer).replace("{userId}", &of.user);
        let path = path.replace("{sessionId}", &of.session);
        // What is followed has no size of a page, and a cursor always.
        let (query, field) =
            if operation.id == "getRevocations" { ("", "cursor") } else { ("?limit=1", "nextCursor") };
        let first = Call::get(format!("{path}{query}"));
        let answer = if let Permission::Own(_) = operation.permission() {
            self.app.call(first.tenant(&tenant.slug).bearer(&of.token)).await
        } else if !operation.for_operators {
            self.app.call(first.backend(tenant)).await
        } else if tenant.slug == self.acme.slug {
            self.send(operation, first.bearer(&self.operator)).await
        } else {
            // No tenant has operators' lists: one of its own.
            self.app.call(Call::get(format!("{CUSTOMERS}?limit=1")).backend(tenant)).await
        };
        answer.expect(200).field(field).to_owned()
    }

    /// An operation's request, by nobody yet.
    pub async fn request(&self, operation: &Operation, own: &Own, naming: &Naming) -> Call {
        let whose = |place: &Place| {
            naming.iter().find(|(named, _)| named == place).map_or(Whose::Own, |(_, whose)| *whose)
        };
        let (mut path, mut body) = (operation.path.clone(), operation.body.clone());
        self.complete(operation, own, &mut body);
        for place in operation.places() {
            match &place {
                Place::Path(name) => {
                    let id = self.id(operation, own, &place, whose(&place)).await;
                    path = path.replace(&format!("{{{name}}}"), &id);
                }
                Place::Query(name) => {
                    if let Some((_, whose)) = naming.iter().find(|(named, _)| *named == place) {
                        let id = self.id(operation, own, &place, *whose).await;
                        path = format!("{path}?{name}={id}");
                    }
                }
                Place::Body(name) => {
                    let id = self.id(operation, own, &place, whose(&place)).await;
                    put(&mut body, name, &id);
                }
            }
        }
        let call = Call::new(&operation.method, path)
            .and("x-forwarded-for", "127.0.0.1")
            .and("x-forwarded-from", "client-app")
            .and("platform", "mobile")
            .and("deviceid", "device-1")
            .and("user-agent", "test-agent/1");
        match body.as_object() {
            None => call,
            Some(fields) if operation.is_form => {
                let fields: Vec<_> =
                    fields.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
                call.form(&fields)
            }
            Some(_) => call.json(&body),
        }
    }

    /// Puts into an example what must be somebody's own, or new.
    fn complete(&self, operation: &Operation, own: &Own, body: &mut Value) {
        put(body, "email", &fresh_email());
        if let Permission::Login(_) = operation.permission() {
            put(body, "username", &own.name);
            put(body, "value", &own.name);
            put(body, "tenantSecret", &self.acme.secret);
        }
        match operation.id.as_str() {
            "createTenant" => put(body, "slug", &format!("t-{}", random_uuid())),
            "deleteTenant" => put(body, "slug", &own.tenant),
            _ => (),
        }
    }

    /// Sends a call to the listener that serves the operation.
    pub async fn send(&self, operation: &Operation, call: Call) -> Answer {
        let router = if operation.for_operators { &self.operators } else { &self.app.router };
        self.app.send_to(router, call.request()).await
    }
}

/// Sets a field wherever the body has it.
fn put(body: &mut Value, name: &str, value: &str) {
    for (field, inner) in body.as_object_mut().into_iter().flatten() {
        if field == name {
            *inner = Value::from(value);
        } else {
            put(inner, name, value);
        }
    }
}
