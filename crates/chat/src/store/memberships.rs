//! Memberships in SQL.

use super::accounts::{self, role_name};
use super::rooms;
use crate::error::{Error, Result};
use crate::rights::{Membership, Standing};
use crate::sql::{Dialect, Row, Sql, SqlResult, params};
use crate::stream::{RoomKey, UserKey};
use protocol::{Member, ReadMark, Role, Room, RoomId, UserId};
use std::collections::HashSet;
use std::ops::ControlFlow;
use uuid::Uuid;

/// The columns that [`view`] reads, of the tables `r`, `m` and `u`.
const VIEW: &str = "r.key, r.id, r.name, r.kind, r.head, r.n, m.read_seq, m.read_n, m.role as room_role,
    u.role as server_role";

fn view(row: &Row<'_>) -> SqlResult<(RoomKey, Standing, Room)> {
    let (key, id, name) = (row.get("key")?, RoomId::new(row.get("id")?), row.get("name")?);
    let (kind, head, n) = (rooms::kind(row)?, row.get("head")?, row.get("n")?);
    let read = ReadMark { seq: row.get("read_seq")?, n: row.get("read_n")? };
    let in_room = accounts::role(row, "room_role")?;
    let standing = Standing { on_server: accounts::role(row, "server_role")?, in_room };
    Ok((key, standing, Room { id, name, kind, head, n, read, role: in_room, may: standing.may() }))
}

/// The proof that `user` may act in the room `id`. `NotFound` looks the same for no room and no membership.
pub(crate) fn prove(sql: Sql<'_>, id: RoomId, user: UserKey) -> Result<Membership> {
    let text = format!(
        "select {VIEW}, {} from rooms r join memberships m on m.room = r.key and m.user = ?2
         join users u on u.key = m.user where r.id = ?1",
        accounts::USER_COLUMNS
    );
    let found = sql.one(&text, params![id.uuid(), user], |row| Ok((view(row)?, accounts::user(row)?)))?;
    let ((key, standing, room), member) = found.ok_or(Error::NotFound("room"))?;
    Ok(Membership::new(key, user, member, standing, room))
}

/// All rooms of a user, by name.
pub(crate) fn of_user(sql: Sql<'_>, user: UserKey) -> Result<Vec<(RoomKey, Room)>> {
    let text = format!(
        "select {VIEW} from memberships m join rooms r on r.key = m.room join users u on u.key = m.user
         where m.user = ?1 order by r.folded, r.key"
    );
    let mut rooms = Vec::new();
    sql.each(&text, params![user], |row| {
        match view(row) {
            Ok((key, _, room)) => rooms.push((key, room)),
            // One bad row must not keep anybody from the other rooms.
            Err(error) if error.is_of_a_value() => {
                let room: i64 = row.get("key")?;
                tracing::error!(%error, room, "a room cannot be read and is left out");
            }
            Err(error) => return Err(error),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(rooms)
}

pub(crate) fn exists(sql: Sql<'_>, room: RoomKey, user: UserKey) -> Result<bool> {
    Ok(sql.exists("select 1 from memberships m where m.room = ?1 and m.user = ?2", params![room, user])?)
}

/// How many rooms a user is in.
pub(crate) fn count_of_user(sql: Sql<'_>, user: UserKey) -> Result<u64> {
    let text = "select count(*) as rooms from memberships m where m.user = ?1";
    Ok(sql.one(text, params![user], |row| row.get("rooms"))?.unwrap_or_default())
}

/// Whether a user is in any room.
pub(crate) fn has_any(sql: Sql<'_>, user: UserKey) -> Result<bool> {
    Ok(sql.exists("select 1 from memberships m where m.user = ?1", params![user])?)
}

/// Makes a membership whose read mark stands at the event that tells of it, which is the next of the room: the past is not
/// unread.
pub(crate) fn insert(sql: Sql<'_>, room: RoomKey, user: UserKey, role: Role) -> Result<()> {
    sql.run(
        r#"insert into memberships (room, "user", role, joined_seq, read_seq, read_n)
           select key, ?2, ?3, head + 1, head + 1, n from rooms where key = ?1"#,
        params![room, user, role_name(role)],
    )?;
    Ok(())
}

pub(crate) fn delete(sql: Sql<'_>, room: RoomKey, user: UserKey) -> Result<bool> {
    Ok(sql.run(r#"delete from memberships where room = ?1 and "user" = ?2"#, params![room, user])? > 0)
}

/// Accounts, and guests whose id is among `?2`; in a room that is not open everybody, for whoever can read it must be
/// seen. SQLite takes the ids as a JSON list of hexadecimal numbers, PostgreSQL as an array.
const SHOWN: (&str, &str) = (
    "(u.password is not null or hex(u.id) in (select value from json_each(?2))
      or (select kind from rooms where key = m.room) <> 'open')",
    "(u.password is not null or u.id = any(?2) or (select kind from rooms where key = m.room) <> 'open')",
);

/// A page of the roster by folded name and key, with both for the next page. Of the guests, those who are here.
pub(crate) fn page(
    sql: Sql<'_>,
    reader: &Membership,
    after: (&str, i64),
    limit: u32,
    here: &HashSet<UserId>,
) -> Result<Vec<(String, i64, Member)>> {
    let text = format!(
        "select u.folded, u.key, {}, m.role as room_role, u.role as server_role
         from memberships m join users u on u.key = m.user
         where m.room = ?1 and {} and (u.folded, u.key) > (?3, ?4) order by u.folded, u.key limit ?5",
        accounts::USER_COLUMNS,
        sql.pick(SHOWN.0, SHOWN.1)
    );
    let member = |row: &Row<'_>| {
        let (folded, key) = (row.get("folded")?, row.get("key")?);
        let user = accounts::user(row).unwrap_or_else(|_| accounts::nobody());
        // Who cannot be read is shown with the least rights: one bad row must not hide the others.
        let role = |column| accounts::role(row, column).unwrap_or(Role::Guest);
        let (in_room, on_server) = (role("room_role"), role("server_role"));
        let role = if on_server == Role::Guest { on_server } else { in_room.max(on_server) };
        let (here, may) = (here.contains(&user.id), reader.may_to(user.id, on_server));
        Ok((folded, key, Member { user, role, here, may }))
    };
    let room = reader.room();
    Ok(match sql.dialect() {
        Dialect::Sqlite => {
            sql.all(&text, params![room, hexadecimal(here), after.0, after.1, limit], member)?
        }
        Dialect::Postgres => sql.all(&text, params![room, ids(here), after.0, after.1, limit], member)?,
    })
}

/// How many people the roster shows.
pub(crate) fn count(sql: Sql<'_>, room: RoomKey, here: &HashSet<UserId>) -> Result<u64> {
    let text = format!(
        "select count(*) as people from memberships m join users u on u.key = m.user where m.room = ?1 and {}",
        sql.pick(SHOWN.0, SHOWN.1)
    );
    let people = match sql.dialect() {
        Dialect::Sqlite => sql.one(&text, params![room, hexadecimal(here)], |row| row.get("people"))?,
        Dialect::Postgres => sql.one(&text, params![room, ids(here)], |row| row.get("people"))?,
    };
    Ok(people.unwrap_or_default())
}

fn hexadecimal(ids: &HashSet<UserId>) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("\"{:X}\"", id.uuid().simple())).collect();
    format!("[{}]", ids.join(","))
}

fn ids(ids: &HashSet<UserId>) -> Vec<Uuid> {
    ids.iter().map(|id| id.uuid()).collect()
}
