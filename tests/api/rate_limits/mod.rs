//! What comes from one address, of one caller or of one tenant is limited, and told to come back (429).

mod callers;
mod keys;
mod kills;
mod many_at_once;
mod other_tenants;
mod sources;
mod spraying;
mod store;

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use sfv::{BareItem, List, ListEntry, Parser};
use vestibule::tenants::Family;

use crate::support::app::{Answer, LoginCall, TestApp, TestTenant, Wanted};

const INDIVIDUAL: Family = Family::Individual;

/// An application that limits.
fn limiting() -> Wanted {
    Wanted { source_limits: true, ..Wanted::default() }
}

async fn one() -> (TestApp, TestTenant) {
    let app = TestApp::start_with(limiting()).await;
    let tenant = app.tenant("acme").await;
    (app, tenant)
}

/// The request as it comes from an address.
fn from(address: &str, mut request: Request<Body>) -> Request<Body> {
    let ip = address.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(ip, 4711)));
    request
}

/// A login for a name that nobody has, so that no throttle is in the way.
fn stranger(tenant: &TestTenant, number: usize) -> LoginCall {
    tenant.login(INDIVIDUAL).named(&format!("nobody-{number}@x.test"))
}

/// Sends so many failing logins, each for another name, and wants each of them told that it failed.
async fn fail_from(app: &TestApp, tenant: &TestTenant, address: &str, names: std::ops::Range<usize>) {
    for number in names {
        app.send(from(address, stranger(tenant, number).request())).await.expect(401);
    }
}

/// The seconds to wait that a refusal tells, once all that it says agrees (R025).
fn told(answer: &Answer, limit: &str) -> i64 {
    assert_eq!((answer.status.as_u16(), answer.error_type()), (429, "TOO_MANY_REQUESTS"), "{}", answer.text);
    let header = |name: &str| answer.headers[name].to_str().unwrap();
    let seconds: i64 = header("retry-after").parse().unwrap();
    assert!(seconds >= 1);
    assert_eq!(header("cache-control"), "no-store");
    let policy = only_item(header("ratelimit-policy"), limit);
    assert_eq!(policy.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["q", "w"]);
    assert!(policy.iter().all(|(_, number)| *number > 0), "{policy:?}");
    let state = only_item(header("ratelimit"), limit);
    assert_eq!(state, [("r".to_owned(), 0), ("t".to_owned(), seconds)]);
    seconds
}

/// The parameters of the one item of a list of Structured Fields, which is this string.
fn only_item(text: &str, name: &str) -> Vec<(String, i64)> {
    let list: List = Parser::new(text).parse().unwrap();
    let [ListEntry::Item(item)] = list.as_slice() else { panic!("not one item: {text}") };
    let BareItem::String(string) = &item.bare_item else { panic!("no string: {text}") };
    assert_eq!(string.as_str(), name);
    let number = |value: &BareItem| match value {
        BareItem::Integer(number) => i64::from(*number),
        other => panic!("no integer: {other:?}"),
    };
    item.params.iter().map(|(name, value)| (name.as_str().to_owned(), number(value))).collect()
}
