//! The users' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{CustomerId, SessionId, TenantId, UserId};
use crate::passwords::PasswordHash;
use crate::spelling::search_text;

use super::{LoginName, Metadata, PersonDetails, Phone, User, UserKind};

/// The columns [`super::User::from_row`] reads, of `users u` and `customers c`.
macro_rules! user_columns {
    () => {
        "u.id as user_id, u.kind as user_kind, u.status as user_status, u.roles as user_roles, \
         u.sessions_not_before as user_sessions_not_before, u.sessions_end_reason as user_sessions_end_reason, \
         u.session_kept as user_session_kept, c.id as customer_id, c.kind as customer_kind, \
         c.status as customer_status, c.sessions_not_before as customer_sessions_not_before, \
         c.sessions_end_reason as customer_sessions_end_reason"
    };
}
pub(crate) use user_columns;

/// The columns [`super::UserProfile::from_row`] reads, of `users u`.
macro_rules! user_profile_columns {
    () => {
        "u.email as user_email, u.first_name as user_first_name, u.last_name as user_last_name, \
         u.full_name as user_full_name, u.gender as user_gender, u.phones as user_phones, \
         u.metadata as user_metadata, u.last_login_at as user_last_login_at, u.created_at as user_created_at, \
         u.updated_at as user_updated_at"
    };
}
pub(crate) use user_profile_columns;

/// The columns [`super::StoredPassword::from_row`] reads, of `users u`.
macro_rules! user_password_columns {
    () => {
        "u.password_hash as user_password_hash, u.password_version as user_password_version"
    };
}
pub(crate) use user_password_columns;

/// A user that is being made.
#[derive(Clone, Debug)]
pub struct NewUser<'a> {
    pub id: &'a UserId,
    pub customer_id: &'a CustomerId,
    pub kind: UserKind,
    pub password_hash: Option<&'a PasswordHash>,
    pub roles: &'a [String],
    /// As typed; what they log in by is the flow's to say.
    pub username: Option<&'a str>,
    /// As typed.
    pub email: Option<&'a str>,
    pub first_name: Option<&'a str>,
    pub last_name: Option<&'a str>,
    pub full_name: Option<&'a str>,
    pub gender: Option<&'a str>,
    /// The first is the one that answers show as the number.
    pub phones: &'a [Phone],
    pub details: Option<&'a PersonDetails>,
    pub metadata: Option<&'a Metadata>,
}

impl<'a> NewUser<'a> {
    /// A user of whom no more is known yet, and who has no password and no roles.
    #[must_use]
    pub const fn new(id: &'a UserId, customer_id: &'a CustomerId, kind: UserKind) -> Self {
        Self {
            id,
            customer_id,
            kind,
            password_hash: None,
            roles: &[],
            username: None,
            email: None,
            first_name: None,
            last_name: None,
            full_name: None,
            gender: None,
            phones: &[],
            details: None,
            metadata: None,
        }
    }

    /// Binds `roles, username, email, first_name, last_name, full_name, gender, phones, profile, metadata, search`.
    pub(super) fn bind_person(&self, statement: Statement) -> Statement {
        statement
            .bind(serde_json::to_string(self.roles).expect("a list of texts"))
            .bind(self.username)
            .bind(self.email)
            .bind(self.first_name)
            .bind(self.last_name)
            .bind(self.full_name)
            .bind(self.gender)
            .bind(serde_json::to_string(self.phones).expect("a list of plain data"))
            .bind(serde_json::to_string(&self.details.cloned().unwrap_or_default()).expect("plain data"))
            .bind(self.metadata.cloned().unwrap_or_default().to_string())
            .bind(self.search())
    }

    /// What a text search looks at.
    fn search(&self) -> String {
        let names = [self.first_name, self.last_name, self.full_name, self.username, self.email];
        search_text(names.into_iter().chain(self.phones.iter().map(|phone| Some(phone.number.as_str()))))
    }
}

/// Refused ("user id") when the id has ever been used in this tenant. Its names and numbers are rows of their own.
#[must_use]
pub fn insert(tenant: &TenantId, user: &NewUser<'_>, now: Timestamp) -> Statement {
    let statement = Statement::new(
        "insert into users (tenant_id, id, customer_id, kind, status, password_hash, password_imported, \
         password_changed_at, password_version, roles, username, email, first_name, last_name, full_name, gender, \
         phones, profile, metadata, search, created_at, updated_at) \
         values ($1, $2, $3, $4, 'active', $5, $6, $7, 1, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $19) \
         on conflict do nothing returning id",
    )
    .bind(tenant)
    .bind(user.id)
    .bind(user.customer_id)
    .bind(user.kind.as_str())
    .bind(user.password_hash.map(PasswordHash::as_str))
    .bind(user.password_hash.is_some_and(PasswordHash::is_imported))
    .bind(user.password_hash.map(|_| now));
    user.bind_person(statement).bind(now).must_change("user id")
}

/// Lets a user be found by a number.
#[must_use]
pub fn insert_phone(tenant: &TenantId, user: &UserId, number: &str) -> Statement {
    Statement::new(
        "insert into user_phones (tenant_id, number, user_id) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(tenant)
    .bind(number)
    .bind(user)
}

/// Gives a user the names to log in with. Refused ("username", "email") when somebody in the tenant has one. A name
/// that is both stands there once. In the names' order, so that two who want the same two do not wait for each other.
#[must_use]
pub fn insert_names(
    tenant: &TenantId,
    user: &UserId,
    username: Option<&LoginName>,
    email: Option<&LoginName>,
) -> Vec<Statement> {
    let email = email.filter(|email| Some(*email) != username);
    let mut names: Vec<_> = username.map(|name| (name, "username")).into_iter().collect();
    names.extend(email.map(|name| (name, "email")));
    names.sort_by_key(|(name, _)| name.as_str());
    names.into_iter().map(|(name, kind)| insert_name(tenant, user, name, kind).must_change(kind)).collect()
}

fn insert_name(tenant: &TenantId, user: &UserId, name: &LoginName, kind: &'static str) -> Statement {
    Statement::new(
        "insert into login_names (tenant_id, name, user_id, kind) values ($1, $2, $3, $4) \
         on conflict do nothing returning name",
    )
    .bind(tenant)
    .bind(name.as_str())
    .bind(user)
    .bind(kind)
}

/// Whoever could log in now.
macro_rules! may_log_in {
    () => {
        "status = 'active' \
         and exists (select 1 from customers c where c.tenant_id = users.tenant_id and c.id = users.customer_id \
                     and c.status not in ('suspended', 'closed')) \
         and exists (select 1 from tenants t where t.id = users.tenant_id and t.status = 'active')"
    };
}

/// Notes a login. Refused ("user") unless user, customer and tenant may still log in, the password is the one that was
/// checked, by its version, and the tenant lists the key that signs: what was read before the hash must still hold
/// after it (R091).
#[must_use]
pub fn note_login(
    tenant: &TenantId,
    user: &UserId,
    checked_version: i64,
    signing_kid: &str,
    now: Timestamp,
) -> Statement {
    Statement::new(concat!(
        "update users set last_login_at = $3 \
         where tenant_id = $1 and id = $2 and password_version = $4 and password_hash is not null \
         and exists (select 1 from tenants k where k.id = users.tenant_id and k.valid_kids like $5) and ",
        may_log_in!(),
        " returning id"
    ))
    .bind(tenant)
    .bind(user)
    .bind(now)
    .bind(checked_version)
    // A kid's `_` may stand for another character here, and never makes two keys one.
    .bind(format!("%\"{signing_kid}\"%"))
    .must_change("user")
}

/// Puts another hash of the same password in the old one's place, if that is still there.
#[must_use]
pub fn replace_hash(tenant: &TenantId, user: &UserId, old: &PasswordHash, new: &PasswordHash) -> Statement {
    Statement::new(
        "update users set password_hash = $4, password_imported = $5 \
         where tenant_id = $1 and id = $2 and password_hash = $3",
    )
    .bind(tenant)
    .bind(user)
    .bind(old.as_str())
    .bind(new.as_str())
    .bind(new.is_imported())
}

/// A row if any stored hash was made under this line of the pepper file. Looks through all users: for lines that are
/// missing only.
#[must_use]
pub fn find_any_peppered(pepper: &str) -> Statement {
    Statement::new("select id from users where password_hash like $1 limit 1")
        .bind(format!("$argon2id$%,keyid={pepper}$%"))
}

/// Takes the user's row for a change that is good only while it is as it was read. Refused ("user revision") when
/// somebody has changed it meanwhile.
#[must_use]
pub fn hold(tenant: &TenantId, user: &UserId, revision: i64) -> Statement {
    Statement::new(
        "update users set revision = revision where tenant_id = $1 and id = $2 and revision = $3 returning id",
    )
    .bind(tenant)
    .bind(user)
    .bind(revision)
    .must_change("user revision")
}

/// Takes the user's row as it is: what follows in the change counts or ends the user's sessions before the row itself
/// is changed.
#[must_use]
pub fn lock(tenant: &TenantId, user: &UserId) -> Statement {
    Statement::new("update users set revision = revision where tenant_id = $1 and id = $2")
        .bind(tenant)
        .bind(user)
}

/// A password, with the end of the sessions opened before (`sessions::store::end_newer` ends the others); an instant never goes back, whatever a node's clock
/// says.
macro_rules! set_password {
    ($where:expr) => {
        concat!(
            "update users set password_hash = $3, password_changed_at = $4, updated_at = $4, \
             password_version = password_version + 1, password_imported = false, session_kept = $5, \
             sessions_end_reason = case when sessions_not_before > $4 then sessions_end_reason \
                                   else 'password_changed' end, \
             sessions_not_before = case when sessions_not_before > $4 then sessions_not_before else $4 end \
             where tenant_id = $1 and id = $2 and ",
            $where,
            " returning id"
        )
    };
}

/// Ends all of a user's sessions but one (`sessions::store::end_newer` ends those opened by a faster clock). Refused
/// ("user") when nobody is there.
#[must_use]
pub fn end_sessions(
    tenant: &TenantId,
    user: &UserId,
    kept: Option<&SessionId>,
    reason: &str,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "update users set session_kept = $4, \
         sessions_end_reason = case when sessions_not_before > $3 then sessions_end_reason else $5 end, \
         sessions_not_before = case when sessions_not_before > $3 then sessions_not_before else $3 end \
         where tenant_id = $1 and id = $2 returning id",
    )
    .bind(tenant)
    .bind(user)
    .bind(now)
    .bind(kept)
    .bind(reason)
    .must_change("user")
}

/// The user's own change: all sessions end but the one it is made in. Refused ("user") unless what was read
/// still holds: they may log in, the password is the one that was checked, by its version, nothing else has ended the sessions.
#[must_use]
pub fn change_password(
    tenant: &TenantId,
    user: &User,
    checked_version: i64,
    hash: &PasswordHash,
    kept: &SessionId,
    now: Timestamp,
) -> Statement {
    Statement::new(set_password!(concat!(
        may_log_in!(),
        " and password_version = $6 and coalesce(sessions_not_before, 0) = $7"
    )))
    .bind(tenant)
    .bind(&user.id)
    .bind(hash.as_str())
    .bind(now)
    .bind(kept)
    .bind(checked_version)
    .bind(user.sessions_ended.as_ref().map_or(0, |ended| ended.at.as_millis()))
    .must_change("user")
}

/// Somebody else's doing: all sessions end; no hash leaves the user without a password. Refused ("user") when
/// nobody is there.
#[must_use]
pub fn set_password(
    tenant: &TenantId,
    user: &UserId,
    hash: Option<&PasswordHash>,
    now: Timestamp,
) -> Statement {
    Statement::new(set_password!("erased_at is null"))
        .bind(tenant)
        .bind(user)
        .bind(hash.map(PasswordHash::as_str))
        .bind(now)
        .bind(None::<&str>)
        .must_change("user")
}

/// By a reset secret: all sessions end. Refused ("user") unless they may log in.
#[must_use]
pub fn redeem_password(tenant: &TenantId, user: &UserId, hash: &PasswordHash, now: Timestamp) -> Statement {
    Statement::new(set_password!(may_log_in!()))
        .bind(tenant)
        .bind(user)
        .bind(hash.as_str())
        .bind(now)
        .bind(None::<&str>)
        .must_change("user")
}
