//! Honest apps on bad networks, in simulated time: none is signed out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde_json::json;
use vestibule::tenants::{Family, Settings};

use super::{rounds, tell};
use crate::support::app::{Answer, NIL, TestApp, TestTenant};
use crate::support::calls::{Call, session_path};
use crate::support::dice::Dice;

const PHONES: usize = 40;
const SECOND: i64 = 1_000;

/// What a network does to the calls of one refresh.
#[derive(Clone, Copy)]
enum Network {
    /// An outage now and then: for 2 to 45 seconds requests or answers are lost, then the call gets through.
    Outages,
    /// Every answer is lost with a chance of one in ten, and the app asks again after 2 to 45 seconds.
    Lossy,
}

struct Phone {
    name: String,
    session: String,
    refresh: String,
    opened_at: i64,
    /// While it gets no answer: when the outage is over.
    outage_until: Option<i64>,
}

/// What came of it.
#[derive(Default)]
struct Tally {
    refreshes: usize,
    lost: usize,
    twins: usize,
    signed_out: usize,
}

struct World {
    app: TestApp,
    tenant: TestTenant,
    dice: Dice,
    now: i64,
    tally: Tally,
}

impl World {
    async fn new(settings: Settings, seed: u64) -> (Self, Vec<Phone>) {
        let app = TestApp::start().await;
        let tenant = app.tenant_with("acme", settings).await;
        let mut world = Self { app, tenant, dice: Dice::new(seed), now: 0, tally: Tally::default() };
        let mut phones = Vec::new();
        for index in 0..PHONES {
            let name = format!("phone-{index}@example.test");
            world.app.another(&world.tenant, Family::Individual, &name).await;
            phones.push(world.log_in(name).await);
        }
        (world, phones)
    }

    async fn log_in(&mut self, name: String) -> Phone {
        let opened = self.app.open_as(&self.tenant, Family::Individual, &name).await;
        let (session, refresh) = (opened.session, opened.refresh);
        Phone { name, session, refresh, opened_at: self.now, outage_until: None }
    }

    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + i64::try_from(self.dice.below(u64::try_from(most - least).unwrap())).unwrap()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.dice.below(100) < percent
    }

    async fn refresh(&self, phone: &Phone) -> Answer {
        let call = Call::new("PUT", session_path(Family::Individual, NIL, NIL, &phone.session));
        let call = call.tenant(&self.tenant.slug).and("deviceid", "device-1");
        self.app.call(call.json(&json!({ "refreshToken": phone.refresh }))).await
    }

    /// The app's next step; answers when the one after it is due.
    async fn step(&mut self, phone: &mut Phone, network: Network) -> i64 {
        // A day's session ends as it must; the person logs in again.
        if self.now - phone.opened_at > 11 * 3_600 * SECOND {
            *phone = self.log_in(std::mem::take(&mut phone.name)).await;
            return self.now + 200 * SECOND;
        }
        let lost = match network {
            Network::Outages => {
                if phone.outage_until.is_none() && self.chance(25) {
                    phone.outage_until = Some(self.now + self.between(2 * SECOND, 45 * SECOND));
                }
                phone.outage_until.is_some_and(|until| self.now < until)
            }
            Network::Lossy => self.chance(10),
        };
        if lost {
            // Half of what is lost in an outage has reached the server; of a lossy network's answers all have.
            if matches!(network, Network::Lossy) || self.chance(50) {
                let answer = self.refresh(phone).await;
                if answer.status == 401 {
                    return self.signed_out(phone, &answer).await;
                }
                self.tally.lost += 1;
            }
            return match (network, phone.outage_until) {
                (Network::Outages, Some(until)) => {
                    (self.now + self.between(2 * SECOND, 15 * SECOND)).min(until)
                }
                _ => self.now + self.between(2 * SECOND, 45 * SECOND),
            };
        }
        phone.outage_until = None;
        // Now and then two of the app's windows refresh at once, with the same token.
        let twins = self.chance(10);
        let answer = if twins {
            let (one, other) = tokio::join!(self.refresh(phone), self.refresh(phone));
            if one.status == 200 && other.status == 200 {
                assert_eq!(one.field("refreshToken"), other.field("refreshToken"), "one successor");
            }
            self.tally.twins += 1;
            if one.status == 200 { other } else { one }
        } else {
            self.refresh(phone).await
        };
        if answer.status != 200 {
            return self.signed_out(phone, &answer).await;
        }
        self.tally.refreshes += 1;
        answer.field("refreshToken").clone_into(&mut phone.refresh);
        // In front: soon before the access token ends. In the background: whenever it comes back.
        if self.chance(15) {
            self.now + self.between(300 * SECOND, 1_700 * SECOND)
        } else {
            self.now + self.between(200 * SECOND, 290 * SECOND)
        }
    }

    async fn signed_out(&mut self, phone: &mut Phone, answer: &Answer) -> i64 {
        assert_eq!(answer.status, 401, "{}", answer.text);
        self.tally.signed_out += 1;
        *phone = self.log_in(std::mem::take(&mut phone.name)).await;
        self.now + 200 * SECOND
    }

    /// Lets them live until so many refreshes have been answered.
    async fn live(mut self, mut phones: Vec<Phone>, network: Network, refreshes: usize) -> Tally {
        let mut due: BinaryHeap<_> =
            (0..phones.len()).map(|index| Reverse((self.between(0, 300 * SECOND), index))).collect();
        while self.tally.refreshes < refreshes {
            let Reverse((at, index)) = due.pop().unwrap();
            self.app.clock.advance(at - self.now);
            self.now = at;
            let next = self.step(&mut phones[index], network).await;
            due.push(Reverse((next, index)));
        }
        self.tally
    }
}

#[tokio::test]
async fn R095_no_honest_app_is_signed_out_by_outages_of_up_to_45_seconds() {
    let (world, phones) = World::new(Settings::default(), 95).await;
    let tally = world.live(phones, Network::Outages, rounds(2_000, 100_000)).await;
    let Tally { refreshes, lost, twins, signed_out } = tally;
    tell(format_args!(
        "{refreshes} refreshes of {PHONES} phones, {lost} answers lost, {twins} twice at once, {signed_out} signed out"
    ));
    assert!(lost > refreshes / 20 && twins > refreshes / 20, "the network was bad");
    assert_eq!(signed_out, 0);
}

/// Answers that are lost again and again can outlast a minute: a tenant whose users are on the road has a longer grace.
#[tokio::test]
async fn R095_with_the_longest_grace_not_even_answers_lost_at_random_sign_anybody_out() {
    for grace in [600, 120, 60] {
        let settings = Settings { refresh_grace_seconds: grace, ..Settings::default() };
        let (world, phones) = World::new(settings, 96).await;
        let tally = world.live(phones, Network::Lossy, rounds(500, 100_000)).await;
        let Tally { refreshes, lost, signed_out, .. } = tally;
        tell(format_args!(
            "grace {grace} s: {refreshes} refreshes, {lost} answers lost at random, {signed_out} signed out"
        ));
        if grace == 600 {
            assert_eq!(signed_out, 0);
        }
    }
}
