//! Which database a PostgreSQL database is: another one after it was restored, copied, or set back.

use super::epoch;
use crate::sql::{Dialect, Sql, SqlResult, params};
use crate::token::new_id;
use sabotage::Bug;

/// Names the cluster, the line of history that it writes, the database in it, and the table `meta` in that. A dump that is
/// restored makes the table anew. A cluster that is set back to an earlier moment, or that takes the place of another
/// which failed, begins another line of history.
const IDENTITY: &str = "select concat_ws('/',
        (select system_identifier from pg_control_system()),
        left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
        (select oid from pg_database where datname = current_database()),
        cast('meta' as regclass)::oid) as identity";

/// What tells this database from every other, and from itself after another server has served it; nothing for a file, which
/// only our own commands restore.
pub(super) fn of(sql: Sql<'_>) -> SqlResult<Option<String>> {
    let Some(database) = of_database(sql)? else { return Ok(None) };
    let text = "select value from meta where name = 'server'";
    let server: Option<String> = sql.one(text, params![], |row| row.get("value"))?;
    Ok(Some(format!("{database}/{}", server.unwrap_or_default())))
}

/// Notes that a server begins to serve the database, under a name that no other has.
pub(super) fn claim(sql: Sql<'_>) -> SqlResult<()> {
    let server = new_id().simple().to_string();
    sql.run(
        "insert into meta (name, value) values ('server', ?1)
         on conflict (name) do update set value = excluded.value",
        params![server],
    )
    .map(drop)
}

fn of_database(sql: Sql<'_>) -> SqlResult<Option<String>> {
    match sql.dialect() {
        Dialect::Sqlite => Ok(None),
        Dialect::Postgres => sql.one(IDENTITY, params![], |row| row.get("identity")),
    }
}

/// Begins another epoch where the database is not the one that it was when a program of ours used it last.
pub(super) fn recognise(sql: Sql<'_>) -> SqlResult<()> {
    let Some(identity) = of_database(sql)? else { return Ok(()) };
    let noted = "select value from meta where name = 'identity'";
    let noted: Option<String> = sql.one(noted, params![], |row| row.get("value"))?;
    if noted.as_ref() == Some(&identity) {
        return Ok(());
    }
    if epoch::find(sql)?.is_some() && !sabotage::has(Bug::SameEpochOnRestore) {
        tracing::info!(
            "the database was restored or copied since it was used last: its epoch is another one now"
        );
        epoch::renew(sql, &new_id().simple().to_string())?;
    }
    sql.run(
        "insert into meta (name, value) values ('identity', ?1)
         on conflict (name) do update set value = excluded.value",
        params![identity],
    )
    .map(drop)
}
