//! What each event means and what its details hold: for `docs/events.md`, and for those who write events.

use std::fmt::Write;

use serde_json::Value;

use super::EventName;

/// A detail's name and what it says.
type Detail = (&'static str, &'static str);

const FAMILY: Detail =
    ("family", "The family of calls by which it was tried: `individual`, `organization` or `admin`.");
const SUBJECT: Detail = (
    "subject",
    "Whose failures were counted: `user:` and an id, with `/half:` or `/full:` and a device's id where something was proven, or `name:` and a digest where nobody has the name.",
);
const PROOF: Detail = (
    "proof",
    "What the caller had shown of having been let in before: `none`, `half` (a device and a network) or `full` (a refresh token).",
);
const BEFORE: Detail = ("before", "What it was.");
const AFTER: Detail = ("after", "What it is now.");
const NOTE: Detail = ("note", "What was said of it, if anything.");
const KID: Detail = ("kid", "The signing key's id.");
const KEY_ID: Detail = ("keyId", "The tenant key's id, which is not the key.");
const OPERATOR: Detail = ("operatorId", "Which operator.");
const FIELDS: Detail = ("fields", "The names of the fields that are other ones now, not what they hold.");

impl EventName {
    /// What happened.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::AuthnLoginSuccess => "A session was opened.",
            Self::AuthnLoginFail => "A login failed; the reason says why, which its answer did not.",
            Self::AuthnLoginFailMax => {
                "A failure after which few are left, at whatever pace, before callers with this proof are shut out for good."
            }
            Self::AuthnLoginLock => {
                "A name was locked for callers with this proof: for a while, or for good where the reason is `too_many_failures_in_all`. The failures have events of their own."
            }
            Self::AuthnLoginUnlock => "Somebody took a user's locks away, and forgot the failures.",
            Self::AuthnLoginNewDevice => {
                "A user's first login from this device, beside the login's own event. None where a login names no device."
            }
            Self::AuthnPasswordChange => "A password was set or changed; the actor says by whom.",
            Self::AuthnPasswordChangeFail => "A change of a password failed; the reason says why.",
            Self::AuthnPasswordResetRequest => "Somebody asked for a secret that sets a new password.",
            Self::AuthzFail => {
                "A credential of the tenant's was shown at another tenant three times or more in a minute, and refused each time."
            }
            Self::ExcessRateLimitExceeded => {
                "An address was shut out for a while; the reason says why. Other refusals by a limit (429) leave no event."
            }
            Self::SessionExpired => "A session was ended; the reason says why.",
            Self::SessionsEnded => {
                "Sessions were ended together: all of a user or the tenant, or all that a search finds."
            }
            Self::SessionNetworkChanged => {
                "A session was refreshed from a network it was not used from before."
            }
            Self::DeviceForgotten => "A user's device was forgotten, and its sessions ended.",
            Self::AuthnTokenReuse => {
                "A refresh token that was used up came again, outside of the grace: its session was ended."
            }
            Self::AuthnRefreshFail => {
                "A refresh token that holds was refused; the reason says why. What does not hold leaves no event."
            }
            Self::StoreRolledBack => {
                "A refresh token is ahead of its session's row: the database has lost what it had acknowledged."
            }
            Self::StoreRestored => {
                "The database was replaced by an older copy of itself: every session that was opened before has ended."
            }
            Self::CustomerCreated => "A customer was made.",
            Self::CustomerUpdated => "A customer's data are other ones.",
            Self::CustomerStatusChanged => "A customer was suspended, resumed or closed.",
            Self::CustomerErased => "What was personal of a customer was erased.",
            Self::UserCreated => "A user was made.",
            Self::UserUpdated => "A user's data are other ones.",
            Self::UserStatusChanged => "A user was suspended, resumed or closed.",
            Self::UserErased => "What was personal of a user was erased.",
            Self::UsersImported => "Users were brought from elsewhere.",
            Self::UsersExported => "Users were written out, with their hashes.",
            Self::PrivilegePermissionsChanged => "A user has other roles.",
            Self::TenantCreated => "The tenant was made.",
            Self::TenantUpdated => "The tenant has other settings, another name or another signing key.",
            Self::TenantStatusChanged => "The tenant was suspended, resumed or deleted.",
            Self::TenantKeyCreated => "A tenant key was made.",
            Self::TenantKeyRevoked => "A tenant key was revoked.",
            Self::SigningKeyCreated => "A signing key was made; it signs from the instant in the details on.",
            Self::SigningKeyRetired => "A signing key counts no longer.",
            Self::OperatorCreated => "An operator was made.",
            Self::OperatorRevoked => "An operator was revoked.",
            Self::MasterKeyAdded => {
                "A line was made, made current or put back in the master key file; told just before the file is another one."
            }
            Self::MasterKeyRetired => {
                "A line was taken out of the master key file; told just before the file is another one."
            }
            Self::AuditEventsDeleted => "Events were deleted for their age. What is sealed of them stays.",
            Self::RefusalsSummary => "What was refused before any tenant was known, counted by the minute.",
        }
    }

    /// What its details may hold; what does not apply is left out or null.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a table: a line a word")]
    pub const fn details(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::AuthnLoginSuccess => &[
                ("family", "The session's family: `individual`, `organization` or `admin`."),
                ("amr", "By what the user was recognised: `pwd`, a password."),
                ("tenantKey", "The id of the tenant key that opened it, which is not the key."),
                PROOF,
            ],
            Self::AuthnLoginFail
            | Self::AuthnLoginFailMax
            | Self::AuthnLoginLock
            | Self::AuthnPasswordChangeFail => &[FAMILY, SUBJECT, PROOF],
            Self::AuthnLoginUnlock => {
                &[("lock", "The lock's id, which says whose it was; null for all of them.")]
            }
            Self::AuthnLoginNewDevice => {
                &[("firstDevice", "Whether the user had logged in from no device before.")]
            }
            Self::AuthnPasswordChange => &[("family", "The family of the user.")],
            Self::AuthnPasswordResetRequest => &[
                ("validSeconds", "How long the secret is good."),
                ("passwordRemoved", "Whether the password was taken away with it."),
            ],
            Self::AuthzFail => &[
                ("credential", "`access_token`, `refresh_token` or `backend_key`."),
                ("attempts", "How often by now in this minute; more than ten are not counted."),
            ],
            Self::ExcessRateLimitExceeded => &[
                ("limit", "Which limit it was: `login-spray`."),
                ("until", "Until when only who has proven something gets in from there."),
            ],
            Self::SessionExpired => &[
                ("family", "The session's family."),
                ("endedAt", "When it ended, where that was not now."),
                ("rule", "The rule or setting that ended it, with its value."),
                ("operationId", "The operation that ended it together with others."),
                ("generation", "How often it had been refreshed, and the login."),
            ],
            Self::SessionsEnded => &[
                ("of", "`user`, `tenant`, or `search`."),
                ("kept", "Whether the session in which it was asked for lives on."),
                ("operationId", "The operation's id."),
                ("state", "`started` or `finished`."),
                ("ended", "How many sessions it has ended."),
                ("filter", "The names of what was searched by, not what was searched for."),
            ],
            Self::SessionNetworkChanged => &[("known", "How many networks it was used from before.")],
            Self::AuthnTokenReuse | Self::StoreRolledBack => &[
                ("generation", "Which of the session's refresh tokens came, counted from 1."),
                ("current", "Which one the session's row has."),
                ("rule", "The setting by which it was one too old, with its value."),
            ],
            Self::StoreRestored => &[
                ("tenants", "Under the system tenant: how many tenants' sessions have ended."),
                ("resets", "Under the system tenant: how many reset secrets are void."),
            ],
            Self::AuthnRefreshFail => &[("generation", "Which of the session's refresh tokens came.")],
            Self::CustomerCreated => {
                &[("kind", "`individual` or `organization`."), ("status", "Its status.")]
            }
            Self::CustomerUpdated | Self::UserUpdated => &[FIELDS],
            Self::CustomerStatusChanged | Self::UserStatusChanged | Self::PrivilegePermissionsChanged => {
                &[BEFORE, AFTER, NOTE]
            }
            Self::CustomerErased | Self::UserErased => &[],
            Self::DeviceForgotten => &[("device", "The device's id in paths, which is not the app's.")],
            Self::UserCreated => &[("kind", "`customer` or `staff`."), ("roles", "The user's roles.")],
            Self::UsersImported => &[
                ("file", "SHA-256 of the file; null for standard input."),
                ("firstLine", "The first line that this event is about."),
                ("lastLine", "The last one."),
                ("created", "Users made of these lines."),
                ("present", "Lines whose user was there already."),
                ("refused", "Lines that were refused."),
            ],
            Self::UsersExported => &[("users", "How many there were when it began.")],
            Self::TenantCreated => &[
                ("slug", "Its slug."),
                ("settings", "Its settings."),
                ("keys", "Its first tenant keys, by id and purpose."),
                ("signingKid", "Its first signing key."),
            ],
            Self::TenantUpdated => &[
                ("name", "Both names, where it has another one."),
                ("settings", "The settings that are other ones, each with both values."),
                ("origins", "The web origins before and now, where they are others."),
                ("signingKid", "The signing keys before and now, where another one signs."),
            ],
            Self::TenantStatusChanged => {
                &[("to", "What it is now."), ("slug", "Its slug, when it is deleted."), NOTE]
            }
            Self::TenantKeyCreated => &[
                KEY_ID,
                ("purpose", "`login` or `backend`."),
                ("name", "What people call it."),
                ("expiresAt", "When it ends by itself; null: never."),
                ("broughtAlong", "Whether key and secret came from elsewhere."),
            ],
            Self::TenantKeyRevoked => &[KEY_ID],
            Self::SigningKeyCreated => {
                &[KID, ("algorithm", "What it signs by."), ("signsFrom", "From when on it signs.")]
            }
            Self::SigningKeyRetired => {
                &[KID, ("atOnce", "Whether it was taken away before its last token was dead.")]
            }
            Self::OperatorCreated => &[OPERATOR, ("expiresAt", "When the token ends; null: never.")],
            Self::OperatorRevoked => &[OPERATOR],
            Self::MasterKeyAdded | Self::MasterKeyRetired => &[("masterKeyId", "The line's id.")],
            Self::AuditEventsDeleted => &[
                ("until", "The position up to which events may be missing now."),
                ("before", "The instant before which all of them happened."),
                (
                    "note",
                    "The position, signed with the log's root there: without it nothing that is missing is taken for old.",
                ),
            ],
            Self::RefusalsSummary => &[
                ("malformed", "Requests that could not be read."),
                ("tenant", "Requests of an unknown or wrongly authenticated tenant."),
                ("limited", "Requests that were over a limit."),
                ("unavailable", "Requests that were refused for want of room, or of the database."),
            ],
        }
    }

    /// Whether it stands under a tenant of Vestibule's and so in its feed; the others stand under the system tenant.
    #[must_use]
    pub const fn is_of_tenants(self) -> bool {
        !matches!(
            self,
            Self::OperatorCreated
                | Self::OperatorRevoked
                | Self::MasterKeyAdded
                | Self::MasterKeyRetired
                | Self::RefusalsSummary
        )
    }

    /// The first of these details that is not described above.
    pub(super) fn undescribed(self, details: &Value) -> Option<String> {
        let mut names = details.as_object()?.keys();
        names.find(|name| !self.details().iter().any(|(known, _)| known == name)).cloned()
    }
}

/// `docs/events.md`.
#[must_use]
pub fn events_document() -> String {
    let mut text = String::from(
        "# Events\n\n\
         Made by a test from `src/events/` (`UPDATE_DOCS=1 cargo test --test api documents` writes it anew); do not edit.\n\n\
         An event is written in the same change as what it tells of, and gets its number within a quarter of a second. Each\n\
         tenant's events are numbered from 1, without a gap, in the order in which they became durable. The tenant's backend\n\
         and staff read them by `GET /api/v2.1/events`:\n\n\
         - `after` is the `nextCursor` of the page before, with the same filters; without it the feed begins at the first\n\
         \x20 event. `nextCursor` is always there: keep it, and ask again with it later. No event is missed or told twice.\n\
         - `type` is one or more of the words below, separated by commas.\n\
         - `userId`, `sessionId`, `occurredAfter` and `occurredBefore` leave out what is another user's, session's or time's.\n\
         - `more` says whether to ask again at once. With filters a page may be short, or empty, although more follow.\n\n\
         `personal` (addresses, agent, device, a free `reason`) is null where no request did it, and once the person is erased. New words and new\n\
         details may come with any version; readers pass over what they do not know.\n",
    );
    let mut table = |title: &str, of_tenants: bool| {
        write!(
            text,
            "\n## {title}\n\n| type | outcome | what happened | details |\n| --- | --- | --- | --- |\n"
        )?;
        for name in EventName::ALL.into_iter().filter(|name| name.is_of_tenants() == of_tenants) {
            let details: Vec<_> =
                name.details().iter().map(|(detail, says)| format!("`{detail}`: {says}")).collect();
            let (word, outcome) = (name.as_str(), name.outcome());
            writeln!(text, "| `{word}` | {outcome} | {} | {} |", name.meaning(), details.join("<br>"))?;
        }
        Ok::<(), std::fmt::Error>(())
    };
    table("A tenant's", true)
        .and_then(|()| table("Vestibule's own", false))
        .expect("a String can be written to");
    text += "\nVestibule's own stand under the system tenant, which nobody can ask for.\n";
    text
}
