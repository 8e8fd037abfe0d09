//! Opaque names of things on the wire.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// An id that could not be read: ids are UUIDs in their hyphenated form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id: expected a UUID such as 0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f")
    }
}

impl std::error::Error for BadId {}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "schema", schema(value_type = String, format = "uuid"))]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this value. Whoever makes a new one takes a UUIDv7, so that ids sort by age.
            pub const fn new(value: Uuid) -> Self {
                Self(value)
            }

            /// The 128 bits of the id.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Uuid::try_parse(text).map(Self).map_err(|_| BadId)
            }
        }
    };
}

id! {
    /// Names a room, for as long as it exists. With a `seq` it is a permalink.
    RoomId
}
id! {
    /// Names a user: an account or a guest.
    UserId
}
id! {
    /// Names a session: one login, on one device.
    SessionId
}
id! {
    /// Names an invite. Not its secret: that is the token in the link.
    InviteId
}

/// The author's name for a message or a creation before the server has given it a place.
///
/// 1 to 64 characters of visible ASCII; clients take a UUIDv7. Sending the same nonce again is how a client retries
/// without posting twice, so a nonce is never used for two drafts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(value_type = String, min_length = 1, max_length = 64))]
#[serde(transparent)]
pub struct Nonce(String);

impl Nonce {
    /// The longest nonce, in bytes.
    pub const MAX: usize = 64;

    /// Takes `text` as a nonce.
    ///
    /// # Errors
    /// [`BadNonce`] when it is empty, longer than [`Nonce::MAX`], or holds anything but visible ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, BadNonce> {
        let text = text.into();
        let fits = (1..=Self::MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text)) } else { Err(BadNonce) }
    }

    /// The nonce as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce({})", self.0)
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Nonce::new(String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// A nonce that breaks the rules of [`Nonce::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadNonce;

impl fmt::Display for BadNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a nonce is 1 to 64 characters of visible ASCII")
    }
}

impl std::error::Error for BadNonce {}
