//! Which lines of a batch can go in, by what is in the file before them and, where it was looked at, in the database.

use std::collections::HashMap;

use futures_util::future::join_all;

use crate::customers::{CustomerKind, CustomerStatus};
use crate::db::{Database, DbError, Row};
use crate::error::FieldError;
use crate::ids::TenantId;
use crate::imports::{Arrival, Belongs, Line, Seen};
use crate::users;

/// Why a line does not go in.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    pub line: u64,
    /// The user is there, or somebody who has their id or a name of theirs.
    pub present: bool,
    pub problems: Vec<FieldError>,
}

/// What stands in the database where a line wants to go.
#[derive(Default, Debug)]
pub(super) struct Look {
    id_taken: bool,
    username_taken: bool,
    email_taken: bool,
    customer: Option<Standing>,
}

/// How the customer of a line stands.
#[derive(Debug)]
struct Standing {
    kind: CustomerKind,
    status: CustomerStatus,
    erased: bool,
    /// It has a user.
    used: bool,
}

/// Looks where all lines want to go. They are asked for together: one after another they would take as long as
/// the change.
pub(super) async fn look(
    db: &Database,
    tenant: &TenantId,
    lines: &[Line],
) -> Result<Vec<Option<Look>>, DbError> {
    let looks = lines.iter().map(async |line| match &line.read {
        Ok(arrival) => look_at(db, tenant, arrival).await.map(Some),
        Err(_) => Ok(None),
    });
    join_all(looks).await.into_iter().collect()
}

async fn look_at(db: &Database, tenant: &TenantId, arrival: &Arrival) -> Result<Look, DbError> {
    let name = |it: &'_ Option<(String, users::LoginName)>| it.as_ref().map(|(_, name)| name.clone());
    let customer = match &arrival.belongs {
        Belongs::To(id) => Some(id),
        Belongs::With(customer) if customer.named => Some(&customer.id),
        Belongs::House(_) | Belongs::With(_) => None,
    };
    let rows = db.fetch(users::moved::store::look(
        tenant,
        &arrival.id,
        name(&arrival.username).as_ref(),
        name(&arrival.email).as_ref(),
        customer,
    ));
    let rows = rows.await?;
    rows.first().map_or_else(|| Ok(Look::default()), Look::from_row)
}

impl Look {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let broken = |column: &str| DbError::Failed(format!("{column}: not what it should hold"));
        let customer = match (row.maybe_text("customer_kind")?, row.maybe_text("customer_status")?) {
            (Some(kind), Some(status)) => Some(Standing {
                kind: CustomerKind::parse(&kind).ok_or_else(|| broken("customers.kind"))?,
                status: CustomerStatus::parse(&status).ok_or_else(|| broken("customers.status"))?,
                erased: row.bool("customer_erased")?,
                used: row.bool("customer_used")?,
            }),
            _ => None,
        };
        Ok(Self {
            id_taken: row.bool("id_taken")?,
            username_taken: row.bool("username_taken")?,
            email_taken: row.bool("email_taken")?,
            customer,
        })
    }
}

/// Whether a line names a customer that only a later one brings: then the database has to be looked at, for within a
/// change the later one would come first.
pub(super) fn refers_ahead(lines: &[Line]) -> bool {
    let arrivals = || lines.iter().enumerate().filter_map(|(at, line)| Some((at, line.read.as_ref().ok()?)));
    let mut brought = HashMap::new();
    for (at, arrival) in arrivals() {
        if let Belongs::With(customer) = &arrival.belongs {
            brought.entry(&customer.id).or_insert(at);
        }
    }
    arrivals().any(|(at, arrival)| {
        matches!(&arrival.belongs, Belongs::To(id) if brought.get(id).is_some_and(|first| *first > at))
    })
}

/// What is in the way of each line, in their order; nothing where it can go in. Whoever can is noted as seen. Without
/// looks only what the file itself tells is in the way.
pub(super) fn judge(lines: &[Line], looks: Option<&[Option<Look>]>, seen: &mut Seen) -> Vec<Option<Outcome>> {
    let look = |at: usize| looks.and_then(|looks| looks.get(at)).and_then(Option::as_ref);
    lines.iter().enumerate().map(|(at, line)| judge_line(line, look(at), seen)).collect()
}

fn judge_line(line: &Line, look: Option<&Look>, seen: &mut Seen) -> Option<Outcome> {
    let arrival = match &line.read {
        Ok(arrival) => arrival,
        Err(problems) => {
            return Some(Outcome { line: line.number, present: false, problems: problems.clone() });
        }
    };
    let taken = taken(arrival, look, seen);
    if !taken.is_empty() {
        let problems = taken.into_iter().map(|field| FieldError::new(field, "is taken")).collect();
        return Some(Outcome { line: line.number, present: true, problems });
    }
    if let Some(problem) = customer_problem(&arrival.belongs, look, seen) {
        return Some(Outcome { line: line.number, present: false, problems: vec![problem] });
    }
    seen.add_user(&arrival.id);
    for (_, name) in [&arrival.username, &arrival.email].into_iter().flatten() {
        seen.add_name(name);
    }
    if let Belongs::With(customer) = &arrival.belongs {
        seen.add_customer(customer);
    }
    None
}

/// The fields whose value somebody has.
fn taken(arrival: &Arrival, look: Option<&Look>, seen: &Seen) -> Vec<&'static str> {
    let has_name = |name: &Option<(String, users::LoginName)>| {
        name.as_ref().is_some_and(|(_, name)| seen.has_name(name))
    };
    let [id, username, email] =
        look.map_or([false; 3], |look| [look.id_taken, look.username_taken, look.email_taken]);
    let fields = [
        ("id", id || seen.has_user(&arrival.id)),
        ("username", username || has_name(&arrival.username)),
        ("email", email || has_name(&arrival.email)),
    ];
    fields.into_iter().filter_map(|(field, taken)| taken.then_some(field)).collect()
}

/// Why no user can be let in to the customer; as `customers::moved::store::hold` and `demand_no_user` see it.
fn customer_problem(belongs: &Belongs, look: Option<&Look>, seen: &Seen) -> Option<FieldError> {
    let stands = look.and_then(|look| look.customer.as_ref());
    let there = |id| seen.customer(id).or_else(|| stands.map(|it| (it.kind, it.status)));
    // An individual of an earlier entry came with a user.
    let used = |id| seen.customer(id).is_some() || stands.is_some_and(|it| it.used);
    let closed = "is a customer that is closed";
    let erased = "is a customer who was erased";
    let is_erased = stands.is_some_and(|it| it.erased);
    match belongs {
        Belongs::To(_) if is_erased => Some(FieldError::new("customerId", erased)),
        Belongs::With(new) if new.named && is_erased => Some(FieldError::new("customer.id", erased)),
        Belongs::To(id) => match there(id) {
            Some((CustomerKind::Individual, _)) => {
                Some(FieldError::new("customerId", "is an individual, who is their own only user"))
            }
            Some((_, CustomerStatus::Closed)) => Some(FieldError::new("customerId", closed)),
            None if look.is_some() => Some(FieldError::new(
                "customerId",
                "is no customer that is there; put it before its users, or give it with them as customer",
            )),
            _ => None,
        },
        Belongs::With(new) if new.named => match there(&new.id) {
            Some((kind, _)) if kind != new.kind => {
                let problem =
                    format!("is {}, and the customer of this id is {}", new.kind.as_str(), kind.as_str());
                Some(FieldError::new("customer.kind", problem))
            }
            Some((_, CustomerStatus::Closed)) if new.status != CustomerStatus::Closed => {
                Some(FieldError::new("customer.id", closed))
            }
            Some((CustomerKind::Individual, _)) if used(&new.id) => {
                Some(FieldError::new("customer.id", "is an individual who has a user already"))
            }
            _ => None,
        },
        Belongs::House(_) | Belongs::With(_) => None,
    }
}
