//! The operators' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::OperatorId;
use crate::secrets::sha256;

macro_rules! operator_columns {
    () => {
        "id as operator_id, name as operator_name, created_at as operator_created_at, \
         expires_at as operator_expires_at, revoked_at as operator_revoked_at"
    };
}

/// The operator of this token, good or not.
#[must_use]
pub fn find_by_token(token: &str) -> Statement {
    Statement::new(concat!("select ", operator_columns!(), " from operators where token_digest = $1"))
        .bind(sha256(token.as_bytes()).as_slice())
}

/// A new operator, by the digest of their token.
#[must_use]
pub fn insert(
    id: &OperatorId,
    name: &str,
    token_digest: &[u8],
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "insert into operators (id, name, token_digest, created_at, expires_at) values ($1, $2, $3, $4, $5)",
    )
    .bind(id)
    .bind(name)
    .bind(token_digest)
    .bind(now)
    .bind(expires_at)
}

/// All operators, newest first; those whose token no longer counts too.
#[must_use]
pub fn list() -> Statement {
    Statement::new(concat!("select ", operator_columns!(), " from operators order by created_at desc, id"))
}

/// One operator.
#[must_use]
pub fn find(id: &OperatorId) -> Statement {
    Statement::new(concat!("select ", operator_columns!(), " from operators where id = $1")).bind(id)
}

/// Revokes an operator's token: it is dead on the next request. Refused ("operator") when it is revoked already, or
/// there is no such operator.
#[must_use]
pub fn revoke(id: &OperatorId, now: Timestamp) -> Statement {
    Statement::new("update operators set revoked_at = $2 where id = $1 and revoked_at is null returning id")
        .bind(id)
        .bind(now)
        .must_change("operator")
}
