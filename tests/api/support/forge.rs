//! Tokens that only the holder of a tenant's real key could make: what no honest issuer would write.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::secrets::{base64url, from_base64url};

use super::app::{TestApp, TestTenant};

/// A tenant's ES256 key, unsealed.
pub struct Forger {
    pair: EcdsaKeyPair,
    pub kid: String,
}

impl Forger {
    pub async fn of(app: &TestApp, tenant: &TestTenant) -> Self {
        let statement = Statement::new("select kid, private_key from signing_keys where tenant_id = $1");
        let rows = app.database.list(statement.bind(&tenant.id)).await.unwrap();
        let kid = rows[0].text("kid").unwrap();
        let place = format!("signing_keys/{}/{kid}/private_key", tenant.id);
        let pkcs8 = app.app.master.open(&place, &rows[0].text("private_key").unwrap()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap();
        Self { pair, kid }
    }

    pub fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "JWT", "kid": self.kid })
    }

    /// Signs any texts as header and claims.
    pub fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64url(signature.as_ref()))
    }

    /// Signs claims under the usual header.
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&from_base64url(part).unwrap()).unwrap()
}

/// The order of P-256's base point (FIPS 186-4 D.1.2.3).
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

/// The same token with the other signature that verifies as well: (r, n − s).
pub fn malleated(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = from_base64url(signature).unwrap();
    let order = hex::decode(ORDER).unwrap();
    let mut borrow = 0;
    for index in (0..32).rev() {
        let difference = i16::from(order[index]) - i16::from(bytes[32 + index]) - borrow;
        borrow = i16::from(difference < 0);
        bytes[32 + index] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    assert_eq!(borrow, 0);
    format!("{signed}.{}", base64url(&bytes))
}
