//! Fields of a change: what is left out stays as it is, null takes away, a value is put in its place.

use serde::{Deserialize, Deserializer};

/// A field of a change.
pub(super) type Patch<T> = Option<Option<T>>;

/// Reads a field that is there: null or a value. Where it is left out, serde's default is `None`.
pub(super) fn patch<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Patch<T>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
