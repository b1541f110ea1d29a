//! A panic stays one request's (R158), wherever it is: in a handler, in a login's own task, in a hash thread, in
//! SQLite's one writer, in upkeep.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use vestibule::app::{App, SharedApp};
use vestibule::clock::Clock;
use vestibule::db::{Database, DatabaseOptions};
use vestibule::passwords::Passwords;
use vestibule::secrets::MasterKeys;
use vestibule::server::public_router;
use vestibule::tenants::Family;
use vestibule::throttles::ATTEMPT_LIFETIME_MILLIS;

use super::in_the_envelope;
use crate::support::app::{TestApp, TestTenant, Wanted};
use crate::support::login::{answer, beside, until};

const INDIVIDUAL: Family = Family::Individual;

/// What the panics say: nobody may read it in an answer.
const WORDS: &str = "the secret is 42 in src/http.rs:7";

/// The application of a test, and another on the same database which the test hinders.
async fn two(hinder: impl FnOnce(&mut App)) -> (TestApp, TestTenant, SharedApp) {
    let key = MasterKeys::generate().to_string();
    let app = TestApp::start_with(Wanted { master_key: Some(key.clone()), ..Wanted::default() }).await;
    let tenant = app.tenant("acme").await;
    let mut other = Arc::into_inner(beside(&app, &key, app.database.open_again().await)).unwrap();
    hinder(&mut other);
    (app, tenant, Arc::new(other))
}

/// A clock that shows what another shows, until it panics: at the look that `left` counts down to.
fn panicking(clock: &Clock, left: &Arc<AtomicI64>) -> Clock {
    let (clock, left) = (clock.clone(), Arc::clone(left));
    Clock::told(move || {
        assert!(left.fetch_sub(1, Ordering::SeqCst) != 0, "{WORDS}");
        clock.now()
    })
}

#[tokio::test]
async fn R158_a_panic_anywhere_in_a_login_is_that_logins_500_and_no_attempt_is_lost() {
    // Below nothing: no look panics.
    let left = Arc::new(AtomicI64::new(-1));
    let (app, tenant, hindered) = two(|_| ()).await;
    let mut hindered = Arc::into_inner(hindered).unwrap();
    hindered.clock = panicking(&app.clock, &left);
    let router = public_router(&Arc::new(hindered));
    let login = tenant.login(INDIVIDUAL);
    let mut panics = 0;
    for look in 0.. {
        assert!(look < 50, "a login looks at the clock without end");
        left.store(look, Ordering::SeqCst);
        let hit = answer(router.clone(), login.request()).await;
        if left.swap(-1, Ordering::SeqCst) >= 0 {
            // It never looked so often: every place has had its panic.
            hit.expect(200);
            break;
        }
        in_the_envelope(&hit, "a panic");
        assert_eq!(hit.error_type(), "INTERNAL", "{look}");
        assert!(!hit.text.contains("the secret") && !hit.text.contains("http.rs"), "{}", hit.text);
        panics += 1;
        // The next one, on the same router; whatever was reserved is in nobody's way.
        answer(router.clone(), login.request()).await.expect(200);
        app.clock.advance(ATTEMPT_LIFETIME_MILLIS + 1);
        answer(router.clone(), login.request()).await.expect(200);
        assert_eq!(app.number_of("attempts").await, 0, "after look {look}");
        assert_eq!(app.failures(tenant.person(INDIVIDUAL)).await, 0, "after look {look}");
    }
    assert!(panics >= 3, "{panics}: before the attempt, in it and at its end");
}

#[tokio::test]
async fn R158_a_panic_in_a_hash_thread_is_that_logins_500_and_its_attempt_is_given_back() {
    let left = Arc::new(AtomicI64::new(-1));
    let (app, tenant, hindered) = two(|app| {
        let mut options = Wanted::default().passwords;
        options.threads = 1;
        let left = Arc::clone(&left);
        let begun = move || assert!(left.fetch_sub(1, Ordering::SeqCst) != 0, "{WORDS}");
        app.passwords = Passwords::start_hindered(options, begun).unwrap();
    })
    .await;
    let router = public_router(&hindered);
    let login = tenant.login(INDIVIDUAL);
    for _ in 0..3 {
        // The first of three that are under way at once.
        left.store(0, Ordering::SeqCst);
        let ask = || answer(router.clone(), login.request());
        let answers = tokio::join!(ask(), ask(), ask());
        let mut statuses: Vec<_> =
            [&answers.0, &answers.1, &answers.2].map(|answer| answer.status.as_u16()).to_vec();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 500]);
        let hit = [answers.0, answers.1, answers.2].into_iter().find(|answer| answer.status == 500).unwrap();
        in_the_envelope(&hit, "a panic in a hash thread");
        assert_eq!(hit.error_type(), "INTERNAL");
        assert!(!hit.text.contains("the secret"), "{}", hit.text);
        // Nothing was learned of the password, so nothing counts.
        assert_eq!(app.number_of("attempts").await, 0);
        assert_eq!(app.failures(tenant.person(INDIVIDUAL)).await, 0);
        ask().await.expect(200);
    }
    // Nobody is told that the service was away.
    assert_eq!(hindered.refusals.unavailable.load(Ordering::Relaxed), 0);
}

/// How many more changes of a login the writer of a test runs before it panics, in it or at its commit; -1: it does not.
static IN_A_CHANGE: AtomicI64 = AtomicI64::new(-1);
static AT_COMMIT: AtomicI64 = AtomicI64::new(-1);

fn panic_in_the_writer(text: &str) {
    if text.starts_with("insert into sessions") {
        assert!(IN_A_CHANGE.fetch_sub(1, Ordering::SeqCst) != 0, "{WORDS}");
    } else if text == "commit" {
        assert!(AT_COMMIT.fetch_sub(1, Ordering::SeqCst) != 0, "{WORDS}");
    }
}

#[tokio::test]
async fn R158_a_panic_in_the_one_writer_is_one_changes_failure_and_all_that_follow_are_made() {
    let (app, tenant, hindered) = two(|_| ()).await;
    if !app.database.is_sqlite() {
        // There, every change has a task and a connection of its own.
        return;
    }
    let mut hindered = Arc::into_inner(hindered).unwrap();
    let options = DatabaseOptions { before: panic_in_the_writer, ..app.database.options.clone() };
    hindered.db = Database::open(&options).await.unwrap();
    let router = public_router(&Arc::new(hindered));
    let login = tenant.login(INDIVIDUAL);
    let ask = || answer(router.clone(), login.request());
    for (what, panics, status) in [("in a change", &IN_A_CHANGE, 500), ("at a commit", &AT_COMMIT, 503)] {
        let before = app.number_of("sessions").await;
        panics.store(0, Ordering::SeqCst);
        let hit = ask().await.expect(status);
        in_the_envelope(&hit, what);
        assert!(!hit.text.contains("the secret"), "{}", hit.text);
        // The panicking one is undone, whole.
        assert_eq!(app.number_of("sessions").await, before, "{what}");
        assert_eq!(app.number_of("events where name = 'authn_login_success'").await, before, "{what}");
        // Three of them may be one batch: the one that panics takes nobody with it.
        panics.store(1, Ordering::SeqCst);
        let answers = tokio::join!(ask(), ask(), ask());
        let good = [answers.0, answers.1, answers.2].iter().filter(|answer| answer.status == 200).count();
        assert!(good == 2 || status == 503, "{what}: {good}");
        panics.store(-1, Ordering::SeqCst);
        app.clock.advance(ATTEMPT_LIFETIME_MILLIS + 1);
        ask().await.expect(200);
        assert_eq!(app.number_of("attempts").await, 0, "{what}");
    }
}

#[tokio::test]
async fn R158_upkeep_goes_on_after_a_panic_in_it() {
    let left = Arc::new(AtomicI64::new(2));
    let looks = Arc::new(AtomicU64::new(0));
    let (app, tenant, hindered) = two(|_| ()).await;
    let mut hindered = Arc::into_inner(hindered).unwrap();
    let (clock, counted) = (panicking(&app.clock, &left), Arc::clone(&looks));
    hindered.clock = Clock::told(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        clock.now()
    });
    let upkeep = tokio::spawn(vestibule::upkeep::run(Arc::new(hindered)));
    until("it has panicked", async || left.load(Ordering::SeqCst) < 0).await;
    let before = looks.load(Ordering::SeqCst);
    app.login(&tenant, INDIVIDUAL).await.expect(200);
    let waiting = "events where position is null";
    assert!(app.number_of(waiting).await > 0);
    until("what came after the panic is numbered", async || app.number_of(waiting).await == 0).await;
    assert!(looks.load(Ordering::SeqCst) > before);
    assert!(!upkeep.is_finished());
    upkeep.abort();
}
