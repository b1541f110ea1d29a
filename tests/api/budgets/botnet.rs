//! A botnet that guesses passwords and device ids for days.

use super::{INDIVIDUAL, MINUTE, from, is_locked, phone, proven, start};
use crate::support::app::LoginCall;
use crate::support::dice::Dice;

#[tokio::test]
async fn R019_R020_a_botnet_never_keeps_the_owner_out_and_never_exceeds_its_bound() {
    let (app, tenant) = start().await;
    let mut dice = Dice::new(20);
    let mut opened = app.on_the_phone(&tenant).await;
    let user = tenant.person(INDIVIDUAL).id.clone();
    let (mut logins, mut refused) = (0, 0);
    // When an attempt of the botnet's was compared with the stored hash.
    let mut compared: Vec<i64> = Vec::new();
    for _ in 0..2_000 {
        app.clock.advance(i64::try_from(dice.below(4 * 60_000)).unwrap());
        let address = format!("198.{}.{}.{}", 18 + dice.below(2), dice.below(256), dice.below(256));
        // One in three has heard what the owner's phone is called.
        let device =
            if dice.below(3) == 0 { "phone".to_owned() } else { format!("phone-{}", dice.below(50)) };
        let mut call: LoginCall =
            from(&tenant, &address, &device).set("password", format!("guess-{}", dice.below(1_000)));
        if dice.below(2) == 0 {
            let mut forged = opened.refresh.clone();
            forged.replace_range(60..61, if &forged[60..61] == "A" { "B" } else { "A" });
            call = proven(call, &forged);
        }
        let answer = app.send(call.request()).await.expect(401);
        if is_locked(&answer) {
            refused += 1;
        } else {
            compared.push(app.clock.now().as_millis());
        }
        if dice.below(25) == 0 {
            // The owner, at home or on the way, mistypes now and then.
            let address = if dice.below(2) == 0 { "203.0.113.9" } else { "192.0.2.44" };
            let own = proven(from(&tenant, address, "phone"), &opened.refresh);
            if dice.below(3) == 0 {
                app.fail(&own, 2).await;
            }
            let answer = app.send(own.request()).await.expect(200);
            assert_eq!(app.proof_of(&tenant, &answer).await, "full");
            answer.field("refreshToken").clone_into(&mut opened.refresh);
            logins += 1;
        }
    }
    assert!(logins > 40 && refused > 1_000, "{logins} logins, {refused} refused");
    assert_eq!(compared.len(), 100, "in all, whatever the pace");
    for window in compared.windows(6) {
        assert!(window[5] - window[0] >= 30 * MINUTE, "five in half an hour: {window:?}");
    }
    let fail = app.login_events(&tenant).await;
    let strangers = fail.iter().filter(|event| {
        event.reason.as_deref() == Some("wrong_password") && event.details["proof"] == "none"
    });
    assert_eq!(strangers.count(), 100);
    assert_eq!(app.budgets(&user).await, [("none".to_owned(), 0, 100)]);
    // The way back for the owner on a new phone: the password set anew, or staff.
    assert!(is_locked(&app.send(from(&tenant, "203.0.113.9", "new phone").request()).await));
    app.send(phone(&tenant).request()).await.expect(200);
}
