//! Metadata: a small JSON object about a user that only the tenant's backend and staff may set. Chosen keys of it
//! travel in the token, under the one claim `metadata`.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

/// The largest metadata, serialised, in bytes.
pub const MAX_METADATA_BYTES: usize = 4096;
/// The most keys, on all levels together.
const MAX_KEYS: usize = 50;
/// The most levels: the object is the first.
const MAX_DEPTH: usize = 3;
/// The longest key, in characters.
const MAX_KEY: usize = 64;
/// The largest part of it in a token, serialised, in bytes: a token stays well below the 8 KiB that we and most
/// servers take.
pub const MAX_CLAIM_BYTES: usize = 2048;

/// From here on a number that is no integer of 64 bits would silently become another one: 2⁵³.
const MAX_FLOAT: f64 = 9_007_199_254_740_992.0;

/// A user's metadata.
#[derive(Clone, Default, PartialEq, Debug, Serialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    /// Reads what the database holds.
    pub fn from_stored(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text).map(Self)
    }

    /// Checks the bounds; the error says which is not kept.
    pub fn check(&self) -> Result<(), String> {
        let mut keys = 0;
        check_object(&self.0, 1, &mut keys)?;
        if self.to_string().len() > MAX_METADATA_BYTES {
            return Err(format!("may have {MAX_METADATA_BYTES} bytes at most as JSON"));
        }
        Ok(())
    }

    /// The claim: the listed keys that are there, in the list's order, as far as `MAX_CLAIM_BYTES` go. `None`
    /// where none is. It is one claim with an object in it, so no key can take another claim's place (R082).
    #[must_use]
    pub fn claim(&self, keys: &[String]) -> Option<Map<String, Value>> {
        let mut claim = Map::new();
        let mut bytes = 2;
        for key in keys {
            let Some(value) = self.0.get(key) else { continue };
            // The key in quotes, the colon, the value, and a comma.
            bytes += key.len() + 4 + value.to_string().len();
            if bytes > MAX_CLAIM_BYTES {
                break;
            }
            claim.insert(key.clone(), value.clone());
        }
        (!claim.is_empty()).then_some(claim)
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

/// Whether the text can be a key of metadata.
#[must_use]
pub fn is_metadata_key(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn check_object(object: &Map<String, Value>, depth: usize, keys: &mut usize) -> Result<(), String> {
    check_depth(depth)?;
    for (key, value) in object {
        if !is_metadata_key(key) {
            return Err(format!("must have keys of 1 to {MAX_KEY} letters A to Z or a to z, digits and _"));
        }
        *keys += 1;
        if *keys > MAX_KEYS {
            return Err(format!("may have {MAX_KEYS} keys at most, those of inner objects among them"));
        }
        check_value(key, value, depth + 1, keys)?;
    }
    Ok(())
}

/// Checks the value of a key, or of one of its array's items.
fn check_value(key: &str, value: &Value, depth: usize, keys: &mut usize) -> Result<(), String> {
    match value {
        Value::Object(object) => check_object(object, depth, keys),
        Value::Array(items) => {
            check_depth(depth)?;
            items.iter().try_for_each(|item| check_value(key, item, depth + 1, keys))
        }
        Value::Number(number)
            if number.is_f64() && number.as_f64().is_none_or(|it| it.abs() >= MAX_FLOAT) =>
        {
            Err(format!("has a number in {key} that is too large to be kept as it is; send it as text"))
        }
        _ => Ok(()),
    }
}

fn check_depth(depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH { Err(format!("may have {MAX_DEPTH} levels at most")) } else { Ok(()) }
}

impl<'de> Deserialize<'de> for Metadata {
    /// As strict as every other body: no key twice, on no level (R117).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Strict::deserialize(deserializer)?.0 {
            Value::Object(object) => Ok(Self(object)),
            _ => Err(de::Error::custom("must be an object")),
        }
    }
}

/// Any JSON value in which no key stands twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    /// What has a fraction or an exponent, and every integer that no other of these takes.
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if object.insert(key, value).is_some() {
                return Err(de::Error::custom("must not have a key twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(value: &Value) -> Metadata {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn metadata_is_bounded_in_bytes_keys_and_depth() {
        for good in [
            json!({}),
            json!({ "tier": "gold", "limits": { "daily": 5_000, "currencies": ["EUR", "USD"] }, "x": null }),
            json!({ "a": [[1]] }),
            json!({ "text": "x".repeat(MAX_METADATA_BYTES - 11) }),
        ] {
            metadata(&good).check().unwrap();
        }
        let many: Map<_, _> = (0..=MAX_KEYS).map(|number| (format!("k{number}"), Value::Null)).collect();
        for bad in [
            json!({ "text": "x".repeat(MAX_METADATA_BYTES - 10) }),
            Value::Object(many),
            json!({ "a": { "b": { "c": {} } } }),
            json!({ "a": [[[1]]] }),
            json!({ "": 1 }),
            json!({ "a.b": 1 }),
            json!({ "é": 1 }),
            json!({ "a": [{ "b-c": 1 }] }),
            json!({ "k".repeat(65): 1 }),
        ] {
            assert!(metadata(&bad).check().is_err(), "{bad}");
        }
    }

    #[test]
    fn R117_metadata_has_no_key_twice_on_any_level() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"b":2}}"#, r#"{"a":[{"b":1,"b":2}]}"#] {
            assert!(serde_json::from_str::<Metadata>(text).is_err(), "{text}");
        }
        for text in ["[]", "null", "1", "\"a\""] {
            assert!(serde_json::from_str::<Metadata>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn R082_the_claim_has_the_listed_keys_only_and_stays_small() {
        let whole = metadata(&json!({ "tier": "gold", "sub": "other", "big": "x".repeat(3_000), "z": 1 }));
        let keys = |list: &[&str]| list.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        assert_eq!(whole.claim(&[]), None);
        assert_eq!(whole.claim(&keys(&["absent"])), None);
        assert_eq!(
            Value::from(whole.claim(&keys(&["tier", "sub"]))),
            json!({ "tier": "gold", "sub": "other" })
        );
        // What does not fit any more is left out, and what comes after it.
        assert_eq!(Value::from(whole.claim(&keys(&["tier", "big", "z"]))), json!({ "tier": "gold" }));
        let most = metadata(&json!({ "a": "x".repeat(MAX_CLAIM_BYTES - 9) }));
        let claim = most.claim(&keys(&["a"])).unwrap();
        assert!(Value::Object(claim).to_string().len() <= MAX_CLAIM_BYTES);
    }
}
