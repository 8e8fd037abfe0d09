//! Sessions in SQL.

use super::accounts::{self, AccountRow, Id};
use crate::error::Result;
use crate::stream::UserKey;
use crate::token::new_id;
use protocol::{Role, SessionId};
use rusqlite::{Connection, OptionalExtension, params};

const HAS_EXPIRED: &str = "select exists (select 1 from sessions where expires_at <= ?1)";
const DELETE_EXPIRED: &str = "delete from sessions where expires_at <= ?1 returning user, id";

pub(crate) fn insert(
    sql: &Connection,
    user: UserKey,
    token_hash: [u8; 32],
    now: i64,
    expires_at: i64,
) -> Result<SessionId> {
    let id = SessionId::new(new_id());
    sql.prepare_cached(
        "insert into sessions (id, token_hash, user, created_at, expires_at) values (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![Id(id.uuid()), token_hash, user, now, expires_at])?;
    Ok(id)
}

/// The session with this token, its account, and when it expires.
pub(crate) fn find(sql: &Connection, token_hash: [u8; 32]) -> Result<Option<(SessionId, i64, AccountRow)>> {
    Ok(sql
        .prepare_cached(&format!(
            "select {}, s.id, s.expires_at from sessions s join users u on u.key = s.user where s.token_hash = ?1",
            accounts::COLUMNS
        ))?
        .query_row([token_hash], |row| {
            Ok((SessionId::new(row.get::<_, Id>(6)?.0), row.get(7)?, accounts::account(row)?))
        })
        .optional()?)
}

pub(crate) fn lives(sql: &Connection, id: SessionId, now: i64) -> Result<bool> {
    Ok(sql
        .prepare_cached("select exists (select 1 from sessions where id = ?1 and expires_at > ?2)")?
        .query_row(params![Id(id.uuid()), now], |row| row.get(0))?)
}

/// When a session expires, and whose it is; nothing for one that has expired or ended.
pub(crate) fn find_living(sql: &Connection, id: SessionId, now: i64) -> Result<Option<(i64, Role)>> {
    Ok(sql
        .prepare_cached(
            "select s.expires_at, u.role from sessions s join users u on u.key = s.user
             where s.id = ?1 and s.expires_at > ?2",
        )?
        .query_row(params![Id(id.uuid()), now], |row| Ok((row.get(0)?, accounts::role(row, 1)?)))
        .optional()?)
}

pub(crate) fn extend(sql: &Connection, id: SessionId, expires_at: i64) -> Result<()> {
    sql.prepare_cached("update sessions set expires_at = ?2 where id = ?1")?
        .execute(params![Id(id.uuid()), expires_at])?;
    Ok(())
}

/// Whether there was one to end.
pub(crate) fn delete(sql: &Connection, id: SessionId) -> Result<bool> {
    Ok(sql.prepare_cached("delete from sessions where id = ?1")?.execute([Id(id.uuid())])? > 0)
}

pub(crate) fn has_expired(sql: &Connection, now: i64) -> Result<bool> {
    Ok(sql.prepare_cached(HAS_EXPIRED)?.query_row([now], |row| row.get(0))?)
}

/// Whose sessions they were, and which.
pub(crate) fn delete_expired(sql: &Connection, now: i64) -> Result<Vec<(UserKey, SessionId)>> {
    let mut delete = sql.prepare_cached(DELETE_EXPIRED)?;
    let ended = delete.query_map([now], |row| Ok((row.get(0)?, SessionId::new(row.get::<_, Id>(1)?.0))))?;
    Ok(ended.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_for_expired_sessions_does_not_read_the_living_ones() {
        let mut sql = Connection::open_in_memory().expect("a database");
        crate::store::migrations::migrations::runner().run(&mut sql).expect("its tables");
        for statement in [HAS_EXPIRED, DELETE_EXPIRED] {
            let plan: Vec<String> = sql
                .prepare(&format!("explain query plan {statement}"))
                .and_then(|mut plan| plan.query_map([0], |row| row.get(3))?.collect())
                .expect("a plan");
            assert!(plan.iter().any(|step| step.contains("sessions_expiry")), "{plan:?}");
        }
    }
}
