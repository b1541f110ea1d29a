//! One refresh token, hundreds of times at once, on all nodes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Barrier;

use super::{Held, Refreshed, ended, nodes, rounds, row, tell};
use crate::commands::init::Installation;
use crate::support::dice::Dice;
use crate::support::program::Server;

const STORM: usize = 500;

/// Sends them all at once; a tenth hangs up before the answer can be there, or as it comes.
async fn storm(nodes: &[Server], held: &Held, dice: &mut Dice) -> Vec<Refreshed> {
    let barrier = Arc::new(Barrier::new(STORM));
    let calls: Vec<_> = (0..STORM)
        .map(|index| {
            let (held, base, barrier) =
                (held.clone(), nodes[index % nodes.len()].public.clone(), Arc::clone(&barrier));
            let hang_up = (index % 10 == 0).then(|| Duration::from_micros(dice.below(400_000)));
            tokio::spawn(async move {
                barrier.wait().await;
                let call = held.refresh_with(&base, &held.refresh);
                match hang_up {
                    Some(after) => {
                        let _ = tokio::time::timeout(after, call).await;
                        None
                    }
                    None => Some(call.await.expect("an answer")),
                }
            })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn R087_R095_of_five_hundred_refreshes_at_once_all_get_one_successor_and_a_real_replay_still_ends_it() {
    let made = Installation::new().await;
    let nodes = nodes(&made);
    let farthest = nodes.last().unwrap();
    let mut dice = Dice::new(87);
    let (mut answered, mut busy, mut lost) = (0, 0, 0);
    for round in 0..rounds(2, 40) {
        let mut held = Held::open(&nodes[0].public, &made, &format!("phone-{round}")).await;
        let first = held.refresh.clone();
        let answers = storm(&nodes, &held, &mut dice).await;
        let successors: Vec<&Value> = answers
            .iter()
            .flatten()
            .filter(|(status, body)| {
                assert!([200, 503].contains(status), "nobody is signed out: {status} {body}");
                *status == 200
            })
            .map(|(_, body)| &body["data"]["refreshToken"])
            .collect();
        assert!(successors.len() > STORM / 4, "{} of {STORM} were answered", successors.len());
        assert!(successors.iter().all(|successor| *successor == successors[0]), "one lineage");
        answered += successors.len();
        lost += answers.iter().filter(|answer| answer.is_none()).count();
        busy += answers.iter().flatten().filter(|(status, _)| *status == 503).count();
        assert_eq!(row(&made, &held.session).await, (2, None), "one refresh, one live session");

        // Whoever got it goes on, on any node.
        successors[0].as_str().unwrap().clone_into(&mut held.refresh);
        assert_eq!(held.refresh(&farthest.public).await.unwrap().0, 200);
        for node in &nodes {
            assert_eq!(held.look(&node.public).await, 200);
        }
        // And now the first token comes again: somebody has kept it.
        let newest = held.refresh.clone();
        assert_eq!(ended(&held.refresh_with(&nodes[0].public, &first).await), "refresh_reuse");
        for node in &nodes {
            assert_eq!(ended(&held.refresh_with(&node.public, &newest).await), "refresh_reuse");
            assert_eq!(held.look(&node.public).await, 401);
        }
        assert_eq!(row(&made, &held.session).await, (3, Some("refresh_reuse".to_owned())));
    }
    tell(format_args!(
        "{answered} parallel refreshes answered with one successor each round, {lost} answers dropped, \
         {busy} asked to come back, on {} node(s)",
        nodes.len()
    ));
}
