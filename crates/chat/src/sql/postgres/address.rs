//! How a PostgreSQL server is found.

use super::trust::Trust;
use super::{SqlError, SqlResult};
use percent_encoding::percent_decode_str;
use std::error::Error as _;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;

/// How long one server may take to answer, unless the address says otherwise.
const CONNECT: Duration = Duration::from_secs(5);
/// After this long without a sign of life the kernel asks whether the server is still there.
const QUIET: Duration = Duration::from_secs(30);
/// After this long without an answer to that, or to anything sent, the session is over.
const DEAD: Duration = Duration::from_secs(30);

/// Where a server is, and whether it must prove that it is the one.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) trust: Trust,
}

/// Reads an address. Its errors do not repeat it: it may hold a password.
pub(super) fn parse(url: &str) -> SqlResult<Address> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        let what = "The address of a PostgreSQL database begins with `postgres://`.";
        return Err(SqlError::Address(what.to_owned()));
    }
    let (url, trust) = trust(url);
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        SqlError::Address(format!("The address of the PostgreSQL database cannot be understood: {why}."))
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let what = "The address of the PostgreSQL database names no host. A Unix socket is named by its folder, as \
                    in `postgres://roomful@%2Frun%2Fpostgresql/roomful`.";
        return Err(SqlError::Address(what.to_owned()));
    }
    if config.get_application_name().is_none() {
        config.application_name("roomful");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(DEAD);
    }
    if !url.contains("keepalives") {
        config.keepalives_idle(QUIET).keepalives_interval(DEAD / 3).keepalives_retries(3);
    }
    // Of several servers one is the primary, and only it can be written to.
    if config.get_hosts().len().max(config.get_hostaddrs().len()) > 1 && !url.contains("target_session_attrs")
    {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    Ok(Address { config, trust })
}

/// Takes out of an address what the driver does not know: `sslrootcert`, and those `sslmode`s with which a certificate is
/// looked at. `require` looks at it too: encryption with a stranger protects nothing.
fn trust(url: &str) -> (String, Trust) {
    let Some((path, query)) = url.split_once('?') else { return (url.to_owned(), Trust::Anybody) };
    let (mut checked, mut given) = (false, None);
    let mut rest: Vec<&str> = Vec::new();
    for part in query.split('&') {
        match part.split_once('=') {
            Some(("sslmode", "require" | "verify-ca" | "verify-full")) => checked = true,
            Some(("sslrootcert", file)) => {
                given = Some(percent_decode_str(file).decode_utf8_lossy().into_owned())
            }
            Some(_) | None => rest.push(part),
        }
    }
    if checked {
        rest.push("sslmode=require");
    }
    let trust = match given {
        Some(file) if checked => Trust::Given(file.into()),
        None if checked => Trust::System,
        Some(_) | None => Trust::Anybody,
    };
    (format!("{path}?{}", rest.join("&")), trust)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_postgres::config::SslMode;

    #[test]
    fn an_address_is_completed_with_what_a_session_needs() {
        let config = parse("postgres://ana:secret@localhost/roomful").expect("an address").config;
        assert_eq!(config.get_application_name(), Some("roomful"));
        assert_eq!(config.get_connect_timeout(), Some(&CONNECT));
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::Any);
        let own = "postgres://localhost/roomful?application_name=mine&connect_timeout=9&keepalives_idle=7";
        let config = parse(own).expect("an address").config;
        assert_eq!(config.get_application_name(), Some("mine"));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(9)));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(7));
    }

    #[test]
    fn of_several_servers_the_one_that_takes_writes_is_wanted() {
        let config = parse("postgres://a:1,b:2/roomful").expect("an address").config;
        assert_eq!(config.get_hosts().len(), 2);
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        let any = parse("postgres://a:1,b:2/roomful?target_session_attrs=any").expect("an address").config;
        assert_eq!(any.get_target_session_attrs(), TargetSessionAttrs::Any);
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_its_password() {
        for url in
            ["mysql://ana:secret@localhost", "postgres://ana:secret@localhost:port/", "postgres:///roomful"]
        {
            let refused = parse(url).expect_err("no address");
            assert!(matches!(refused, SqlError::Address(_)), "{refused:?}");
            assert!(!refused.to_string().contains("secret"), "{refused}");
        }
    }

    #[test]
    fn a_certificate_is_looked_at_where_the_address_asks_for_tls() {
        let of = |query: &str| {
            let address = parse(&format!("postgres://localhost/roomful{query}")).expect("an address");
            (address.config.get_ssl_mode(), address.trust)
        };
        assert_eq!(of(""), (SslMode::Prefer, Trust::Anybody));
        assert_eq!(of("?sslmode=disable"), (SslMode::Disable, Trust::Anybody));
        assert_eq!(of("?sslmode=prefer&sslrootcert=x"), (SslMode::Prefer, Trust::Anybody));
        for mode in ["require", "verify-ca", "verify-full"] {
            assert_eq!(of(&format!("?connect_timeout=1&sslmode={mode}")), (SslMode::Require, Trust::System));
        }
        let given = Trust::Given("/etc/ca of ours.pem".into());
        assert_eq!(of("?sslrootcert=%2Fetc%2Fca%20of%20ours.pem&sslmode=require"), (SslMode::Require, given));
        parse("postgres://localhost/roomful?sslmode=perhaps").expect_err("no such mode");
    }
}
