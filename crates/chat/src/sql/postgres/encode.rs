//! Values as they go to PostgreSQL and come back.

use crate::sql::error::{SqlError, SqlResult};
use crate::sql::stored::Stored;
use crate::sql::value::{Kind, Value};
use std::error::Error;
use tokio_postgres::Row;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use uuid::Uuid;

type Failure = Box<dyn Error + Sync + Send>;

/// The type that PostgreSQL is told a parameter has.
pub(super) fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Int => Type::INT8,
        Kind::Bool => Type::BOOL,
        Kind::Text => Type::TEXT,
        Kind::Blob => Type::BYTEA,
        Kind::Id => Type::UUID,
        Kind::Ints => Type::INT8_ARRAY,
        Kind::Bools => Type::BOOL_ARRAY,
        Kind::Texts => Type::TEXT_ARRAY,
        Kind::Blobs => Type::BYTEA_ARRAY,
        Kind::Ids => Type::UUID_ARRAY,
    }
}

/// Finds what PostgreSQL cannot keep before it is sent: there it would fail the transaction.
pub(super) fn check(params: &[Value<'_>]) -> SqlResult<()> {
    let has_zero = |value: &Value<'_>| match value {
        Value::Text(text) => text.contains('\0'),
        Value::Texts(texts) => texts.iter().any(|text| text.contains('\0')),
        Value::OptionalTexts(texts) => texts.iter().flatten().any(|text| text.contains('\0')),
        Value::Null(_)
        | Value::Int(_)
        | Value::Bool(_)
        | Value::Blob(_)
        | Value::Id(_)
        | Value::Ints(_)
        | Value::OptionalInts(_)
        | Value::Bools(_)
        | Value::Blobs(_)
        | Value::Ids(_) => false,
    };
    match params.iter().position(has_zero) {
        None => Ok(()),
        Some(at) => Err(SqlError::value(
            &format!("parameter {}", at + 1),
            "holds a text with the character U+0000, which PostgreSQL cannot keep",
        )),
    }
}

/// What stands in the column `at`, which is called `name`.
pub(in crate::sql) fn stored<'r>(row: &'r Row, at: usize, name: &str) -> SqlResult<Stored<'r>> {
    row.try_get(at).map_err(|_| SqlError::value(name, "holds what cannot be read"))
}

impl ToSql for Value<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self {
            Self::Null(_) => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql(of, out),
            Self::Bool(value) => value.to_sql(of, out),
            Self::Text(text) => text.to_sql(of, out),
            Self::Blob(bytes) => bytes.to_sql(of, out),
            Self::Id(id) => id.to_sql(of, out),
            Self::Ints(numbers) => numbers.to_sql(of, out),
            Self::OptionalInts(numbers) => numbers.to_sql(of, out),
            Self::Bools(values) => values.to_sql(of, out),
            Self::Texts(texts) => texts.to_sql(of, out),
            Self::OptionalTexts(texts) => texts.to_sql(of, out),
            Self::Blobs(blobs) => blobs.to_sql(of, out),
            Self::Ids(ids) => ids.to_sql(of, out),
        }
    }

    /// All: whether the type is the value's own is looked at with the value in hand.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        // A statement is prepared with the kinds of its first values, and may be given others later.
        if type_of(self.kind()) != *of {
            return Err(format!("a value of kind {:?} was given where {of} belongs", self.kind()).into());
        }
        self.to_sql(of, out)
    }
}

impl<'r> FromSql<'r> for Stored<'r> {
    fn from_sql(of: &Type, raw: &'r [u8]) -> Result<Self, Failure> {
        Ok(match *of {
            Type::INT8 => Stored::Int(i64::from_sql(of, raw)?),
            Type::INT4 => Stored::Int(i32::from_sql(of, raw)?.into()),
            Type::INT2 => Stored::Int(i16::from_sql(of, raw)?.into()),
            Type::OID => Stored::Int(u32::from_sql(of, raw)?.into()),
            Type::BOOL => Stored::Bool(bool::from_sql(of, raw)?),
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::BPCHAR => Stored::Text(str::from_utf8(raw)?),
            Type::BYTEA => Stored::Blob(raw),
            Type::UUID => Stored::Id(Uuid::from_sql(of, raw)?),
            Type::VOID => Stored::Null,
            Type::NUMERIC | Type::FLOAT8 | Type::FLOAT4 => Stored::Other("a fraction"),
            _ => Stored::Other("something else"),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Stored::Null)
    }

    /// All: what no column of ours holds is noticed when it is read as something else.
    fn accepts(_: &Type) -> bool {
        true
    }
}
