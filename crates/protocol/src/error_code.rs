//! Why a command was refused.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// A refusal, in words for programs and for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Error {
    /// What kind of refusal: programs branch on this.
    pub code: ErrorCode,
    /// What the message speaks of, such as `{"field":"name","max":64}`: clients translate with it.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub params: Map<String, Value>,
    /// One English sentence that says what happened and what to do.
    pub message: String,
    /// When to come back, where waiting helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, a field is missing or of another type.
    BadRequest,
    /// No command of this name.
    UnknownCommand,
    /// A value breaks a rule; `params.field` and `params.rule` say which.
    Invalid,
    /// Not there, or not yours: the two look alike.
    NotFound,
    /// Yours to see, not to do.
    Forbidden,
    /// The nonce was used for another draft.
    Conflict,
    /// The name belongs to somebody or something else.
    NameTaken,
    /// Nobody is signed in, or no longer.
    Unauthenticated,
    /// Wrong name or password.
    BadCredentials,
    /// The link does not work (any more).
    LinkSpent,
    /// More than fits.
    TooLarge,
    /// Too many in too short a time.
    RateLimited,
    /// The room is busier than its readers can follow.
    SlowDown,
    /// The server is busier than it can be.
    Overloaded,
    /// Nobody knows whether it was done: ask again with the same nonce.
    Unknown,
    /// The server failed; the log says why.
    Internal,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
