//! Values on their way to PostgreSQL and back, by the type the server has inferred.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::super::value::Value;

type Failure = Box<dyn Error + Sync + Send>;

/// A parameter. Its `Debug` shows nothing: tokio-postgres logs parameters at debug level.
pub(super) struct Parameter<'a>(pub(super) &'a Value);

impl std::fmt::Debug for Parameter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Whether `value` can be sent where the server expects `ty`. This is asked for every parameter of a
/// change before any of it is sent: one statement that cannot be encoded must not be left out.
pub(super) fn fits(value: &Value, ty: &Type) -> bool {
    match value {
        Value::Null => true,
        Value::Text(_) => is_text(ty),
        Value::Int(number) => match *ty {
            Type::INT8 => true,
            Type::INT4 => i32::try_from(*number).is_ok(),
            Type::INT2 => i16::try_from(*number).is_ok(),
            _ => false,
        },
        Value::Bool(_) => *ty == Type::BOOL,
        Value::Bytes(_) => *ty == Type::BYTEA,
    }
}

fn is_text(ty: &Type) -> bool {
    // By pattern, which makes no `Type`: it is asked for every text of every row.
    matches!(*ty, Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN)
}

impl ToSql for Parameter<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        if !fits(self.0, ty) {
            return Err(format!("the statement expects {ty}").into());
        }
        match self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::Text(text) => out.put_slice(text.as_bytes()),
            Value::Int(number) => match *ty {
                Type::INT4 => out.put_i32(i32::try_from(*number)?),
                Type::INT2 => out.put_i16(i16::try_from(*number)?),
                _ => out.put_i64(*number),
            },
            Value::Bool(truth) => out.put_u8(u8::from(*truth)),
            Value::Bytes(bytes) => out.put_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(match *ty {
            Type::INT8 => Self::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Self::Int(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Self::Bool(bool::from_sql(ty, raw)?),
            Type::BYTEA => Self::Bytes(raw.to_vec()),
            _ if is_text(ty) => Self::Text(std::str::from_utf8(raw)?.to_owned()),
            _ => return Err(format!("it is {ty}, which is not one of our kinds: cast it in the SQL").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
