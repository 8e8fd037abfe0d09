//! What a session begins with, and what it finds out first.

use super::{SqlError, SqlResult, not_connected};
use tokio_postgres::{Client, SimpleQueryMessage};

/// The oldest version that the tests run on.
const OLDEST: u32 = 150_000;

/// What an administrator set for other programs must not cut ours short, and what is committed must be on the disk; a
/// stricter `synchronous_commit` than `on` stays. Then: what kind of server this is.
const GREETING: &str = "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; \
     set idle_session_timeout = 0; set lock_timeout = 0; \
     select set_config(name, '0', false) from pg_settings where name = 'transaction_timeout'; \
     set standard_conforming_strings = on; \
     select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'; \
     select current_setting('server_version_num') as number, current_setting('server_version') as version, \
     current_setting('fsync') as fsync, current_setting('server_encoding') as encoding";

/// Makes a session fit for what this crate does with it.
///
/// # Errors
/// `Unfit` when that cannot be done.
pub(super) async fn greet(client: &Client) -> SqlResult<()> {
    let answers = client.simple_query(GREETING).await.map_err(not_connected)?;
    let last = answers.iter().rev().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let said = |column| last.and_then(|row| row.try_get(column).ok().flatten()).unwrap_or_default();
    if said("number").parse().is_ok_and(|number: u32| number < OLDEST) {
        let version = said("version");
        let what =
            format!("The server is PostgreSQL {version}, and Roomful needs version {}.", OLDEST / 10_000);
        return Err(SqlError::Unfit(what));
    }
    if said("fsync") == "off" {
        let what = "The PostgreSQL server runs with `fsync = off`: a power cut would take what people were told is kept, \
                    or all of the database. Set `fsync = on` in its postgresql.conf and restart it.";
        return Err(SqlError::Unfit(what.to_owned()));
    }
    let encoding = said("encoding");
    if encoding != "UTF8" {
        let what = format!(
            "The database has the encoding {encoding}, which does not hold every text. Make one with `create database \
             roomful encoding 'UTF8' template template0`."
        );
        return Err(SqlError::Unfit(what));
    }
    Ok(())
}
