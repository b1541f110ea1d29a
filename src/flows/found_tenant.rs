//! A tenant as an operator founds it: checked whole, made with its first keys, and nobody in it yet.

use crate::clock::Timestamp;
use crate::db::Database;
use crate::error::Error;
use crate::ids::{CustomerId, TenantId};
use crate::secrets::MasterKeys;
use crate::tenants::{
    self, KeyPurpose, MAX_VALID_KEYS, NewTenantKey, SettingsChange, TenantDetails, TenantKeyRequest,
    TenantName,
};

use super::update_tenant::parse_origins;
use super::{Author, NewTenant, create_tenant, get_tenant};

/// A tenant as asked for, and nothing of it checked.
#[derive(Clone, Debug)]
pub struct TenantRequest {
    pub slug: String,
    pub name: String,
    /// What differs from the defaults.
    pub settings: SettingsChange,
    pub origins: Vec<String>,
    /// `None`: one of each purpose, random and for good.
    pub keys: Option<Vec<TenantKeyRequest>>,
}

/// A tenant that was made: the one moment the secrets of its keys are known.
#[derive(Debug)]
pub struct FoundedTenant {
    pub details: TenantDetails,
    /// The tenant's own organization, whose users are its staff.
    pub house: CustomerId,
    pub keys: Vec<NewTenantKey>,
}

/// Founds a tenant. All that is wrong with the request is told at once.
pub async fn found_tenant(
    db: &Database,
    master: &MasterKeys,
    author: Author<'_>,
    request: &TenantRequest,
    now: Timestamp,
) -> Result<FoundedTenant, Error> {
    let mut problems = super::create_tenant::name_problems(&request.slug, &request.name);
    let settings = request.settings.made_to("{}").map_err(|wrong| problems.extend(wrong)).ok();
    let origins = parse_origins(&request.origins).map_err(|wrong| problems.extend(wrong)).ok();
    let keys = check_keys(request.keys.as_deref(), now).map_err(|wrong| problems.extend(wrong)).ok();
    let (Some((_, settings)), Some(origins), Some(keys), true) =
        (settings, origins, keys, problems.is_empty())
    else {
        return Err(Error::Validation(problems));
    };
    let (id, house) = (TenantId::random(), CustomerId::random());
    let new = NewTenant {
        id: id.clone(),
        slug: &request.slug,
        name: &request.name,
        settings,
        keys: &keys,
        house: &house,
        customers: &[],
        users: &[],
        also: origins.iter().map(|origin| tenants::store::insert_origin(&id, origin)).collect(),
        actor: author.actor,
        client: author.client,
    };
    create_tenant(db, master, new, now).await?;
    let details = get_tenant(db, &TenantName::Id(id)).await?;
    Ok(FoundedTenant { details, house, keys })
}

fn check_keys(
    requests: Option<&[TenantKeyRequest]>,
    now: Timestamp,
) -> Result<Vec<NewTenantKey>, Vec<crate::error::FieldError>> {
    let one_of_each = [KeyPurpose::Login, KeyPurpose::Backend].map(TenantKeyRequest::of);
    let requests = requests.unwrap_or(&one_of_each);
    let (mut keys, mut problems) = (Vec::new(), Vec::new());
    for (index, request) in requests.iter().enumerate() {
        match request.check(&format!("keys[{index}]."), now) {
            Ok(key) => keys.push(key),
            Err(wrong) => problems.extend(wrong),
        }
    }
    for purpose in [KeyPurpose::Login, KeyPurpose::Backend] {
        let count = requests.iter().filter(|request| request.purpose == purpose).count();
        if i64::try_from(count).unwrap_or(i64::MAX) > MAX_VALID_KEYS {
            let word = purpose.as_str();
            let problem = format!("may have {MAX_VALID_KEYS} of the purpose {word}; leave the others out");
            problems.push(crate::error::FieldError::new("keys", problem));
        }
    }
    if problems.is_empty() { Ok(keys) } else { Err(problems) }
}
