//! Where an operation names things, whose they may be, and what is answered then.

use serde_json::Value;

use super::{Operation, Permission};

/// Where in a request an id (or what else opens or finds a thing) stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    Path(String),
    Query(String),
    Body(String),
}

impl Place {
    pub fn name(&self) -> &str {
        match self {
            Self::Path(name) | Self::Query(name) | Self::Body(name) => name,
        }
    }
}

/// Whose thing is named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// The caller's, or what the caller may reach.
    Own,
    /// Another user's of the same tenant.
    Neighbours,
    /// Another tenant's.
    Anothers,
    Absent,
    Nil,
    /// Nothing that an id can look like.
    Odd,
}

impl Whose {
    const OTHERS: [Self; 5] = [Self::Neighbours, Self::Anothers, Self::Absent, Self::Nil, Self::Odd];
}

impl Operation {
    /// Every place of the operation, from its document.
    pub fn places(&self) -> Vec<Place> {
        let parts = self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let mut places: Vec<_> = parts.map(|name| Place::Path(name.to_owned())).collect();
        let of_query = |name: &&String| name.ends_with("Id") || ["cursor", "after"].contains(&name.as_str());
        places.extend(self.queries.iter().filter(of_query).cloned().map(Place::Query));
        names_in(&self.body, &mut places);
        places
    }
}

fn names_in(body: &Value, places: &mut Vec<Place>) {
    for (name, value) in body.as_object().into_iter().flatten() {
        // A tax id is no thing of ours.
        if name.ends_with("Id") && name != "taxId"
            || ["resetSecret", "tenantKey", "refreshToken", "token"].contains(&name.as_str())
        {
            places.push(Place::Body(name.clone()));
        }
        names_in(value, places);
    }
}

/// One way to name things: those that are not the caller's own. A query parameter that is not here is left out.
pub type Naming = Vec<(Place, Whose)>;

/// Every way to name things at an operation: each place by itself, and all at once.
pub fn namings(operation: &Operation, at_home: bool) -> Vec<Naming> {
    let permission = operation.permission();
    let places = operation.places();
    let (queries, named): (Vec<_>, Vec<_>) =
        places.into_iter().partition(|place| matches!(place, Place::Query(_)));
    if at_home {
        // Acme's are another's there; without any place there is nothing to be asked for.
        let all = |whose| named.iter().map(|place| (place.clone(), whose)).collect::<Vec<_>>();
        let queries = queries.iter().flat_map(|place| {
            [Whose::Own, Whose::Absent].map(|whose| [all(Whose::Own), vec![(place.clone(), whose)]].concat())
        });
        let bare = [Whose::Own, Whose::Absent].map(all).into_iter().filter(|_| !named.is_empty());
        return bare.chain(queries).collect();
    }
    let fits = |place: &Place, whose| makes_sense(permission, place, whose);
    let mut namings = vec![Vec::new()];
    for place in named.iter().chain(&queries) {
        let own = matches!(place, Place::Query(_)).then_some(Whose::Own);
        for whose in own.into_iter().chain(Whose::OTHERS).filter(|whose| fits(place, *whose)) {
            namings.push(vec![(place.clone(), whose)]);
        }
    }
    if named.len() > 1 {
        for whose in Whose::OTHERS {
            // Another tenant's thing under its own tenant's name is there for an operator.
            let is_there = permission == Permission::Operator && whose == Whose::Anothers;
            let all: Naming =
                named.iter().filter(|place| fits(place, whose)).map(|place| (place.clone(), whose)).collect();
            if all.len() > 1 && !is_there {
                namings.push(all);
            }
        }
    }
    namings
}

/// Whether there is such a thing at such a place.
fn makes_sense(permission: Permission, place: &Place, whose: Whose) -> bool {
    match whose {
        Whose::Neighbours => {
            let personal =
                matches!(permission, Permission::Own(_) | Permission::Login(_) | Permission::Refresh(_));
            // All staff are of one organization.
            let shared = permission.is_of_staff() && place.name() == "organizationId";
            personal && matches!(place, Place::Path(_)) && !shared
        }
        // Operators are no tenant's, and see all tenants, whose documents are public.
        Whose::Anothers => !["operatorId", "tenant", "slug"].contains(&place.name()),
        _ => true,
    }
}

/// What is answered when one place does not name the caller's own, to somebody who is let in.
pub fn answered(permission: Permission, place: &Place, whose: Whose) -> (u16, &'static str) {
    const GOOD: (u16, &str) = (200, "");
    const ABSENT: (u16, &str) = (404, "NOT_FOUND");
    const BAD: (u16, &str) = (400, "VALIDATION");
    if whose == Whose::Own {
        return GOOD;
    }
    let odd = whose == Whose::Odd;
    match (permission, place, place.name()) {
        (_, Place::Query(_), "cursor" | "after") => BAD,
        // What is not the tenant's is as good as no token at all.
        (Permission::Client, ..) => GOOD,
        // A filter finds nothing, and a device may be called anything.
        (_, Place::Query(_), _) if !odd => GOOD,
        (_, _, "deviceId") => GOOD,
        (Permission::Public | Permission::Operator, ..) | (_, Place::Path(_), "slug") => ABSENT,
        (Permission::Login(_), Place::Body(_), "tenantId") if odd => BAD,
        (Permission::Login(_), Place::Body(_), _) => (403, "TENANT"),
        // A token that is good, and of a tenant that the request does not name.
        (Permission::Refresh(_), Place::Body(_), _) if whose == Whose::Anothers => (403, "TENANT"),
        (Permission::Refresh(_), Place::Body(_), _) => (401, "REFRESH_TOKEN"),
        // Whoever the name, or the token, says.
        (Permission::Login(_) | Permission::Own(_) | Permission::Refresh(_), _, name)
            if whose == Whose::Nil && !["sessionId", "device"].contains(&name) =>
        {
            GOOD
        }
        _ if odd => BAD,
        (Permission::Login(_), ..) => (401, "AUTHENTICATION"),
        (_, Place::Body(_), "tenantId" | "resetSecret") => BAD,
        _ => ABSENT,
    }
}
