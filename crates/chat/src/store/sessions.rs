//! Sessions in SQL.

use super::accounts::{self, AccountRow};
use crate::error::Result;
use crate::sql::{Sql, params};
use crate::stream::UserKey;
use crate::token::new_id;
use protocol::{Role, SessionId};

const HAS_EXPIRED: &str = "select 1 from sessions where expires_at <= ?1";
const DELETE_EXPIRED: &str =
    "delete from sessions where expires_at <= ?1 returning sessions.user as user_key, id";

pub(crate) fn insert(
    sql: Sql<'_>,
    user: UserKey,
    token_hash: [u8; 32],
    now: i64,
    expires_at: i64,
) -> Result<SessionId> {
    let id = SessionId::new(new_id());
    sql.run(
        r#"insert into sessions (id, token_hash, "user", created_at, expires_at) values (?1, ?2, ?3, ?4, ?5)"#,
        params![id.uuid(), token_hash[..], user, now, expires_at],
    )?;
    Ok(id)
}

/// The session with this token, its account, and when it expires.
pub(crate) fn find(sql: Sql<'_>, token_hash: [u8; 32]) -> Result<Option<(SessionId, i64, AccountRow)>> {
    let text = format!(
        "select {}, s.id as session_id, s.expires_at
         from sessions s join users u on u.key = s.user where s.token_hash = ?1",
        accounts::COLUMNS
    );
    Ok(sql.one(&text, params![token_hash[..]], |row| {
        let account = accounts::account(row)?;
        Ok((SessionId::new(row.get("session_id")?), row.get("expires_at")?, account))
    })?)
}

pub(crate) fn lives(sql: Sql<'_>, id: SessionId, now: i64) -> Result<bool> {
    Ok(sql.exists("select 1 from sessions where id = ?1 and expires_at > ?2", params![id.uuid(), now])?)
}

/// When a session expires, and whose it is; nothing for one that has expired or ended.
pub(crate) fn find_living(sql: Sql<'_>, id: SessionId, now: i64) -> Result<Option<(i64, Role)>> {
    Ok(sql.one(
        "select s.expires_at, u.role from sessions s join users u on u.key = s.user
         where s.id = ?1 and s.expires_at > ?2",
        params![id.uuid(), now],
        |row| Ok((row.get("expires_at")?, accounts::role(row, "role")?)),
    )?)
}

pub(crate) fn extend(sql: Sql<'_>, id: SessionId, expires_at: i64) -> Result<()> {
    sql.run("update sessions set expires_at = ?2 where id = ?1", params![id.uuid(), expires_at])?;
    Ok(())
}

/// Whether there was one to end.
pub(crate) fn delete(sql: Sql<'_>, id: SessionId) -> Result<bool> {
    Ok(sql.run("delete from sessions where id = ?1", params![id.uuid()])? > 0)
}

pub(crate) fn has_expired(sql: Sql<'_>, now: i64) -> Result<bool> {
    Ok(sql.exists(HAS_EXPIRED, params![now])?)
}

/// Whose sessions they were, and which.
pub(crate) fn delete_expired(sql: Sql<'_>, now: i64) -> Result<Vec<(UserKey, SessionId)>> {
    Ok(sql.all(DELETE_EXPIRED, params![now], |row| {
        Ok((row.get("user_key")?, SessionId::new(row.get("id")?)))
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_for_expired_sessions_does_not_read_the_living_ones() {
        let mut sql = rusqlite::Connection::open_in_memory().expect("a database");
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
