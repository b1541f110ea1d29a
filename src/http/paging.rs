//! Pages of a list, by keyset: a cursor says after which row the next page begins.
//!
//! A cursor is authenticated and bound to its tenant, its list and that list's filters (R056): what comes back
//! altered, from another list, or from another tenant is refused, and what it holds is only ever an SQL parameter.

use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use crate::error::Error;
use crate::ids::TenantId;
use crate::secrets::{MasterKeys, base64url, from_base64url};

/// What a cursor begins with.
const PREFIX: &str = "vpc1.";
/// Bytes of the MAC that travel: 128 bits.
const MAC_BYTES: usize = 16;
/// A page's size when none is asked for.
pub const DEFAULT_LIMIT: u32 = 50;
/// The largest page.
pub const MAX_LIMIT: u32 = 200;

/// The parameters that every list takes, to be flattened into its own.
#[derive(Clone, Default, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many rows at most: 1 to 200, 50 when left out.
    #[serde(default, deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 200, value_type = Option<u32>)]
    pub limit: Option<u32>,
    /// `nextCursor` of the page before, with the same filters; left out for the first page.
    #[param(max_length = 1024)]
    pub cursor: Option<String>,
}

/// A page's size that came as text, as all of a query does.
pub fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = text.parse().ok().filter(|number| (1..=MAX_LIMIT).contains(number));
    number
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("must be a number from 1 to {MAX_LIMIT}")))
}

impl PageQuery {
    /// The page's size.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }

    /// After which position the page begins; `None`: at the beginning.
    pub fn after(&self, list: &List<'_>) -> Result<Option<String>, Error> {
        let wrong =
            || Error::invalid("cursor", "is not one of this list with these filters; begin without one");
        self.cursor.as_deref().map(|cursor| list.position(cursor).ok_or_else(wrong)).transpose()
    }
}

/// A list whose cursors are made and read here.
#[derive(Debug)]
pub struct List<'a> {
    pub master: &'a MasterKeys,
    pub tenant: &'a TenantId,
    /// The list's name and its filters as they were asked for: everything but the page itself.
    pub query: String,
}

impl List<'_> {
    /// The cursor of the page that begins after this position.
    #[must_use]
    pub fn cursor(&self, position: &str) -> String {
        let key = self.master.current();
        let mac = key.cursor_mac(&self.message(position));
        let body = base64url(position.as_bytes());
        format!("{PREFIX}{}.{body}.{}", key.id(), base64url(&mac.as_ref()[..MAC_BYTES]))
    }

    /// The position a cursor of this very list names; `None` for anything else.
    #[must_use]
    pub fn position(&self, cursor: &str) -> Option<String> {
        let [id, body, mac] = cursor.strip_prefix(PREFIX)?.split('.').collect::<Vec<_>>()[..] else {
            return None;
        };
        let position = String::from_utf8(from_base64url(body)?).ok()?;
        let key = self.master.find(id)?;
        let expected = key.cursor_mac(&self.message(&position));
        crate::secrets::digests_equal(&expected.as_ref()[..MAC_BYTES], &from_base64url(mac)?)
            .then_some(position)
    }

    fn message(&self, position: &str) -> Vec<u8> {
        // Each part with its length, so that no two lists read alike.
        let mut message = Vec::new();
        for part in [self.tenant.as_str(), &self.query, position] {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part.as_bytes());
        }
        message
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::*;

    #[test]
    fn R056_a_cursor_is_good_for_its_own_list_only_and_not_when_altered() {
        let master = MasterKeys::parse(&MasterKeys::generate()).unwrap();
        let (acme, globex) = (TenantId::random(), TenantId::random());
        let list = |tenant, query: &str| List { master: &master, tenant, query: query.to_owned() };
        let users = list(&acme, "users status=active");
        let cursor = users.cursor("'; drop table users; --");
        assert_eq!(users.position(&cursor).as_deref(), Some("'; drop table users; --"));
        assert_eq!(list(&globex, "users status=active").position(&cursor), None);
        assert_eq!(list(&acme, "users status=closed").position(&cursor), None);
        assert_eq!(list(&acme, "customers").position(&cursor), None);
        for at in 0..cursor.len() {
            let mut bytes = cursor.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            assert_eq!(users.position(&altered), None, "{altered}");
            assert_eq!(users.position(&cursor[..at]), None);
        }
        let stranger = MasterKeys::parse(&MasterKeys::generate()).unwrap();
        let elsewhere = List { master: &stranger, tenant: &acme, query: "users status=active".to_owned() };
        assert_eq!(elsewhere.position(&cursor), None);
    }
}
