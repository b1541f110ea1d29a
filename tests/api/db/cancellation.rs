//! Callers that go away, at any moment, leave nothing half done and get nobody else's answer.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use vestibule::db::{Applied, Change, Database, DbError, Statement};

use super::number;
use crate::support::dice::Dice;
use crate::support::{self, TestDatabase};

const ACCOUNTS: u64 = 6;

async fn accounts() -> TestDatabase {
    let database = support::database().await;
    let script = "create table accounts (id bigint primary key, balance bigint not null) /*table*/;\
                  create table transfers (tag text primary key, amount bigint not null) /*table*/;";
    database.execute_script(script).await.unwrap();
    for id in 0..ACCOUNTS {
        let account = Statement::new("insert into accounts (id, balance) values ($1, 1000)");
        database.apply(account.bind(i64::try_from(id).unwrap())).await.unwrap();
    }
    database
}

fn transfer(tag: &str, dice: &mut Dice) -> Change {
    let [from, to, amount] = [ACCOUNTS, ACCOUNTS, 50].map(|limit| i64::try_from(dice.below(limit)).unwrap());
    let moved = |sql, id| Statement::new(sql).bind(amount).bind(id).bind(tag);
    let give = "update accounts set balance = balance - $1 where id = $2 and balance >= $1 \
                returning balance, cast($3 as text) as tag";
    let take =
        "update accounts set balance = balance + $1 where id = $2 returning balance, cast($3 as text) as tag";
    let note = "insert into transfers (tag, amount) values ($1, $2) returning tag";
    let (give, take) =
        (moved(give, from).must_change("enough money"), moved(take, to).must_change("an account"));
    // One order of locks for all, so that this is no test of deadlocks.
    let change =
        if from < to { Change::new().with(give).with(take) } else { Change::new().with(take).with(give) };
    change.with(Statement::new(note).bind(tag).bind(amount))
}

/// Polls `future` at most so many times, and drops it.
async fn polled<T>(future: impl Future<Output = T>, times: u64) -> Option<T> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn given_up<T>(future: impl Future<Output = T>, dice: &mut Dice) -> Option<T> {
    match dice.below(4) {
        0 => polled(future, dice.below(3)).await,
        1 | 2 => tokio::time::timeout(Duration::from_micros(dice.below(4000)), future).await.ok(),
        _ => Some(future.await),
    }
}

fn check(tag: &str, applied: &Applied) {
    for index in 0..3 {
        assert_eq!(applied.rows(index)[0].text("tag").unwrap(), tag, "an answer of somebody else's");
    }
}

/// One tenant's traffic; how many transfers were acknowledged, and how many given up.
async fn traffic(database: Database, seed: u64) -> (Vec<String>, usize) {
    let mut dice = Dice::new(seed);
    let (mut acknowledged, mut given_up_on) = (Vec::new(), 0);
    for index in 0..60 {
        let tag = format!("{seed}-{index}");
        let change = transfer(&tag, &mut dice);
        match given_up(database.apply(change), &mut dice).await {
            Some(Ok(applied)) => {
                check(&tag, &applied);
                acknowledged.push(tag.clone());
            }
            Some(Err(DbError::Refused("enough money"))) => {}
            Some(Err(other)) => panic!("{other:?}"),
            None => given_up_on += 1,
        }
        let echo = || Statement::new("select cast($1 as text) as tag").bind(&*tag);
        for answer in [
            given_up(database.fetch(echo()), &mut dice).await,
            given_up(database.list(echo()), &mut dice).await,
        ]
        .into_iter()
        .flatten()
        {
            assert_eq!(answer.unwrap()[0].text("tag").unwrap(), tag, "an answer of somebody else's");
        }
    }
    (acknowledged, given_up_on)
}

#[tokio::test(flavor = "multi_thread")]
async fn R164_a_dropped_caller_leaves_no_half_change_and_gets_no_other_answer() {
    let database = accounts().await;
    let tenants = (0..12).map(|seed| tokio::spawn(traffic((*database).clone(), seed)));
    let (mut acknowledged, mut given_up_on) = (Vec::new(), 0);
    for result in join_all(tenants).await {
        let (tags, dropped) = result.unwrap();
        acknowledged.extend(tags);
        given_up_on += dropped;
    }
    assert!(given_up_on > 50, "only {given_up_on} were given up");
    // What was given up may still be on its way; it ends before the database has closed.
    database.close().await;
    let after = database.open_again().await;

    let sum = Statement::new("select cast(sum(balance) as bigint) as n from accounts");
    assert_eq!(number(&after, sum).await, i64::try_from(ACCOUNTS).unwrap() * 1000);
    let tags = after.list(Statement::new("select tag from transfers")).await.unwrap();
    let tags: std::collections::HashSet<_> = tags.iter().map(|row| row.text("tag").unwrap()).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|tag| !tags.contains(*tag)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(tags.len() <= acknowledged.len() + given_up_on);
}

#[tokio::test]
async fn R164_a_change_whose_caller_goes_at_once_still_ends() {
    let database = accounts().await;
    for index in 0..20 {
        let note =
            Statement::new("insert into transfers (tag, amount) values ($1, 0)").bind(format!("{index}"));
        let change = Change::new().with(note.clone()).with(Statement::new("select 1 as one"));
        assert!(polled(database.apply(change), 1).await.is_none());
    }
    database.close().await;
    let after = database.open_again().await;
    assert_eq!(number(&after, Statement::new("select count(*) as n from transfers")).await, 20);
}
