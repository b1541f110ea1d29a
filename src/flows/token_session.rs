//! Whose session is this token of? For a tenant's backends, who show tokens of either kind.

use crate::access_tokens::{Claims, Unverified};
use crate::app::App;
use crate::db::{Row, Statement};
use crate::error::Error;
use crate::ids::SessionId;
use crate::refresh_tokens::{self, Binding, RefreshToken};
use crate::sessions::Session;
use crate::tenants::Tenant;
use crate::tenants::store::tenant_standing_columns;
use crate::users::User;

use super::authenticate::verify_parsed;
use super::refresh::OpeningKey;

/// A token as its sender has sent it: taken apart by what it is, whatever its sender takes it for, and not believed in
/// anything.
#[derive(Debug)]
pub enum SentToken<'a> {
    Refresh(RefreshToken),
    Access(Box<Unverified<'a>>),
    /// Nothing that we could have made.
    Unknown,
}

impl<'a> SentToken<'a> {
    #[must_use]
    pub fn parse(token: &'a str) -> Self {
        if let Some(token) = refresh_tokens::parse(token) {
            return Self::Refresh(token);
        }
        Unverified::parse(token).map_or(Self::Unknown, |token| Self::Access(Box::new(token)))
    }

    /// Which session it says it is of: enough to read one, no more.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::Refresh(token) => Some(token.session.clone()),
            Self::Access(token) => SessionId::parse(token.claimed_session()),
            Self::Unknown => None,
        }
    }
}

/// A token that we made for a session of the tenant, with the truth about that session, which may have ended.
#[derive(Debug)]
pub(super) struct TokenSession {
    pub tenant: Tenant,
    pub user: User,
    /// The user's login name, or else the e-mail.
    pub username: Option<String>,
    pub session: Session,
    pub opening_key: OpeningKey,
    pub token: ShownToken,
}

/// Which kind of token it is.
#[derive(Debug)]
pub(super) enum ShownToken {
    /// Signed with a key that counts.
    Access {
        claims: Box<Claims>,
        /// Whether the claims say what the rows say (R077).
        agrees: bool,
    },
    /// Its MAC holds.
    Refresh { generation: u64 },
}

/// What a token that was sent to a tenant's backend is; `None` for all that is not this tenant's. Neither the token's times
/// nor the session's end are held against it.
///
/// The tenant is its sender's, read when the request began: by its names and settings the request is judged, as any
/// other. How the tenant stands is read anew with the session, for the body may have taken its time.
pub(super) async fn find_by_token(
    app: &App,
    tenant: Tenant,
    token: &str,
) -> Result<Option<TokenSession>, Error> {
    let sent = SentToken::parse(token);
    let Some(session) = sent.session() else { return Ok(None) };
    match read(app, tenant, &session).await? {
        Some((tenant, named)) => named.made(app, tenant, sent).await,
        None => Ok(None),
    }
}

/// The session that a token names, of the tenant it was sent to, with all beside the tenant that decides whether it lives,
/// and its part in the refresh token.
#[derive(Debug)]
pub struct NamedSession {
    user: User,
    username: Option<String>,
    session: Session,
    opening_key: OpeningKey,
    salt: Vec<u8>,
    /// The master key of its refresh tokens.
    master_key_id: String,
}

/// The columns that [`NamedSession::from_row`] reads beside the tenant's, of `sessions s`, `users u`, `customers c` and
/// `tenant_keys o`, the key that opened the session; in its order.
macro_rules! named_session_columns {
    () => {
        concat!(
            crate::users::store::user_columns!(),
            ", coalesce(u.username, u.email) as shown_username, ",
            crate::sessions::store::session_columns!(),
            ", o.revoked_at as opening_key_revoked_at, o.expires_at as opening_key_expires_at, \
             s.salt as session_salt, s.refresh_key_id as session_refresh_key_id"
        )
    };
}
pub(super) use named_session_columns;

impl NamedSession {
    /// `None` where an outer join found no session.
    pub(super) fn from_row(row: &Row) -> Result<Option<Self>, Error> {
        let user = User::from_row(row)?;
        if row.maybe_text("session_id")?.is_none() {
            return Ok(None);
        }
        let broken = || Error::Internal(anyhow::anyhow!("a session without a user"));
        Ok(Some(Self {
            user: user.ok_or_else(broken)?,
            username: row.maybe_text("shown_username")?,
            session: Session::from_row(row)?,
            opening_key: OpeningKey {
                revoked_at: row.maybe_instant("opening_key_revoked_at")?,
                expires_at: row.maybe_instant("opening_key_expires_at")?,
            },
            salt: row.bytes("session_salt")?,
            master_key_id: row.text("session_refresh_key_id")?,
        }))
    }

    /// The token with its session, if we made it for this one.
    pub(super) async fn made(
        self,
        app: &App,
        tenant: Tenant,
        sent: SentToken<'_>,
    ) -> Result<Option<TokenSession>, Error> {
        let token = match sent {
            SentToken::Refresh(token) => self.refresh_token(app, &tenant, &token),
            SentToken::Access(token) => self.access_token(app, &tenant, *token).await?,
            SentToken::Unknown => None,
        };
        let Self { user, username, session, opening_key, .. } = self;
        Ok(token.map(|token| TokenSession { tenant, user, username, session, opening_key, token }))
    }

    fn refresh_token(&self, app: &App, tenant: &Tenant, token: &RefreshToken) -> Option<ShownToken> {
        let binding = Binding {
            tenant: &tenant.id,
            session: &self.session.id,
            device: self.session.device_id.as_deref(),
            salt: &self.salt,
        };
        let is_ours = token.session == self.session.id
            && token.key_id == self.master_key_id
            && app.master.find_stored(&self.master_key_id).is_some()
            && token.holds(&app.master, &binding);
        is_ours.then_some(ShownToken::Refresh { generation: token.generation })
    }

    async fn access_token(
        &self,
        app: &App,
        tenant: &Tenant,
        token: Unverified<'_>,
    ) -> Result<Option<ShownToken>, Error> {
        let Some(signed) = verify_parsed(app, token).await? else { return Ok(None) };
        // The tenant first: what another tenant's row does not list is no reason to forget its key.
        let is_ours = signed.tenant == tenant.id
            && signed.claims.sid == self.session.id.as_str()
            && signed.counts(app, tenant);
        let agrees = is_ours && signed.agrees(app, tenant, &self.user, &self.session);
        Ok(is_ours.then(|| ShownToken::Access { claims: Box::new(signed.claims), agrees }))
    }
}

async fn read(
    app: &App,
    tenant: Tenant,
    session: &SessionId,
) -> Result<Option<(Tenant, NamedSession)>, Error> {
    let statement = Statement::new(concat!(
        "select ",
        tenant_standing_columns!(),
        ", ",
        named_session_columns!(),
        " from sessions s join tenants t on t.id = s.tenant_id \
         join users u on u.tenant_id = s.tenant_id and u.id = s.user_id \
         join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
         left join tenant_keys o on o.tenant_id = s.tenant_id and o.id = s.tenant_key_id \
         where s.tenant_id = $1 and s.id = $2"
    ))
    .bind(&tenant.id)
    .bind(session);
    let rows = app.db.fetch(statement).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let tenant = tenant.as_it_stands(row)?;
    Ok(NamedSession::from_row(row)?.map(|named| (tenant, named)))
}
