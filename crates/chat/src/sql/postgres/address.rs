//! How a PostgreSQL server is found.

use crate::sql::error::{SqlError, SqlResult};
use std::error::Error as _;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

/// How long one server may take to answer, unless the address says otherwise.
const CONNECT: Duration = Duration::from_secs(5);
/// After this long without a sign of life the kernel asks whether the server is still there.
const QUIET: Duration = Duration::from_secs(30);
/// After this long without an answer to that, or to anything sent, the session is over.
const DEAD: Duration = Duration::from_secs(30);

/// Reads an address. Its errors do not repeat it: it may hold a password.
pub(super) fn parse(url: &str) -> SqlResult<Config> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        let what = "The address of a PostgreSQL database begins with `postgres://`.";
        return Err(SqlError::Address(what.to_owned()));
    }
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        SqlError::Address(format!("The address of the PostgreSQL database cannot be understood: {why}."))
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let what = "The address of the PostgreSQL database names no host. A Unix socket is named by its folder, as \
                    in `postgres://roomful@%2Frun%2Fpostgresql/roomful`.";
        return Err(SqlError::Address(what.to_owned()));
    }
    if config.get_ssl_mode() == SslMode::Require {
        let what = "Roomful does not speak TLS with PostgreSQL. Connect through a Unix socket, a private network or \
                    a tunnel, and leave `sslmode=require` out of the address.";
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
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_completed_with_what_a_session_needs() {
        let config = parse("postgres://ana:secret@localhost/roomful").expect("an address");
        assert_eq!(config.get_application_name(), Some("roomful"));
        assert_eq!(config.get_connect_timeout(), Some(&CONNECT));
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::Any);
        let own = "postgres://localhost/roomful?application_name=mine&connect_timeout=9&keepalives_idle=7";
        let config = parse(own).expect("an address");
        assert_eq!(config.get_application_name(), Some("mine"));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(9)));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(7));
    }

    #[test]
    fn of_several_servers_the_one_that_takes_writes_is_wanted() {
        let config = parse("postgres://a:1,b:2/roomful").expect("an address");
        assert_eq!(config.get_hosts().len(), 2);
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        let any = parse("postgres://a:1,b:2/roomful?target_session_attrs=any").expect("an address");
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
        let refused = parse("postgres://localhost/roomful?sslmode=require").expect_err("no TLS");
        assert!(refused.to_string().contains("TLS"), "{refused}");
    }
}
