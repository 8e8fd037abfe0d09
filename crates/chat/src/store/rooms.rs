//! Rooms in SQL.

use super::accounts::Id;
use crate::error::{Error, Result};
use crate::stream::{RoomKey, RoomRef, UserKey};
use crate::text::Name;
use crate::token::new_id;
use protocol::{Nonce, OpenRoom, RoomId, RoomKind};
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

impl ToSql for RoomKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for RoomKey {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(RoomKey)
    }
}

pub(crate) const fn kind_name(kind: RoomKind) -> &'static str {
    match kind {
        RoomKind::Open => "open",
        RoomKind::Closed => "closed",
        RoomKind::Direct => "direct",
    }
}

pub(crate) fn kind(row: &Row<'_>, at: usize) -> rusqlite::Result<RoomKind> {
    let name: String = row.get(at)?;
    [RoomKind::Open, RoomKind::Closed, RoomKind::Direct]
        .into_iter()
        .find(|kind| kind_name(*kind) == name)
        .ok_or_else(|| {
            rusqlite::Error::FromSqlConversionFailure(
                at,
                rusqlite::types::Type::Text,
                format!("no kind {name}").into(),
            )
        })
}

const COLUMNS: &str = "r.key, r.id, r.name, r.kind, r.head";

fn room(row: &Row<'_>) -> rusqlite::Result<RoomRef> {
    Ok(RoomRef {
        key: row.get(0)?,
        id: RoomId::new(row.get::<_, Id>(1)?.0),
        name: row.get(2)?,
        kind: kind(row, 3)?,
        head: row.get(4)?,
    })
}

pub(crate) struct NewRoom<'a> {
    pub(crate) name: &'a Name,
    pub(crate) kind: RoomKind,
    pub(crate) by: Option<UserKey>,
    pub(crate) nonce: Option<&'a Nonce>,
    pub(crate) provisional: bool,
    pub(crate) now: i64,
}

pub(crate) fn insert(sql: &Connection, new: &NewRoom<'_>) -> Result<RoomRef> {
    let id = RoomId::new(new_id());
    let inserted = sql
        .prepare_cached(
            "insert into rooms (id, kind, name, folded, opened_by, opened_at, provisional, nonce)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .insert(params![
            Id(id.uuid()),
            kind_name(new.kind),
            new.name.shown(),
            new.name.folded(),
            new.by,
            new.now,
            new.provisional,
            new.nonce.map(Nonce::as_str)
        ]);
    match inserted {
        Err(error) if super::is_unique(&error, "rooms.folded") => {
            Err(Error::NameTaken(new.name.shown().to_owned()))
        }
        Err(error) => Err(error.into()),
        Ok(key) => {
            Ok(RoomRef { key: RoomKey(key), id, name: new.name.shown().to_owned(), kind: new.kind, head: 0 })
        }
    }
}

pub(crate) fn find(sql: &Connection, id: RoomId) -> Result<Option<RoomRef>> {
    Ok(sql
        .prepare_cached(&format!("select {COLUMNS} from rooms r where r.id = ?1"))?
        .query_row([Id(id.uuid())], room)
        .optional()?)
}

pub(crate) fn find_key(sql: &Connection, key: RoomKey) -> Result<Option<RoomRef>> {
    Ok(sql
        .prepare_cached(&format!("select {COLUMNS} from rooms r where r.key = ?1"))?
        .query_row([key], room)
        .optional()?)
}

pub(crate) fn find_open(sql: &Connection, folded: &str) -> Result<Option<RoomRef>> {
    Ok(sql
        .prepare_cached(&format!("select {COLUMNS} from rooms r where r.folded = ?1 and r.kind = 'open'"))?
        .query_row([folded], room)
        .optional()?)
}

pub(crate) fn find_by_nonce(sql: &Connection, nonce: &Nonce, by: UserKey) -> Result<Option<RoomRef>> {
    Ok(sql
        .prepare_cached(&format!("select {COLUMNS} from rooms r where r.nonce = ?1 and r.opened_by = ?2"))?
        .query_row(params![nonce.as_str(), by], room)
        .optional()?)
}

/// Takes the next `seq` of a room.
pub(crate) fn advance(sql: &Connection, room: RoomKey) -> Result<u64> {
    Ok(sql
        .prepare_cached("update rooms set head = head + 1 where key = ?1 returning head")?
        .query_row([room], |row| row.get(0))?)
}

/// Rooms that were opened by being entered, in which nobody is a member and nothing was ever said.
const UNUSED: &str =
    "provisional = 1 and n = 0 and not exists (select 1 from memberships m where m.room = rooms.key)";

/// Removes a room if it is unused, with the comings and goings and the links that may have been. False when it is not.
pub(crate) fn delete_unused(sql: &Connection, room: RoomKey) -> Result<bool> {
    let unused = format!("select exists (select 1 from rooms where key = ?1 and {UNUSED})");
    if !sql.prepare_cached(&unused)?.query_row([room], |row| row.get::<_, bool>(0))? {
        return Ok(false);
    }
    sql.prepare_cached("delete from invites where room = ?1")?.execute([room])?;
    sql.prepare_cached("delete from events where room = ?1")?.execute([room])?;
    sql.prepare_cached("delete from rooms where key = ?1")?.execute([room])?;
    Ok(true)
}

/// All rooms that are unused.
pub(crate) fn unused(sql: &Connection) -> Result<Vec<RoomKey>> {
    let mut found = sql.prepare(&format!("select key from rooms where {UNUSED}"))?;
    let rows = found.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Open rooms after the folded name `after`, by name, with their folded names for the next page.
pub(crate) fn page_open(
    sql: &Connection,
    user: UserKey,
    after: &str,
    limit: u32,
) -> Result<Vec<(String, OpenRoom)>> {
    let mut found = sql.prepare_cached(
        "select r.folded, r.id, r.name,
                (select count(*) from memberships m join users u on u.key = m.user
                 where m.room = r.key and u.password is not null),
                exists (select 1 from memberships m where m.room = r.key and m.user = ?1)
         from rooms r where r.kind = 'open' and r.folded > ?2 order by r.folded limit ?3",
    )?;
    let rows = found.query_map(params![user, after, limit], |row| {
        Ok((
            row.get(0)?,
            OpenRoom {
                id: RoomId::new(row.get::<_, Id>(1)?.0),
                name: row.get(2)?,
                members: row.get(3)?,
                joined: row.get(4)?,
            },
        ))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
