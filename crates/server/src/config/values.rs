//! Kinds of values that only settings have.

use axum::http::Uri;
use std::fmt;
use std::str::FromStr;

/// Who may come in without an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guests {
    /// Clients at this machine.
    Auto,
    /// Everybody.
    On,
    /// Nobody.
    Off,
}

/// How a line in the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The address people type: scheme, host and port, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    secure: bool,
}

impl PublicUrl {
    /// As a browser writes it in `Origin`: no slash at the end, no default port.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether it begins with https.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be an address such as https://chat.example.org, without a path".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        let bare =
            matches!(uri.path(), "" | "/") && uri.query().is_none() && !authority.as_str().contains('@');
        if !bare || !matches!(scheme, "http" | "https") {
            return Err(wrong());
        }
        let origin = without_default_port(scheme, authority.as_str());
        Ok(Self { origin: format!("{scheme}://{origin}"), secure: scheme == "https" })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

/// Host and port in lower case, the port left out where the scheme implies it.
pub(crate) fn without_default_port(scheme: &str, authority: &str) -> String {
    let default = if scheme == "https" { ":443" } else { ":80" };
    authority.strip_suffix(default).unwrap_or(authority).to_ascii_lowercase()
}

macro_rules! words {
    ($name:ident { $($word:literal => $variant:ident),+ }) => {
        impl $name {
            /// As it is written in settings.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("must be one of {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}

words!(Guests { "auto" => Auto, "on" => On, "off" => Off });
words!(LogFormat { "auto" => Auto, "human" => Human, "json" => Json });
