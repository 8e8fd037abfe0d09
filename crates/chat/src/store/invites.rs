//! Invites in SQL.

use super::accounts;
use crate::error::{Error, Result};
use crate::sql::{Sql, params};
use crate::stream::{RoomKey, UserKey};
use crate::token::new_id;
use protocol::{Invite, InviteId, Nonce, RoomId, User};
use uuid::Uuid;

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
pub(crate) fn insert(sql: Sql<'_>, new: &NewInvite<'_>) -> Result<InviteId> {
    let id: Option<Uuid> = sql.one(
        "insert into invites (id, token_hash, room, created_by, created_at, expires_at, uses, nonce)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         on conflict (nonce, created_by) do update set token_hash = excluded.token_hash
         where invites.room is not distinct from excluded.room and invites.uses = excluded.uses
           and invites.revoked_at is null
           and invites.expires_at - invites.created_at = excluded.expires_at - excluded.created_at
         returning id",
        params![
            new_id(),
            new.token_hash[..],
            new.room,
            new.by,
            new.now,
            new.expires_at,
            new.uses,
            new.nonce.as_str()
        ],
        |row| row.get("id"),
    )?;
    id.map(InviteId::new).ok_or(Error::Conflict)
}

/// An invite that still works, as whoever holds its link sees it.
pub(crate) struct Living {
    pub(crate) key: i64,
    pub(crate) by_key: UserKey,
    pub(crate) by: User,
    pub(crate) room: Option<(RoomKey, String)>,
    pub(crate) expires_at: i64,
}

pub(crate) fn find(sql: Sql<'_>, token_hash: [u8; 32], now: i64) -> Result<Option<Living>> {
    let text = format!(
        "select i.key, i.created_by, i.room, r.name as room_name, i.expires_at, {}
         from invites i join users u on u.key = i.created_by left join rooms r on r.key = i.room
         where i.token_hash = ?1 and i.expires_at > ?2 and i.used < i.uses and i.revoked_at is null",
        accounts::USER_COLUMNS
    );
    Ok(sql.one(&text, params![token_hash[..], now], |row| {
        let (key, by_key) = (row.get("key")?, row.get("created_by")?);
        let room: Option<RoomKey> = row.get("room")?;
        let room = room.zip(row.get::<Option<String>>("room_name")?);
        let expires_at = row.get("expires_at")?;
        Ok(Living { key, by_key, by: accounts::user(row)?, room, expires_at })
    })?)
}

pub(crate) fn count_use(sql: Sql<'_>, key: i64) -> Result<()> {
    sql.run("update invites set used = used + 1 where key = ?1", params![key])?;
    Ok(())
}

/// Invites that still work, newest first: all, or those that `by` made.
pub(crate) fn list(sql: Sql<'_>, by: Option<UserKey>, now: i64) -> Result<Vec<Invite>> {
    let text = format!(
        "select i.id, r.id as room_id, i.created_at, i.expires_at, i.uses, i.used, {}
         from invites i join users u on u.key = i.created_by left join rooms r on r.key = i.room
         where i.expires_at > ?1 and i.used < i.uses and i.revoked_at is null and (?2 is null or i.created_by = ?2)
         order by i.key desc limit 200",
        accounts::USER_COLUMNS
    );
    Ok(sql.all(&text, params![now, by], |row| {
        Ok(Invite {
            id: InviteId::new(row.get("id")?),
            room: row.get::<Option<Uuid>>("room_id")?.map(RoomId::new),
            at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
            uses: row.get("uses")?,
            used: row.get("used")?,
            by: accounts::user(row)?,
        })
    })?)
}

/// Stops an invite: anybody's, or only one that `by` made. False when there is none.
pub(crate) fn revoke(sql: Sql<'_>, id: InviteId, by: Option<UserKey>, now: i64) -> Result<bool> {
    let changed = sql.run(
        "update invites set revoked_at = coalesce(revoked_at, ?3)
         where id = ?1 and (?2 is null or created_by = ?2)",
        params![id.uuid(), by, now],
    )?;
    Ok(changed > 0)
}
