//! Memberships in SQL.

use super::accounts::{self, Id, role_name};
use super::rooms;
use crate::error::{Error, Result};
use crate::rights::{Membership, Standing};
use crate::stream::{RoomKey, UserKey};
use protocol::{Member, ReadMark, Role, Room, RoomId, UserId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashSet;

/// The columns that [`view`] reads, of the tables `r`, `m` and `u`.
const VIEW: &str = "r.key, r.id, r.name, r.kind, r.head, r.n, m.read_seq, m.read_n, m.role, u.role";

fn view(row: &Row<'_>) -> rusqlite::Result<(RoomKey, Standing, Room)> {
    let standing = Standing { on_server: accounts::role(row, 9)?, in_room: accounts::role(row, 8)? };
    Ok((
        row.get(0)?,
        standing,
        Room {
            id: RoomId::new(row.get::<_, Id>(1)?.0),
            name: row.get(2)?,
            kind: rooms::kind(row, 3)?,
            head: row.get(4)?,
            n: row.get(5)?,
            read: ReadMark { seq: row.get(6)?, n: row.get(7)? },
            role: standing.in_room,
            may: standing.may(),
        },
    ))
}

/// The proof that `user` may act in the room `id`. `NotFound` looks the same for no room and no membership.
pub(crate) fn prove(sql: &Connection, id: RoomId, user: UserKey) -> Result<Membership> {
    let found = sql
        .prepare_cached(&format!(
            "select {VIEW}, {} from rooms r join memberships m on m.room = r.key and m.user = ?2
             join users u on u.key = m.user where r.id = ?1",
            accounts::USER_COLUMNS
        ))?
        .query_row(params![Id(id.uuid()), user], |row| Ok((view(row)?, accounts::user(row, 10)?)))
        .optional()?;
    let ((key, standing, room), member) = found.ok_or(Error::NotFound("room"))?;
    Ok(Membership::new(key, user, member, standing, room))
}

/// All rooms of a user, by name.
pub(crate) fn of_user(sql: &Connection, user: UserKey) -> Result<Vec<(RoomKey, Room)>> {
    let mut found = sql.prepare_cached(&format!(
        "select {VIEW} from memberships m join rooms r on r.key = m.room join users u on u.key = m.user
         where m.user = ?1 order by r.folded, r.key"
    ))?;
    let mut rows = found.query([user])?;
    let mut rooms = Vec::new();
    while let Some(row) = rows.next()? {
        match view(row) {
            Ok((key, _, room)) => rooms.push((key, room)),
            // One bad row must not keep anybody from the other rooms.
            Err(error) => {
                let error = super::is_of_a_value(error)?;
                tracing::error!(%error, room = row.get::<_, i64>(0)?, "a room cannot be read and is left out");
            }
        }
    }
    Ok(rooms)
}

pub(crate) fn exists(sql: &Connection, room: RoomKey, user: UserKey) -> Result<bool> {
    Ok(sql
        .prepare_cached("select exists (select 1 from memberships where room = ?1 and user = ?2)")?
        .query_row(params![room, user], |row| row.get(0))?)
}

/// How many rooms a user is in.
pub(crate) fn count_of_user(sql: &Connection, user: UserKey) -> Result<u64> {
    Ok(sql
        .prepare_cached("select count(*) from memberships where user = ?1")?
        .query_row([user], |row| row.get(0))?)
}

/// Whether a user is in any room.
pub(crate) fn has_any(sql: &Connection, user: UserKey) -> Result<bool> {
    Ok(sql
        .prepare_cached("select exists (select 1 from memberships where user = ?1)")?
        .query_row([user], |row| row.get(0))?)
}

/// Makes a membership whose read mark stands at the event that tells of it, which is the next of the room: the past is not
/// unread.
pub(crate) fn insert(sql: &Connection, room: RoomKey, user: UserKey, role: Role) -> Result<()> {
    sql.prepare_cached(
        "insert into memberships (room, user, role, joined_seq, read_seq, read_n)
         select ?1, ?2, ?3, head + 1, head + 1, n from rooms where key = ?1",
    )?
    .execute(params![room, user, role_name(role)])?;
    Ok(())
}

pub(crate) fn delete(sql: &Connection, room: RoomKey, user: UserKey) -> Result<bool> {
    Ok(sql
        .prepare_cached("delete from memberships where room = ?1 and user = ?2")?
        .execute(params![room, user])?
        > 0)
}

/// Accounts, and guests whose id is in the JSON list `?2` of hexadecimal ids; in a room that is not open everybody, for
/// whoever can read it must be seen.
const SHOWN: &str = "(u.password is not null or hex(u.id) in (select value from json_each(?2))
                      or (select kind from rooms where key = m.room) <> 'open')";

/// A page of the roster by folded name and key, with both for the next page. Of the guests, those who are here.
pub(crate) fn page(
    sql: &Connection,
    reader: &Membership,
    after: (&str, i64),
    limit: u32,
    here: &HashSet<UserId>,
) -> Result<Vec<(String, i64, Member)>> {
    let mut found = sql.prepare_cached(&format!(
        "select u.folded, u.key, {}, m.role, u.role
         from memberships m join users u on u.key = m.user
         where m.room = ?1 and {SHOWN} and (u.folded, u.key) > (?3, ?4) order by u.folded, u.key limit ?5",
        accounts::USER_COLUMNS
    ))?;
    let rows =
        found.query_map(params![reader.room(), hexadecimal(here), after.0, after.1, limit], |row| {
            // Who cannot be read is shown with the least rights: one bad row must not hide the others.
            let role = |at| accounts::role(row, at).unwrap_or(Role::Guest);
            let (in_room, on_server) = (role(5), role(6));
            let role = if on_server == Role::Guest { on_server } else { in_room.max(on_server) };
            let user = accounts::user(row, 2).unwrap_or_else(|_| accounts::nobody());
            let (here, may) = (here.contains(&user.id), reader.may_to(user.id, on_server));
            Ok((row.get(0)?, row.get(1)?, Member { user, role, here, may }))
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many people the roster shows.
pub(crate) fn count(sql: &Connection, room: RoomKey, here: &HashSet<UserId>) -> Result<u64> {
    Ok(sql
        .prepare_cached(&format!(
            "select count(*) from memberships m join users u on u.key = m.user where m.room = ?1 and {SHOWN}"
        ))?
        .query_row(params![room, hexadecimal(here)], |row| row.get(0))?)
}

fn hexadecimal(ids: &HashSet<UserId>) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{:X}\"", id.uuid().simple())).collect();
    format!("[{}]", ids.join(","))
}
