//! One of a user's sessions, by its id.

use crate::app::App;
use crate::db::Statement;
use crate::error::Error;
use crate::ids::SessionId;
use crate::sessions::Session;
use crate::sessions::store::session_columns;
use crate::tenants::{Family, Tenant};
use crate::users::User;

/// The user's session of this id in this family, ended or not; another's is absent.
pub async fn find_session(
    app: &App,
    tenant: &Tenant,
    user: &User,
    family: Family,
    id: &SessionId,
) -> Result<Option<Session>, Error> {
    let statement = Statement::new(concat!(
        "select ",
        session_columns!(),
        " from sessions s where s.tenant_id = $1 and s.id = $2 and s.user_id = $3 and s.family = $4"
    ))
    .bind(&tenant.id)
    .bind(id)
    .bind(&user.id)
    .bind(family.as_str());
    let rows = app.db.fetch(statement).await?;
    Ok(rows.first().map(Session::from_row).transpose()?)
}
