//! Settings: flags before the environment before a TOML file before defaults.

mod limits;
mod settings;
mod sources;
mod values;

pub use limits::Limits;
pub use sources::{Flags, Loaded, Origin, Sources};
pub(crate) use values::without_default_port;
pub use values::{Guests, LogFormat, PublicUrl};

use crate::pacing::Bounds;
use chat::Database;
use ipnet::IpNet;
use settings::SETTINGS;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// Every setting of a server, typed.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// The file with the certificate and those that vouch for it, in PEM form. With it the server speaks TLS.
    pub tls_cert: Option<PathBuf>,
    /// The file with the certificate's private key, in PEM form.
    pub tls_key: Option<PathBuf>,
    /// The folder that holds everything the server keeps.
    pub data: PathBuf,
    /// The PostgreSQL database that holds what is said, in place of the file in `data`.
    pub database: Option<Database>,
    /// The community's name.
    pub name: String,
    /// The address people type, when it is not the one the server listens on.
    pub public_url: Option<PublicUrl>,
    /// Proxies that are believed about the client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// Who may come in without an account.
    pub guests: Guests,
    /// Whether guests may open open rooms.
    pub guests_open_rooms: bool,
    /// How often every connection hears from the server.
    pub heartbeat: Duration,
    /// Whether WebSockets may be compressed.
    pub compression: bool,
    /// How much of the server one may use.
    pub limits: Limits,
    /// How far posts may run ahead of a room's readers. Follows from the size of a tail, so it is in no file; tests make
    /// it small.
    pub pacing: Bounds,
    /// What is worth a line in the log.
    pub log: Targets,
    /// How a line in the log looks.
    pub log_format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 3000).into(),
            tls_cert: None,
            tls_key: None,
            data: PathBuf::from("roomful-data"),
            database: None,
            name: "Roomful".to_owned(),
            public_url: None,
            trusted_proxies: Vec::new(),
            guests: Guests::Auto,
            guests_open_rooms: true,
            heartbeat: Duration::from_secs(25),
            compression: true,
            limits: Limits::default(),
            pacing: Bounds::default(),
            log: Targets::new().with_default(LevelFilter::INFO),
            log_format: LogFormat::Auto,
        }
    }
}

/// The text of `config.example.toml`: every setting with its explanation and default.
pub fn example() -> String {
    let mut text = String::from(
        "# Settings of Roomful, each with its default. Copy this file to roomful.toml beside the server, or to\n\
         # config.toml in its data directory, and change what you need.\n#\n\
         # A flag (--public-url) wins over the environment (ROOMFUL_PUBLIC_URL), which wins over this file.\n\
         # `roomful config check` reads it without starting a server; `roomful config print --origin` shows what counts.\n",
    );
    let defaults = Config::default();
    for setting in SETTINGS {
        let _ = write!(
            text,
            "\n# {}\n{} = {}\n",
            setting.about.replace('\n', "\n# "),
            setting.name,
            (setting.show)(&defaults)
        );
    }
    text
}
