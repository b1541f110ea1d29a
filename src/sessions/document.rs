//! `docs/sessions.md`: how long sessions live, and why they end.

use std::fmt::Write;

use crate::tenants::{Lifetimes, Profile};

use super::EndReason;

/// `docs/sessions.md`.
#[must_use]
pub fn sessions_document() -> String {
    let mut text = String::from(
        "# The life of a session\n\n\
         Made from `src/sessions/` by a test (`UPDATE_DOCS=1 cargo test --test api documents` writes it anew); do not edit.\n\n\
         ## Activity\n\n\
         A login and a refresh are activity, and nothing else is: an access token that is shown, a session that is looked at or\n\
         listed, an introspection move nothing. The idle limit counts from the latest of the two; the absolute limit is fixed\n\
         at the login and no refresh moves it. Whether a session lives is decided when it is used. Soon after, upkeep writes\n\
         down in its row how it ended, and tells what time has ended by an event (`session_expired`); nothing waits for that.\n\n\
         ## Lifetimes\n\n\
         By the tenant's `profile`; each can be set by itself ([settings.md](settings.md)). A change is in force for new\n\
         sessions at once, and for others from their next refresh on.\n\n\
         | profile | access token | idle | absolute |\n| --- | --- | --- | --- |\n",
    );
    for (name, profile) in [
        ("standard", Profile::Standard),
        ("payment", Profile::Payment),
        ("compatible", Profile::Compatible),
        ("consumer", Profile::Consumer),
    ] {
        let Lifetimes { access_seconds, idle_seconds, absolute_seconds } = profile.lifetimes();
        let [access, idle, absolute] = [access_seconds, idle_seconds, absolute_seconds].map(in_words);
        let _ = writeln!(text, "| `{name}` | {access} | {idle} | {absolute} |");
    }
    text += "\n## How many at a time\n\n\
         A user has at most `maxSessions` live sessions, exactly, however many logins come at once. At one login more\n\
         `sessionLimitAction` says what happens: `end_oldest` ends as many of the oldest as make room (`limit`); `refuse` answers\n\
         409 `SESSION_LIMIT` to whoever has the right password, opens nothing and counts no failure. What a number that was\n\
         lowered leaves over ends at the user's next login.\n\n\
         With `replaceDeviceSession` a customer's login ends the user's live sessions of the same `deviceId` first (`replaced`).\n\
         Staff's never does: their browsers may well say the same.\n\n\
         Each session that a login ends has an event of its own, with the rule that did it.\n\n\
         ## Devices\n\n\
         A login with a `deviceId` notes the device: when it was seen first, and when last. A refresh moves neither. The `id` of a\n\
         device in paths is ours, for a `deviceId` may hold anything. Whoever forgets a device ends its live sessions\n\
         (`device_forgotten`); a later login from it is told as one from a new device.\n\n\
         ## Why a session ended\n\n\
         `endReason`, with `endedAt`, is one of these, for ever the first that held. The holder of the session's own access\n\
         token is told it in the 401 `SESSION_ENDED` that follows; its timeline (`GET …/sessions/{sessionId}/events`) has who did\n\
         it, when and from where, as far as the reader may know that. An ended session is kept for `auditRetentionDays` (400)\n\
         after its end, and then deleted: its tokens are answered like those of one that never was.\n\n\
         | endReason | what it means |\n| --- | --- |\n";
    for reason in EndReason::ALL {
        let _ = writeln!(text, "| `{}` | {} |", reason.as_str(), reason.meaning());
    }
    text
}

/// A whole number of the largest unit that fits.
fn in_words(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    // 24 hours are said so; a day has no other length.
    let fits = |(unit, _): &&(i64, &str)| seconds % unit == 0 && seconds > *unit;
    let (unit, name) = units.iter().find(fits).unwrap_or(&(1, "s"));
    format!("{} {name}", seconds / unit)
}
