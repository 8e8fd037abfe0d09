//! Codes by name: a new code does not compile until it has a line here, and a line here fails until it has a fixture and
//! a place in the document. Frames know their names themselves.

use protocol::{CloseCode, ErrorCode};

macro_rules! names {
    ($(#[$doc:meta])* $list:ident, $name_of:ident($of:ty) { $($variant:pat => $name:literal,)* }) => {
        $(#[$doc])*
        pub const $list: &[&str] = &[$($name),*];

        pub fn $name_of(of: &$of) -> &'static str {
            match of {
                $($variant => $name,)*
            }
        }
    };
}

names! {
    /// `error_codes.json`, in this order.
    ERROR_CODES, error_code(ErrorCode) {
        ErrorCode::BadRequest => "bad_request",
        ErrorCode::UnknownCommand => "unknown_command",
        ErrorCode::Invalid => "invalid",
        ErrorCode::NotFound => "not_found",
        ErrorCode::Forbidden => "forbidden",
        ErrorCode::Conflict => "conflict",
        ErrorCode::NameTaken => "name_taken",
        ErrorCode::Unauthenticated => "unauthenticated",
        ErrorCode::BadCredentials => "bad_credentials",
        ErrorCode::LinkSpent => "link_spent",
        ErrorCode::TooLarge => "too_large",
        ErrorCode::RateLimited => "rate_limited",
        ErrorCode::SlowDown => "slow_down",
        ErrorCode::Overloaded => "overloaded",
        ErrorCode::Unknown => "unknown",
        ErrorCode::Internal => "internal",
    }
}

macro_rules! close_codes {
    ($($variant:ident => $name:literal,)*) => {
        /// `close_codes.json`, in this order.
        pub const CLOSE_CODES: &[(CloseCode, &str)] = &[$((CloseCode::$variant, $name)),*];

        // Its match is what refuses to compile when a code has no line here.
        pub fn close_code(of: CloseCode) -> &'static str {
            match of {
                $(CloseCode::$variant => $name,)*
            }
        }
    };
}

close_codes! {
    Protocol => "protocol",
    NotUtf8 => "not_utf8",
    Limit => "limit",
    TooLarge => "too_large",
    Restart => "restart",
    Lagging => "lagging",
    SessionEnded => "session_ended",
    NotAllowed => "not_allowed",
}
