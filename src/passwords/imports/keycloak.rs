//! Keycloak's credentials: `secretData` and `credentialData`, each JSON in a string of its export.

use std::collections::HashMap;

use serde::Deserialize;

use super::{MAX_BYTES, from_base64, hash};
use crate::passwords::argon2id::{Kind, Variant, Version};
use crate::passwords::schemes::{Digest, InvalidHash, PasswordHash, argon2_scheme, decimal, pbkdf2_scheme};

#[derive(Deserialize)]
struct Secret {
    value: String,
    /// Empty or absent where the value holds it.
    salt: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    algorithm: String,
    /// -1 where the algorithm has its own.
    hash_iterations: Option<i64>,
    additional_parameters: Option<HashMap<String, Vec<String>>>,
}

/// Reads the hash of a credential of type `password`. The error tells whoever imports it what is wrong.
pub fn keycloak(secret_data: &str, credential_data: &str) -> Result<PasswordHash, InvalidHash> {
    if secret_data.len() > MAX_BYTES || credential_data.len() > MAX_BYTES {
        return Err(InvalidHash::Malformed);
    }
    let Secret { value, salt } = serde_json::from_str(secret_data).map_err(|_| InvalidHash::Malformed)?;
    let credential: Credential = serde_json::from_str(credential_data).map_err(|_| InvalidHash::Malformed)?;
    let salt = || from_base64(salt.as_deref().unwrap_or_default());
    let scheme = match credential.algorithm.as_str() {
        "pbkdf2" => pbkdf2_scheme(Digest::Sha1, credential.iterations()?, salt()?, from_base64(&value)?),
        "pbkdf2-sha256" => {
            pbkdf2_scheme(Digest::Sha256, credential.iterations()?, salt()?, from_base64(&value)?)
        }
        "pbkdf2-sha512" => {
            pbkdf2_scheme(Digest::Sha512, credential.iterations()?, salt()?, from_base64(&value)?)
        }
        "argon2" => {
            let cost =
                [credential.number("memory")?, credential.iterations()?, credential.number("parallelism")?];
            let tag = from_base64(&value)?;
            if credential.number("hashLength")? != tag.len() as u64 {
                return Err(InvalidHash::Malformed);
            }
            argon2_scheme(credential.variant()?, cost, salt()?, tag)
        }
        // A widely used extension's, which keeps bcrypt's own string.
        "bcrypt" if value.starts_with("$2") => return hash(&value),
        _ => Err(InvalidHash::UnknownScheme),
    };
    scheme.map(PasswordHash::from)
}

impl Credential {
    fn iterations(&self) -> Result<u64, InvalidHash> {
        self.hash_iterations.and_then(|number| u64::try_from(number).ok()).ok_or(InvalidHash::Malformed)
    }

    /// The one value of an additional parameter.
    fn parameter(&self, name: &str) -> Result<&str, InvalidHash> {
        match self.additional_parameters.as_ref().and_then(|all| all.get(name)).map(Vec::as_slice) {
            Some([value]) => Ok(value),
            _ => Err(InvalidHash::Malformed),
        }
    }

    fn number(&self, name: &str) -> Result<u64, InvalidHash> {
        decimal(self.parameter(name)?)
    }

    fn variant(&self) -> Result<Variant, InvalidHash> {
        let kind = match self.parameter("type")? {
            "id" => Kind::Id,
            "i" => Kind::I,
            "d" => Kind::D,
            _ => return Err(InvalidHash::UnknownScheme),
        };
        let version = match self.parameter("version")? {
            "1.0" => Version::V16,
            "1.3" => Version::V19,
            _ => return Err(InvalidHash::UnknownScheme),
        };
        Ok(Variant { kind, version })
    }
}
