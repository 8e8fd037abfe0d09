//! The values that statements take.

use uuid::Uuid;

/// What stands for a parameter. Slices become arrays, which only PostgreSQL has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// Nothing, where something of this kind could be.
    Null(Kind),
    Int(i64),
    Bool(bool),
    Text(&'a str),
    Blob(&'a [u8]),
    /// 16 bytes for SQLite, a `uuid` for PostgreSQL.
    Id(Uuid),
    Ints(&'a [i64]),
    OptionalInts(&'a [Option<i64>]),
    Bools(&'a [bool]),
    Texts(&'a [&'a str]),
    OptionalTexts(&'a [Option<&'a str>]),
    Blobs(&'a [&'a [u8]]),
    Ids(&'a [Uuid]),
}

/// What kind of value a parameter takes. PostgreSQL is told, so that a statement means the same whatever it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Bool,
    Text,
    Blob,
    Id,
    Ints,
    Bools,
    Texts,
    Blobs,
    Ids,
}

impl Value<'_> {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Null(kind) => *kind,
            Self::Int(_) => Kind::Int,
            Self::Bool(_) => Kind::Bool,
            Self::Text(_) => Kind::Text,
            Self::Blob(_) => Kind::Blob,
            Self::Id(_) => Kind::Id,
            Self::Ints(_) | Self::OptionalInts(_) => Kind::Ints,
            Self::Bools(_) => Kind::Bools,
            Self::Texts(_) | Self::OptionalTexts(_) => Kind::Texts,
            Self::Blobs(_) => Kind::Blobs,
            Self::Ids(_) => Kind::Ids,
        }
    }
}

/// What can be given to a statement.
pub(crate) trait Parameter {
    /// The kind of all values of this type: what a missing one would have been.
    const KIND: Kind;

    /// The value as a statement takes it.
    fn value(&self) -> Value<'_>;
}

/// The parameters of a statement, in the order of their numbers.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::sql::Parameter::value(&$value)),*] as &[$crate::sql::Value<'_>]
    };
}
pub(crate) use params;

impl<T: Parameter + ?Sized> Parameter for &T {
    const KIND: Kind = T::KIND;

    fn value(&self) -> Value<'_> {
        T::value(self)
    }
}

impl<T: Parameter> Parameter for Option<T> {
    const KIND: Kind = T::KIND;

    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null(T::KIND), T::value)
    }
}

impl<T> Parameter for Vec<T>
where
    [T]: Parameter,
{
    const KIND: Kind = <[T]>::KIND;

    fn value(&self) -> Value<'_> {
        self.as_slice().value()
    }
}

impl<T, const N: usize> Parameter for [T; N]
where
    [T]: Parameter,
{
    const KIND: Kind = <[T]>::KIND;

    fn value(&self) -> Value<'_> {
        self.as_slice().value()
    }
}

/// Says of a type which kind of value it is, and how to make one of it.
macro_rules! parameter {
    ($type:ty, $kind:ident, $value:ident => $made:expr) => {
        impl Parameter for $type {
            const KIND: Kind = Kind::$kind;

            fn value(&self) -> Value<'_> {
                let $value = self;
                $made
            }
        }
    };
}

parameter!(i64, Int, value => Value::Int(*value));
// No place is ever that large: what is asked for beyond the last number is not there, as it is for that number.
parameter!(u64, Int, value => Value::Int(i64::try_from(*value).unwrap_or(i64::MAX)));
parameter!(u32, Int, value => Value::Int(i64::from(*value)));
parameter!(bool, Bool, value => Value::Bool(*value));
parameter!(str, Text, value => Value::Text(value));
parameter!(String, Text, value => Value::Text(value));
parameter!([u8], Blob, value => Value::Blob(value));
parameter!(Uuid, Id, value => Value::Id(*value));
parameter!([i64], Ints, value => Value::Ints(value));
parameter!([Option<i64>], Ints, value => Value::OptionalInts(value));
parameter!([bool], Bools, value => Value::Bools(value));
parameter!([&str], Texts, value => Value::Texts(value));
parameter!([Option<&str>], Texts, value => Value::OptionalTexts(value));
parameter!([&[u8]], Blobs, value => Value::Blobs(value));
parameter!([Uuid], Ids, value => Value::Ids(value));
