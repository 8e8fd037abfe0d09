//! Values as a database keeps them, and what can be made of them.

use std::borrow::Cow;
use uuid::Uuid;

/// A value as a database keeps it, borrowed from its row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stored<'r> {
    Null,
    Int(i64),
    Bool(bool),
    Text(&'r str),
    Blob(&'r [u8]),
    Id(Uuid),
    /// Something that no column of ours holds, such as a fraction; what it is.
    Other(&'r str),
}

/// What is wrong with a stored value, to be said after the name of its column.
pub(crate) type Misfit = Cow<'static, str>;

/// What can be read from a column.
pub(crate) trait Column: Sized {
    /// The value, if `stored` is one.
    fn read(stored: Stored<'_>) -> Result<Self, Misfit>;
}

/// That something else was expected than is stored. Never says what is stored: it may be secret, and gets into logs.
pub(super) fn unlike(expected: &str, stored: Stored<'_>) -> Misfit {
    let found = match stored {
        Stored::Null => "nothing",
        Stored::Int(_) => "a number",
        Stored::Bool(_) => "a truth value",
        Stored::Text(_) => "a text",
        Stored::Blob(_) => "bytes",
        Stored::Id(_) => "an id",
        Stored::Other(what) => what,
    };
    format!("holds {found} instead of {expected}").into()
}

impl<T: Column> Column for Option<T> {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Null => Ok(None),
            some => T::read(some).map(Some),
        }
    }
}

impl Column for i64 {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Int(number) => Ok(number),
            other => Err(unlike("a number", other)),
        }
    }
}

impl Column for u64 {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        i64::read(stored)?.try_into().map_err(|_| "holds a number below zero".into())
    }
}

impl Column for u32 {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        i64::read(stored)?.try_into().map_err(|_| "holds a number that is too large or below zero".into())
    }
}

impl Column for bool {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            // SQLite has no truth values of its own.
            Stored::Int(0) => Ok(false),
            Stored::Int(1) => Ok(true),
            Stored::Bool(value) => Ok(value),
            other => Err(unlike("yes or no", other)),
        }
    }
}

impl Column for String {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Text(text) => Ok(text.to_owned()),
            other => Err(unlike("a text", other)),
        }
    }
}

impl Column for Vec<u8> {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Blob(bytes) => Ok(bytes.to_owned()),
            other => Err(unlike("bytes", other)),
        }
    }
}

impl<const N: usize> Column for [u8; N] {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Blob(bytes) => {
                bytes.try_into().map_err(|_| format!("holds {} bytes instead of {N}", bytes.len()).into())
            }
            other => Err(unlike("bytes", other)),
        }
    }
}

impl Column for Uuid {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Id(id) => Ok(id),
            // SQLite has no ids of its own.
            Stored::Blob(bytes) => Self::from_slice(bytes)
                .map_err(|_| format!("holds {} bytes instead of an id", bytes.len()).into()),
            other => Err(unlike("an id", other)),
        }
    }
}
