//! The table of all settings: name, explanation, how it is read and shown.

use super::Config;
use chat::Database;
use ipnet::IpNet;
use std::net::IpAddr;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use toml::Value;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// One setting. Its kind of value is the kind that `show` gives.
pub struct Setting {
    /// Its key in the file; `--with-dashes` as a flag, `ROOMFUL_IN_CAPITALS` in the environment.
    pub name: &'static str,
    /// What it does, for `--help` and `config.example.toml`.
    pub about: &'static str,
    /// The value as TOML.
    pub show: fn(&Config) -> Value,
    /// Takes a value; the error continues the sentence "`name` …".
    pub set: fn(&mut Config, &Value) -> Result<(), String>,
}

/// All of them, in the order of the example file.
pub const SETTINGS: [Setting; 23] = [
    Setting {
        name: "listen",
        about: "Where the server listens: address and port. 0.0.0.0 or [::] means every network of this machine.",
        show: |config| config.listen.to_string().into(),
        set: |config, value| {
            config.listen = text(value)?
                .parse()
                .map_err(|_| "must be an address and port such as 127.0.0.1:3000".to_owned())?;
            Ok(())
        },
    },
    Setting {
        name: "tls_cert",
        about: "A file with this server's certificate and those that vouch for it, in PEM form. With it and tls_key the\n\
                server speaks https:// and wss:// on the address above, and reads both files again when they change.",
        show: |config| path(config.tls_cert.as_ref()),
        set: |config, value| {
            config.tls_cert = some_path(value)?;
            Ok(())
        },
    },
    Setting {
        name: "tls_key",
        about: "A file with the certificate's private key, in PEM form.",
        show: |config| path(config.tls_key.as_ref()),
        set: |config, value| {
            config.tls_key = some_path(value)?;
            Ok(())
        },
    },
    Setting {
        name: "data",
        about: "The folder that holds everything the server keeps. It is made when there is none, for its owner alone.",
        show: |config| config.data.to_string_lossy().into_owned().into(),
        set: |config, value| {
            let path = text(value)?;
            if path.is_empty() {
                return Err("must name a folder".to_owned());
            }
            config.data = PathBuf::from(path);
            Ok(())
        },
    },
    Setting {
        name: "database",
        about: "The PostgreSQL database that holds people, rooms and messages: postgres://user:password@host/name. Empty\n\
                means a file in the folder above, which is right for one machine. A password stands here or in the\n\
                environment, for everybody on the machine can read flags.",
        show: |config| config.database.as_ref().map_or_else(String::new, Database::shown).into(),
        set: |config, value| {
            let address = text(value)?;
            config.database = if address.is_empty() { None } else { Some(Database::at(address)?) };
            Ok(())
        },
    },
    Setting {
        name: "name",
        about: "What this community is called, up to 64 characters.",
        show: |config| config.name.clone().into(),
        set: |config, value| {
            config.name = chat::Name::new("name", text(value)?)
                .map_err(|error| format!("is not fit: {error}"))?
                .shown()
                .to_owned();
            Ok(())
        },
    },
    Setting {
        name: "public_url",
        about: "The address people type, when a proxy stands in front: https://chat.example.org. Links, cookies and the\n\
                check of where requests come from use it. Empty: the address the server listens on.",
        show: |config| config.public_url.as_ref().map(ToString::to_string).unwrap_or_default().into(),
        set: |config, value| {
            let url = text(value)?;
            config.public_url = if url.is_empty() { None } else { Some(url.parse()?) };
            Ok(())
        },
    },
    Setting {
        name: "trusted_proxies",
        about: "Addresses or networks of proxies whose X-Forwarded-For counts as the client's address:\n\
                [\"127.0.0.1\", \"10.0.0.0/8\"]. As a flag or in the environment, separated by commas.",
        show: |config| {
            config.trusted_proxies.iter().map(|net| Value::String(net.to_string())).collect::<Vec<_>>().into()
        },
        set: |config, value| {
            let networks = value.as_array().ok_or("must be a list of addresses")?;
            config.trusted_proxies = networks.iter().map(network).collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Setting {
        name: "guests",
        about: "Who may come in without an account: \"auto\" (whoever sits at this machine, as long as no proxy and no\n\
                public_url is involved), \"on\" (everybody) or \"off\" (nobody).",
        show: |config| config.guests.word().into(),
        set: |config, value| {
            config.guests = text(value)?.parse()?;
            Ok(())
        },
    },
    Setting {
        name: "guests_open_rooms",
        about: "Whether guests may open open rooms, and whether entering an open room that does not exist opens it.",
        show: |config| config.guests_open_rooms.into(),
        set: |config, value| {
            config.guests_open_rooms = value.as_bool().ok_or("must be true or false")?;
            Ok(())
        },
    },
    Setting {
        name: "heartbeat_s",
        about: "How often every connection hears from the server, in seconds from 1 to 300. Keep it below the time after\n\
                which proxies cut silent connections, often 60.",
        show: |config| i64::try_from(config.heartbeat.as_secs()).unwrap_or(i64::MAX).into(),
        set: |config, value| {
            let seconds = value.as_integer().and_then(|number| u64::try_from(number).ok());
            let seconds = seconds.filter(|seconds| (1..=300).contains(seconds));
            config.heartbeat =
                Duration::from_secs(seconds.ok_or("must be a number of seconds from 1 to 300")?);
            Ok(())
        },
    },
    Setting {
        name: "compression",
        about: "Whether messages of 256 bytes and more are compressed for clients that ask for it, as browsers do: a third to\n\
                a half less traffic. Each message is compressed once, however many people hear it.",
        show: |config| config.compression.into(),
        set: |config, value| {
            config.compression = value.as_bool().ok_or("must be true or false")?;
            Ok(())
        },
    },
    Setting {
        name: "handshake_s",
        about: "Limits. How long a TLS handshake, and then the head of a request, may take, in seconds from 1 to 300; also how\n\
                long a connection may idle between requests. Then it is closed.",
        show: |config| i64::try_from(config.limits.handshake.as_secs()).unwrap_or(i64::MAX).into(),
        set: |config, value| {
            config.limits.handshake = Duration::from_secs(whole(value, 1..=300)?.into());
            Ok(())
        },
    },
    Setting {
        name: "header_bytes",
        about: "The most bytes of a request's head, from 8192 to 1048576, in at most 100 fields. Beyond it: 431.",
        show: |config| i64::from(config.limits.header_bytes).into(),
        set: |config, value| {
            config.limits.header_bytes = whole(value, 8_192..=1_048_576)?;
            Ok(())
        },
    },
    Setting {
        name: "connections",
        about: "The most connections at once. 0: as many as the system lets the process open files, less 128 that stay free.\n\
                Beyond it: 503.",
        show: |config| i64::from(config.limits.connections).into(),
        set: |config, value| {
            config.limits.connections = whole(value, 0..=10_000_000)?;
            Ok(())
        },
    },
    Setting {
        name: "connections_per_address",
        about: "The most connections at once from one address (one /64 of IPv6). Beyond it: 429. This and what follows does\n\
                not apply to whoever sits at this machine, as long as no proxy is involved.",
        show: |config| i64::from(config.limits.connections_per_address).into(),
        set: |config, value| {
            config.limits.connections_per_address = whole(value, 1..=10_000_000)?;
            Ok(())
        },
    },
    Setting {
        name: "connections_per_user",
        about: "The most WebSockets at once of one user. Beyond it: 429.",
        show: |config| i64::from(config.limits.connections_per_user).into(),
        set: |config, value| {
            config.limits.connections_per_user = whole(value, 1..=10_000_000)?;
            Ok(())
        },
    },
    Setting {
        name: "frames_per_second",
        about: "The most frames a second on one WebSocket, pings included; ten seconds' worth may come at once. Beyond it: close\n\
                code 1008.",
        show: |config| i64::from(config.limits.frames_per_second.get()).into(),
        set: |config, value| {
            config.limits.frames_per_second =
                NonZero::new(whole(value, 1..=1_000_000)?).ok_or("must not be 0")?;
            Ok(())
        },
    },
    Setting {
        name: "bytes_per_second",
        about: "The most bytes a second on one WebSocket, from 8192; ten seconds' worth may come at once. Beyond it: close code\n\
                1008.",
        show: |config| i64::from(config.limits.bytes_per_second.get()).into(),
        set: |config, value| {
            config.limits.bytes_per_second =
                NonZero::new(whole(value, 8_192..=1_000_000_000)?).ok_or("must not be 0")?;
            Ok(())
        },
    },
    Setting {
        name: "requests_per_second",
        about: "The most requests a second from one address to the API and for WebSockets; ten seconds' worth may come at once.\n\
                Beyond it: 429.",
        show: |config| i64::from(config.limits.requests_per_second.get()).into(),
        set: |config, value| {
            config.limits.requests_per_second =
                NonZero::new(whole(value, 1..=1_000_000)?).ok_or("must not be 0")?;
            Ok(())
        },
    },
    Setting {
        name: "attempts_per_minute",
        about: "The most attempts a minute to get in (signing in and up, guests, setup) from one address. Beyond it: 429.",
        show: |config| i64::from(config.limits.attempts_per_minute.get()).into(),
        set: |config, value| {
            config.limits.attempts_per_minute =
                NonZero::new(whole(value, 1..=1_000_000)?).ok_or("must not be 0")?;
            Ok(())
        },
    },
    Setting {
        name: "log",
        about: "What is worth a line in the log: error, warn, info, debug or trace, also by module: \"info,server=debug\".\n\
                Never logged at any level: messages, passwords, tokens, cookies, query strings.",
        show: |config| config.log.to_string().into(),
        set: |config, value| {
            config.log =
                levels(text(value)?).ok_or("must be levels such as info or \"info,server=debug\"")?;
            Ok(())
        },
    },
    Setting {
        name: "log_format",
        about: "How a line in the log looks: \"human\", \"json\", or \"auto\" (human on a terminal, JSON otherwise).",
        show: |config| config.log_format.word().into(),
        set: |config, value| {
            config.log_format = text(value)?.parse()?;
            Ok(())
        },
    },
];

impl Setting {
    /// The value that `text` from a flag or the environment means.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        match (self.show)(&Config::default()) {
            Value::Integer(_) => {
                text.trim().parse().map(Value::Integer).map_err(|_| "must be a number".to_owned())
            }
            Value::Boolean(_) => {
                text.trim().parse().map(Value::Boolean).map_err(|_| "must be true or false".to_owned())
            }
            Value::Array(_) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(Value::Array(items.map(Value::from).collect()))
            }
            Value::String(_) | Value::Float(_) | Value::Datetime(_) | Value::Table(_) => {
                Ok(Value::from(text))
            }
        }
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "must be text in quotes".to_owned())
}

fn whole(value: &Value, bounds: RangeInclusive<u32>) -> Result<u32, String> {
    let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| format!("must be a number from {} to {}", bounds.start(), bounds.end()))
}

fn path(path: Option<&PathBuf>) -> Value {
    path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default().into()
}

fn some_path(value: &Value) -> Result<Option<PathBuf>, String> {
    text(value).map(|text| (!text.is_empty()).then(|| PathBuf::from(text)))
}

/// Unlike [`Targets`] itself, which would take a misspelt level for the name of a module.
fn levels(text: &str) -> Option<Targets> {
    let is_level =
        |part: &str| part.trim().parse::<LevelFilter>().is_ok() && part.trim().parse::<u8>().is_err();
    let right = text.split(',').all(|part| is_level(part.split_once('=').map_or(part, |(_, level)| level)));
    if right { text.parse().ok() } else { None }
}

fn network(value: &Value) -> Result<IpNet, String> {
    let text = text(value)?;
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| format!("must hold addresses or networks, not {text:?}"))
}
