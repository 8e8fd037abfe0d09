//! Rooms in SQL.

use crate::error::{Error, Result};
use crate::sql::{Row, Sql, SqlError, SqlResult, params};
use crate::stream::{RoomKey, RoomRef, UserKey};
use crate::text::Name;
use crate::token::new_id;
use protocol::{Nonce, OpenRoom, RoomId, RoomKind};

pub(crate) const fn kind_name(kind: RoomKind) -> &'static str {
    match kind {
        RoomKind::Open => "open",
        RoomKind::Closed => "closed",
        RoomKind::Direct => "direct",
    }
}

/// The kind that the column `kind` names.
pub(crate) fn kind(row: &Row<'_>) -> SqlResult<RoomKind> {
    let name = row.text("kind")?.unwrap_or_default();
    [RoomKind::Open, RoomKind::Closed, RoomKind::Direct]
        .into_iter()
        .find(|kind| kind_name(*kind) == name)
        .ok_or_else(|| SqlError::value("kind", "names no kind of room"))
}

const COLUMNS: &str = "r.key, r.id, r.name, r.kind, r.head";

fn room(row: &Row<'_>) -> SqlResult<RoomRef> {
    let (key, id, name) = (row.get("key")?, RoomId::new(row.get("id")?), row.get("name")?);
    Ok(RoomRef { key, id, name, kind: kind(row)?, head: row.get("head")? })
}

pub(crate) struct NewRoom<'a> {
    pub(crate) name: &'a Name,
    pub(crate) kind: RoomKind,
    pub(crate) by: Option<UserKey>,
    pub(crate) nonce: Option<&'a Nonce>,
    pub(crate) provisional: bool,
    pub(crate) now: i64,
}

pub(crate) fn insert(sql: Sql<'_>, new: &NewRoom<'_>) -> Result<RoomRef> {
    let id = RoomId::new(new_id());
    let inserted = sql.one(
        "insert into rooms (id, kind, name, folded, opened_by, opened_at, provisional, nonce)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) returning key",
        params![
            id.uuid(),
            kind_name(new.kind),
            new.name.shown(),
            new.name.folded(),
            new.by,
            new.now,
            new.provisional,
            new.nonce.map(Nonce::as_str)
        ],
        |row| row.get("key"),
    );
    match inserted {
        Err(error) if error.violates("rooms.folded", "rooms_open_name") => {
            Err(Error::NameTaken(new.name.shown().to_owned()))
        }
        Err(error) => Err(error.into()),
        Ok(key) => Ok(RoomRef {
            key: key.ok_or_else(|| SqlError::NoColumn("key".to_owned()))?,
            id,
            name: new.name.shown().to_owned(),
            kind: new.kind,
            head: 0,
        }),
    }
}

pub(crate) fn find(sql: Sql<'_>, id: RoomId) -> Result<Option<RoomRef>> {
    let text = format!("select {COLUMNS} from rooms r where r.id = ?1");
    Ok(sql.one(&text, params![id.uuid()], room)?)
}

pub(crate) fn find_key(sql: Sql<'_>, key: RoomKey) -> Result<Option<RoomRef>> {
    Ok(sql.one(&format!("select {COLUMNS} from rooms r where r.key = ?1"), params![key], room)?)
}

pub(crate) fn find_open(sql: Sql<'_>, folded: &str) -> Result<Option<RoomRef>> {
    let text = format!("select {COLUMNS} from rooms r where r.folded = ?1 and r.kind = 'open'");
    Ok(sql.one(&text, params![folded], room)?)
}

pub(crate) fn find_by_nonce(sql: Sql<'_>, nonce: &Nonce, by: UserKey) -> Result<Option<RoomRef>> {
    let text = format!("select {COLUMNS} from rooms r where r.nonce = ?1 and r.opened_by = ?2");
    Ok(sql.one(&text, params![nonce.as_str(), by], room)?)
}

/// Takes the next `seq` of a room.
///
/// # Errors
/// `NotFound` when the room is gone.
pub(crate) fn advance(sql: Sql<'_>, room: RoomKey) -> Result<u64> {
    let head =
        sql.one("update rooms set head = head + 1 where key = ?1 returning head", params![room], |row| {
            row.get("head")
        })?;
    head.ok_or(Error::NotFound("room"))
}

/// Rooms that were opened by being entered, in which nobody is a member and nothing was ever said.
const UNUSED: &str =
    "provisional = true and n = 0 and not exists (select 1 from memberships m where m.room = rooms.key)";

/// Removes a room if it is unused, with the comings and goings and the links that may have been. False when it is not.
pub(crate) fn delete_unused(sql: Sql<'_>, room: RoomKey) -> Result<bool> {
    if !sql.exists(&format!("select 1 from rooms where key = ?1 and {UNUSED}"), params![room])? {
        return Ok(false);
    }
    sql.run("delete from invites where room = ?1", params![room])?;
    sql.run("delete from events where room = ?1", params![room])?;
    sql.run("delete from rooms where key = ?1", params![room])?;
    Ok(true)
}

/// All rooms that are unused.
pub(crate) fn unused(sql: Sql<'_>) -> Result<Vec<RoomKey>> {
    Ok(sql.all(&format!("select key from rooms where {UNUSED}"), params![], |row| row.get("key"))?)
}

/// Open rooms after the folded name `after`, by name, with their folded names for the next page.
pub(crate) fn page_open(
    sql: Sql<'_>,
    user: UserKey,
    after: &str,
    limit: u32,
) -> Result<Vec<(String, OpenRoom)>> {
    let text = "select r.folded, r.id, r.name,
                (select count(*) from memberships m join users u on u.key = m.user
                 where m.room = r.key and u.password is not null) as members,
                exists (select 1 from memberships m where m.room = r.key and m.user = ?1) as joined
         from rooms r where r.kind = 'open' and r.folded > ?2 order by r.folded limit ?3";
    Ok(sql.all(text, params![user, after, limit], |row| {
        let folded = row.get("folded")?;
        let (id, name) = (RoomId::new(row.get("id")?), row.get("name")?);
        Ok((folded, OpenRoom { id, name, members: row.get("members")?, joined: row.get("joined")? }))
    })?)
}
