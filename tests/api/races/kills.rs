//! A server that is killed while sessions are refreshed.

use std::time::Duration;

use super::{Held, ended, nodes, rounds, row, tell};
use crate::commands::init::Installation;
use crate::support::dice::Dice;
use crate::support::program::Server;

const PHONES: usize = 6;

/// An app with all the refresh tokens it was ever given, the current one last.
struct Phone {
    held: Held,
    given: Vec<String>,
}

impl Phone {
    async fn open(base: &str, made: &Installation, device: &str) -> Self {
        let held = Held::open(base, made, device).await;
        let given = vec![held.refresh.clone()];
        Self { held, given }
    }

    /// Refreshes until the server is gone: how many were acknowledged.
    async fn refresh_until_it_dies(&mut self, base: &str) -> usize {
        let mut acknowledged = 0;
        while let Some((status, body)) = self.held.refresh(base).await {
            match status {
                200 => {
                    acknowledged += 1;
                    self.given.push(self.held.refresh.clone());
                }
                503 => tokio::time::sleep(Duration::from_millis(5)).await,
                _ => panic!("signed out by a kill: {status} {body}"),
            }
        }
        acknowledged
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn R090_R155_a_kill_amid_refreshes_leaves_each_session_one_live_successor_and_spent_tokens_spent() {
    let made = Installation::new().await;
    let mut dice = Dice::new(155);
    let mut servers = nodes(&made);
    let mut phones = Vec::new();
    for phone in 0..PHONES {
        phones.push(Phone::open(&servers[0].public, &made, &format!("phone-{phone}")).await);
    }
    let (mut acknowledged, mut ahead, mut replays) = (0, 0, 0);
    let cycles = rounds(20, 120);
    for cycle in 0..cycles {
        let work: Vec<_> = phones
            .drain(..)
            .enumerate()
            .map(|(index, mut phone)| {
                let base = servers[index % servers.len()].public.clone();
                tokio::spawn(async move {
                    let number = phone.refresh_until_it_dies(&base).await;
                    (phone, number)
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(20_000 + dice.below(150_000))).await;
        servers.iter_mut().for_each(Server::kill);
        for phone in work {
            let (phone, number) = phone.await.unwrap();
            phones.push(phone);
            acknowledged += number;
        }
        servers = nodes(&made);
        let base = servers.last().unwrap().public.clone();
        for phone in &mut phones {
            // What was acknowledged is there; at most the one refresh under way is beside it.
            let (generation, end) = row(&made, &phone.held.session).await;
            let known = i64::try_from(phone.given.len()).unwrap();
            assert!(generation == known || generation == known + 1, "{generation}, of {known} given");
            assert_eq!(end, None);
            ahead += generation - known;
            // The app asks again with what it has, and gets the one successor, also when it asks twice.
            let before = phone.held.refresh.clone();
            assert_eq!(phone.held.refresh(&base).await.unwrap().0, 200, "signed out by a kill");
            let (status, again) = phone.held.refresh_with(&base, &before).await.unwrap();
            assert_eq!((status, again["data"]["refreshToken"].as_str()), (200, Some(&*phone.held.refresh)));
            phone.given.push(phone.held.refresh.clone());
            assert_eq!(row(&made, &phone.held.session).await, (known + 1, None));
        }
        // One phone's spent tokens are tried, by whoever has kept them. The kill may have come before it had any.
        let phone = &mut phones[cycle % PHONES];
        let spent = phone.given.len() - 2;
        if spent == 0 {
            continue;
        }
        let old = phone.given[usize::try_from(dice.below(spent as u64)).unwrap()].clone();
        assert_eq!(ended(&phone.held.refresh_with(&base, &old).await), "refresh_reuse");
        let newest = phone.held.refresh.clone();
        assert_eq!(ended(&phone.held.refresh_with(&base, &newest).await), "refresh_reuse");
        let device = phone.held.device.clone();
        *phone = Phone::open(&base, &made, &device).await;
        replays += 1;
    }
    assert!(acknowledged > cycles && replays > 0, "{acknowledged} refreshes only");
    tell(format_args!(
        "{cycles} kills, {acknowledged} acknowledged refreshes, none lost; {ahead} were durable and not yet \
         acknowledged; {replays} replays of spent tokens found"
    ));
}
