//! Whose backend key is this?

use secrecy::{ExposeSecret, SecretString};

use crate::app::App;
use crate::client::{Client, WebOrigin};
use crate::db::Statement;
use crate::error::{Error, TenantProblem};
use crate::ids::{SessionId, TenantKeyId};
use crate::tenants::keys::store::tenant_key_columns;
use crate::tenants::store::tenant_columns;
use crate::tenants::{KeyPurpose, Tenant, TenantKey, no_key_opens};

use super::request_limits::take_tenants;
use super::token_session::{NamedSession, named_session_columns};

/// A backend key that opens, and what was asked for by it.
#[derive(Debug)]
pub struct OpenedKey {
    pub tenant: Tenant,
    pub key: TenantKeyId,
    /// The session that was asked for, if it is one of the tenant's.
    pub session: Option<NamedSession>,
}

/// A key with its tenant, and what `$also` names of what `$joins` adds.
macro_rules! reading {
    ($also:expr, $joins:literal) => {
        concat!(
            "select ",
            tenant_columns!(),
            ", ",
            tenant_key_columns!(),
            ", exists (select 1 from tenant_origins r where r.tenant_id = t.id and r.origin = $1) as origin_listed",
            $also,
            " from tenant_keys k join tenants t on t.id = k.tenant_id",
            $joins,
            " where k.tenant_key = $2 and t.slug <> 'system'"
        )
    };
}

/// The tenant of a backend key, and of the tenant's sessions the one of this id: one read. Whatever is wrong with key,
/// secret, purpose or tenant is one answer, and a key that nobody has costs the same comparison (R044, R045). A web app with
/// it is refused like any other whose origin the tenant does not list.
pub async fn authenticate_backend(
    app: &App,
    key: &str,
    secret: &SecretString,
    client: &Client,
    session: Option<&SessionId>,
) -> Result<OpenedKey, Error> {
    let statement = Statement::new(match session {
        None => reading!("", ""),
        Some(_) => reading!(
            concat!(", ", named_session_columns!()),
            " left join sessions s on s.tenant_id = t.id and s.id = $3 and k.purpose = 'backend' \
             left join users u on u.tenant_id = s.tenant_id and u.id = s.user_id \
             left join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
             left join tenant_keys o on o.tenant_id = s.tenant_id and o.id = s.tenant_key_id"
        ),
    });
    let statement = statement.bind(client.web_origin.as_ref().map(WebOrigin::as_str)).bind(key);
    let statement = match session {
        None => statement,
        Some(session) => statement.bind(session),
    };
    let rows = app.db.fetch(statement).await?;
    let row = rows.first();
    let found = row.map(|row| {
        Ok::<_, Error>((Tenant::from_row(row)?, TenantKey::from_row(row)?, row.bool("origin_listed")?))
    });
    let Some((tenant, Some(key), origin_listed)) = found.transpose()? else {
        no_key_opens(secret.expose_secret());
        return Err(Error::BackendKey);
    };
    let opens = key.opens(secret.expose_secret(), app.clock.now());
    if !opens || key.purpose != KeyPurpose::Backend || !tenant.active {
        return Err(Error::BackendKey);
    }
    client.tenant.see(&tenant.id);
    if !client.origin_is_admitted(origin_listed, &app.options.public_url) {
        return Err(Error::Tenant(TenantProblem::Origin));
    }
    take_tenants(app, &tenant)?;
    let named = row.filter(|_| session.is_some()).map(NamedSession::from_row).transpose()?;
    Ok(OpenedKey { tenant, key: key.id, session: named.flatten() })
}
