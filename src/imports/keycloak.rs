//! A user as Keycloak exports them (a realm's `users`, or a file of a directory export).

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::error::FieldError;
use crate::passwords::{InvalidHash, PasswordHash, imports};
use crate::users::{Metadata, is_metadata_key};

use super::entry::{Entry, PhoneEntry, parse_value};

/// Roles of Keycloak's own, which say nothing of the person.
const OWN_ROLES: [&str; 2] = ["offline_access", "uma_authorization"];
/// And the one that every realm has, with its name behind.
const DEFAULT_ROLES: &str = "default-roles-";
/// The attributes in which a telephone number stands.
const PHONE_ATTRIBUTES: [&str; 2] = ["phoneNumber", "phone_number"];

/// What we take of a user; everything else that Keycloak has stays behind.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct KeycloakUser {
    id: Option<String>,
    username: Option<String>,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    enabled: Option<bool>,
    created_timestamp: Option<i64>,
    attributes: Option<BTreeMap<String, Vec<Option<String>>>>,
    realm_roles: Option<Vec<String>>,
    credentials: Option<Vec<Credential>>,
    service_account_client_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Credential {
    r#type: Option<String>,
    created_date: Option<i64>,
    #[serde(rename = "secretData")]
    secret: Option<SecretString>,
    #[serde(rename = "credentialData")]
    parameters: Option<String>,
}

/// Reads one user of a Keycloak export.
pub fn parse_keycloak(user: Value) -> Result<Entry, FieldError> {
    let user: KeycloakUser = parse_value(user)?;
    if user.service_account_client_id.is_some() {
        return Err(FieldError::new("serviceAccountClientId", "is a client's own account, not a person"));
    }
    let instant = |millis: i64| Timestamp::from_millis(millis).to_string();
    let mut entry = Entry {
        id: user.id,
        username: user.username,
        email: user.email,
        first_name: user.first_name,
        last_name: user.last_name,
        status: (user.enabled == Some(false)).then(|| "SUSPENDED".to_owned()),
        created_at: user.created_timestamp.map(instant),
        roles: user.realm_roles.map(|roles| roles.iter().filter_map(|role| role_word(role)).collect()),
        ..Entry::default()
    };
    take_attributes(&mut entry, user.attributes.unwrap_or_default())?;
    let password = user.credentials.unwrap_or_default().into_iter();
    if let Some(password) = password.into_iter().find(|it| it.r#type.as_deref() == Some("password")) {
        entry.password_changed_at = password.created_date.map(instant);
        entry.read_hash = Some(password.hash());
    }
    Ok(entry)
}

impl Credential {
    fn hash(&self) -> Result<PasswordHash, InvalidHash> {
        match (&self.secret, &self.parameters) {
            (Some(secret), Some(parameters)) => imports::keycloak(secret.expose_secret(), parameters),
            _ => Err(InvalidHash::Malformed),
        }
    }
}

/// The role as a word of ours: `account-owner` is `ACCOUNT_OWNER`.
fn role_word(role: &str) -> Option<String> {
    if OWN_ROLES.contains(&role) || role.starts_with(DEFAULT_ROLES) {
        return None;
    }
    Some(
        role.chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' })
            .collect(),
    )
}

/// Attributes become metadata, but for telephone numbers: one value a text, several a list.
fn take_attributes(
    entry: &mut Entry,
    attributes: BTreeMap<String, Vec<Option<String>>>,
) -> Result<(), FieldError> {
    let mut metadata = Map::new();
    for (name, values) in attributes {
        let values: Vec<String> = values.into_iter().flatten().collect();
        if PHONE_ATTRIBUTES.contains(&name.as_str()) {
            let phones = entry.phones.get_or_insert_default();
            phones.extend(
                values.into_iter().map(|number| PhoneEntry { number: Some(number), ..PhoneEntry::default() }),
            );
            continue;
        }
        let key: String =
            name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        let value = match <[String; 1]>::try_from(values) {
            Ok([value]) => Value::from(value),
            Err(values) => Value::from(values),
        };
        if !is_metadata_key(&key) {
            return Err(FieldError::new("attributes", "must have names of 1 to 64 characters"));
        }
        if metadata.insert(key, value).is_some() {
            return Err(FieldError::new("attributes", "have two names that differ in signs only"));
        }
    }
    if !metadata.is_empty() {
        entry.metadata = Some(parse_value::<Metadata>(Value::Object(metadata))?);
    }
    Ok(())
}
