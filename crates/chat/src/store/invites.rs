//! Invites in SQL.

use super::accounts::{self, Id};
use crate::error::{Error, Result};
use crate::stream::{RoomKey, UserKey};
use crate::token::new_id;
use protocol::{Invite, InviteId, Nonce, RoomId, User};
use rusqlite::{Connection, OptionalExtension, params};

pub(crate) struct NewInvite<'a> {
    pub(crate) token_hash: [u8; 32],
    pub(crate) room: Option<RoomKey>,
    pub(crate) by: UserKey,
    pub(crate) now: i64,
    pub(crate) expires_at: i64,
    pub(crate) uses: u32,
    pub(crate) nonce: &'a Nonce,
}

/// Makes an invite. The same nonce and draft again give the same invite a new token, for of the first only the hash was
/// kept.
///
/// # Errors
/// `Conflict` when the nonce made another invite.
pub(crate) fn insert(sql: &Connection, new: &NewInvite<'_>) -> Result<InviteId> {
    let id: Option<Id> = sql
        .prepare_cached(
            "insert into invites (id, token_hash, room, created_by, created_at, expires_at, uses, nonce)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             on conflict (nonce, created_by) do update set token_hash = excluded.token_hash
             where room is excluded.room and uses = excluded.uses and revoked_at is null
               and expires_at - created_at = excluded.expires_at - excluded.created_at
             returning id",
        )?
        .query_row(
            params![
                Id(new_id()),
                new.token_hash,
                new.room,
                new.by,
                new.now,
                new.expires_at,
                new.uses,
                new.nonce.as_str()
            ],
            |row| row.get(0),
        )
        .optional()?;
    id.map(|id| InviteId::new(id.0)).ok_or(Error::Conflict)
}

/// An invite that still works, as whoever holds its link sees it.
pub(crate) struct Living {
    pub(crate) key: i64,
    pub(crate) by_key: UserKey,
    pub(crate) by: User,
    pub(crate) room: Option<(RoomKey, String)>,
    pub(crate) expires_at: i64,
}

pub(crate) fn find(sql: &Connection, token_hash: [u8; 32], now: i64) -> Result<Option<Living>> {
    Ok(sql
        .prepare_cached(&format!(
            "select i.key, i.created_by, i.room, r.name, i.expires_at, {}
             from invites i join users u on u.key = i.created_by left join rooms r on r.key = i.room
             where i.token_hash = ?1 and i.expires_at > ?2 and i.used < i.uses and i.revoked_at is null",
            accounts::USER_COLUMNS
        ))?
        .query_row(params![token_hash, now], |row| {
            let room: Option<RoomKey> = row.get(2)?;
            let name: Option<String> = row.get(3)?;
            Ok(Living {
                key: row.get(0)?,
                by_key: row.get(1)?,
                room: room.zip(name),
                expires_at: row.get(4)?,
                by: accounts::user(row, 5)?,
            })
        })
        .optional()?)
}

pub(crate) fn count_use(sql: &Connection, key: i64) -> Result<()> {
    sql.prepare_cached("update invites set used = used + 1 where key = ?1")?.execute([key])?;
    Ok(())
}

/// Invites that still work, newest first: all, or those that `by` made.
pub(crate) fn list(sql: &Connection, by: Option<UserKey>, now: i64) -> Result<Vec<Invite>> {
    let mut found = sql.prepare_cached(&format!(
        "select i.id, r.id, i.created_at, i.expires_at, i.uses, i.used, {}
         from invites i join users u on u.key = i.created_by left join rooms r on r.key = i.room
         where i.expires_at > ?1 and i.used < i.uses and i.revoked_at is null and (?2 is null or i.created_by = ?2)
         order by i.key desc limit 200",
        accounts::USER_COLUMNS
    ))?;
    let rows = found.query_map(params![now, by], |row| {
        Ok(Invite {
            id: InviteId::new(row.get::<_, Id>(0)?.0),
            room: row.get::<_, Option<Id>>(1)?.map(|id| RoomId::new(id.0)),
            at: row.get(2)?,
            expires_at: row.get(3)?,
            uses: row.get(4)?,
            used: row.get(5)?,
            by: accounts::user(row, 6)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Stops an invite: anybody's, or only one that `by` made. False when there is none.
pub(crate) fn revoke(sql: &Connection, id: InviteId, by: Option<UserKey>, now: i64) -> Result<bool> {
    Ok(sql
        .prepare_cached(
            "update invites set revoked_at = coalesce(revoked_at, ?3)
             where id = ?1 and (?2 is null or created_by = ?2)",
        )?
        .execute(params![Id(id.uuid()), by, now])?
        > 0)
}
