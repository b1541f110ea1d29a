//! PostgreSQL stopped, frozen and killed, and the wire to it cut in mid-answer. Always on PostgreSQL.

use std::time::Duration;

use super::cluster::Cluster;
use super::proxy::Proxy;
use super::{ALL, Cut, answer};
use crate::support;

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
