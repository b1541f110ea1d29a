//! A botnet that guesses passwords, device ids and tenant keys for days, also from the owner's own address, against what
//! is shipped: all limits are on.

use super::{INDIVIDUAL, MINUTE, from, is_locked, proven};
use crate::support::app::{LoginCall, TestApp, Wanted};
use crate::support::dice::Dice;

/// The owner's, at home and on the way: somebody else has them, too.
const OWN: [&str; 2] = ["203.0.113.9", "192.0.2.44"];

#[tokio::test]
async fn R019_R020_R024_a_botnet_never_keeps_the_owner_out_and_never_exceeds_its_bound() {
    let wanted = Wanted {
        trusted_proxies: vec!["127.0.0.1/32"],
        source_limits: true,
        request_limits: true,
        ..Wanted::default()
    };
    let app = TestApp::start_with(wanted).await;
    let tenant = app.tenant("acme").await;
    let mut dice = Dice::new(20);
    let own = |number: usize| from(&tenant, OWN[number % 2], "phone");
    let first = app.send(own(0).request()).await.expect(200);
    let mut proof = first.field("refreshToken").to_owned();
    let mut refused = std::collections::BTreeMap::new();
    let mut logins = 0;
    for _ in 0..1_200 {
        app.clock.advance(i64::try_from(dice.below(4 * 60_000)).unwrap());
        // One in four shares an address with the owner.
        let elsewhere = format!("198.{}.{}.{}", 18 + dice.below(2), dice.below(256), dice.below(256));
        let address = if dice.below(4) == 0 { OWN[usize::from(dice.below(2) == 0)] } else { &elsewhere };
        // One in three has heard what the owner's phone is called.
        let device =
            if dice.below(3) == 0 { "phone".to_owned() } else { format!("phone-{}", dice.below(50)) };
        let mut call: LoginCall =
            from(&tenant, address, &device).set("password", format!("guess-{}", dice.below(1_000)));
        if dice.below(2) == 0 {
            let mut forged = proof.clone();
            forged.replace_range(60..61, if &forged[60..61] == "A" { "B" } else { "A" });
            call = proven(call, &forged);
        }
        // One in four has no key that opens, and tries some more of them at once.
        let mut times = 1;
        if dice.below(4) == 0 {
            call = call.set("tenantSecret", format!("guess-{}", dice.below(1_000)));
            times = 12;
        }
        for _ in 0..times {
            let answer = app.send(call.request()).await;
            let told = if is_locked(&answer) { 423 } else { answer.status.as_u16() };
            *refused.entry(told).or_insert(0) += 1;
        }
        if times > 1 || dice.below(25) == 0 {
            // The owner mistypes now and then.
            let own = proven(own(dice.below(2).try_into().unwrap()), &proof);
            if dice.below(3) == 0 {
                app.fail(&own, 2).await;
            }
            let answer = app.send(own.request()).await.expect(200);
            answer.field("refreshToken").clone_into(&mut proof);
            logins += 1;
        }
    }
    assert_eq!(
        refused.keys().copied().collect::<Vec<_>>(),
        [401, 403, 423, 429],
        "nobody got in: {refused:?}"
    );
    assert!(logins > 200 && refused.values().all(|number| *number > 50), "{logins} logins, {refused:?}");
    let events = app.login_events(&tenant).await;
    let proven_by = |event: &&crate::support::login::Event, word| event.details["proof"] == word;
    let successes = events.iter().filter(|event| event.name == "authn_login_success");
    assert_eq!(successes.skip(1).filter(|event| proven_by(event, "full")).count(), logins);
    for word in ["none", "half"] {
        let compared = events
            .iter()
            .filter(|event| event.reason.as_deref() == Some("wrong_password") && proven_by(event, word));
        let compared: Vec<_> = compared.map(|event| event.occurred_at.as_millis()).collect();
        assert!(!compared.is_empty() && compared.len() <= 100, "{word}: {} in all", compared.len());
        for window in compared.windows(6) {
            assert!(window[5] - window[0] >= 30 * MINUTE, "{word}: five in half an hour: {window:?}");
        }
    }
    // The way back for the owner on a new phone: the password set anew, or staff.
    let budgets = app.budgets(&tenant.person(INDIVIDUAL).id).await;
    assert!(budgets.iter().any(|(word, _, total)| word == "none" && *total == 100), "{budgets:?}");
    assert!(is_locked(&app.send(from(&tenant, "192.0.2.200", "new phone").request()).await));
    app.send(proven(own(1), &proof).request()).await.expect(200);
}
