//! PostgreSQL stopped, frozen and killed, and the wire to it cut in mid-answer. Always on PostgreSQL.

use std::time::Duration;

use futures_util::future::join_all;
use secrecy::SecretString;
use vestibule::db::{Change, Statement};
use vestibule::passwords::Presence;
use vestibule::tenants::Family;

use super::cluster::Cluster;
use super::proxy::Proxy;
use super::{ALL, Cut, answer};
use crate::support;
use crate::support::app::{PASSWORD, TestApp};
use crate::support::login::{SLOW_HASH, one_thread, until};

/// What is done to a cluster.
type Act = fn(&Cluster);

async fn on(cluster: &Cluster, proxy: &Proxy) -> Cut {
    let database = support::postgres_on(cluster).await;
    let mut url = url::Url::parse(&database.url).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    Cut::on(database, url.as_str()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn R160_without_its_database_the_service_says_so_within_a_second_lets_nobody_in_and_recovers_by_itself()
{
    let cluster = Cluster::start(&[]);
    let proxy = Proxy::to(cluster.port());
    let cut = on(&cluster, &proxy).await;
    let outages: [(&str, Act, Act); 3] = [
        ("frozen", Cluster::freeze, Cluster::thaw),
        ("stopped", Cluster::stop, Cluster::resume),
        ("killed", Cluster::crash, Cluster::resume),
    ];
    for (name, begin, end) in outages {
        begin(&cluster);
        for _ in 0..3 {
            cut.refuses(&ALL).await;
        }
        // Nobody tries again and again meanwhile: each call asked for one connection, perhaps two, and then it is quiet.
        let before = proxy.connections();
        cut.refuses(&ALL).await;
        let asked = proxy.connections() - before;
        assert!(asked <= 2 * ALL.len() as u64, "{name}: {asked} connections for {} calls", ALL.len());
        let before = proxy.connections();
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(proxy.connections() - before <= 2, "{name}: a storm of tries");
        end(&cluster);
        cut.recovers().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn R160_an_answer_that_is_cut_off_signs_nobody_out_and_counts_nobodys_password() {
    let cluster = Cluster::start(&[]);
    let proxy = Proxy::to(cluster.port());
    let cut = on(&cluster, &proxy).await;
    for _ in 0..8 {
        proxy.lose_answers();
        cut.refuses(&ALL).await;
        proxy.forward();
        cut.recovers().await;
    }
    // The refresh went through once, whatever became of its answer, and the app goes on with what it gets.
    let refreshed = answer(cut.router.clone(), cut.refresh(&cut.live.refresh)).await.expect(200);
    let next = refreshed.field("refreshToken").to_owned();
    answer(cut.router.clone(), cut.refresh(&next)).await.expect(200);
    let person = cut.tenant.person(vestibule::tenants::Family::Organization);
    assert_eq!(cut.app.failures(person).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn R017_a_password_whose_reservation_a_crash_has_taken_is_answered_with_503_right_or_wrong() {
    // What is asynchronous stays in the server's memory, and a crash takes it.
    let cluster = Cluster::start(&["wal_writer_delay = 10s"]);
    let database = support::postgres_on(&cluster).await;
    database.migrate().await.unwrap();
    let app = TestApp::on(database, one_thread());
    let tenant = app.tenant("acme").await;
    let right = tenant.login(Family::Individual);
    let wrong = tenant.login(Family::Organization).set("password", "wrong");
    // So that what is written later finds its pages, and the log a page to itself: a full one is written out at once.
    app.send(right.request()).await.expect(200);
    app.send(wrong.request()).await.expect(401);
    app.set_hash(tenant.person(Family::Individual), &SLOW_HASH).await;
    app.set_hash(tenant.person(Family::Organization), &SLOW_HASH).await;
    app.script("select pg_switch_wal()").await;

    // Hashes that nobody has asked the database for keep the one thread for as long as a server needs to begin anew.
    let others = (0..12).map(|_| {
        let app = app.app.clone();
        let ticket = app.passwords.ticket(tenant.id.as_str()).unwrap();
        tokio::spawn(async move {
            let (presence, _guard) = Presence::new();
            let password = SecretString::from(PASSWORD);
            app.passwords.verify(ticket, password, Some(SLOW_HASH.clone()), &presence).await.unwrap()
        })
    });
    let others: Vec<_> = others.collect();
    app.begun(1).await;
    let shown = [app.send_apart(&right), app.send_apart(&wrong)];
    until("both are reserved", async || app.number_of("attempts").await == 2).await;
    cluster.crash();
    cluster.resume();
    // A change of several statements, as a conclusion is, on every connection: none is left that does not know it.
    let one = || Statement::new("select 1 as n");
    until("it takes changes again", async || {
        let changes = (0..8).map(|_| app.database.apply(Change::new().with(one()).with(one())));
        join_all(changes).await.iter().all(Result::is_ok)
    })
    .await;
    until("and is read again", async || app.database.list(one()).await.is_ok()).await;
    assert_eq!(app.number_of("attempts").await, 0, "neither was durable");
    assert!(others.iter().any(|one| !one.is_finished()), "and neither password is hashed yet");
    for login in shown {
        let answer = login.await.unwrap().expect(503);
        assert_eq!(answer.error_type(), "UNAVAILABLE", "{}", answer.text);
    }
    assert_eq!(app.number_of("sessions").await, 1, "the first login's");
    assert_eq!(app.failures(tenant.person(Family::Organization)).await, 1, "the first failure");
    app.send(right.request()).await.expect(200);
    app.send(wrong.request()).await.expect(401);
    assert_eq!(app.number_of("sessions").await, 2);
    assert_eq!(app.failures(tenant.person(Family::Organization)).await, 2);
}
