//! How far consumers have come, in SQL.

use super::beside;
use super::opening::Database;
use crate::error::{DatabaseError, Error, Result};
use crate::sql::{Sql, params};
use crate::stream::RoomKey;
use protocol::RoomId;

/// A room as a consumer finds it.
pub(crate) struct Found {
    pub(crate) id: RoomId,
    pub(crate) head: u64,
    /// The consumer's place; none where it has not begun.
    pub(crate) place: Option<u64>,
}

/// How a consumer stands in a room; none for a room that is gone.
pub(crate) fn find(sql: Sql<'_>, consumer: &str, room: RoomKey) -> Result<Option<Found>> {
    let text = "select r.id, r.head, p.seq from rooms r
                left join places p on p.room = r.key and p.consumer = ?2 where r.key = ?1";
    Ok(sql.one(text, params![room, consumer], |row| {
        Ok(Found { id: RoomId::new(row.get("id")?), head: row.get("head")?, place: row.get("seq")? })
    })?)
}

/// Moves a place on. False where the consumer is no longer there, or the room is gone.
pub(crate) fn advance(sql: Sql<'_>, consumer: &str, room: RoomKey, from: u64, to: u64) -> Result<bool> {
    let text = "update places set seq = ?4 where room = ?1 and consumer = ?2 and seq = ?3";
    Ok(sql.run(text, params![room, consumer, from, to])? == 1)
}

/// Whether a consumer can begin in a room: the room is there, and the consumer has no place in it.
pub(crate) fn can_begin(sql: Sql<'_>, consumer: &str, room: RoomKey) -> Result<bool> {
    Ok(find(sql, consumer, room)?.is_some_and(|found| found.place.is_none()))
}

/// Gives a consumer its first place in a room.
pub(crate) fn begin(sql: Sql<'_>, consumer: &str, room: RoomKey, to: u64) -> Result<()> {
    sql.run("insert into places (room, consumer, seq) values (?1, ?2, ?3)", params![room, consumer, to])?;
    Ok(())
}

/// Up to `most` rooms after the room `after` in which a consumer has something to do. Looks at every room from there on.
pub(crate) fn behind(sql: Sql<'_>, consumer: &str, after: RoomKey, most: u64) -> Result<Vec<RoomKey>> {
    let text = "select r.key from rooms r left join places p on p.room = r.key and p.consumer = ?1
                where r.key > ?2 and r.head > coalesce(p.seq, 0) order by r.key limit ?3";
    Ok(sql.all(text, params![consumer, after, most], |row| row.get("key"))?)
}

/// How many events a consumer has not taken yet, and when the oldest of them happened.
pub(crate) fn lag(sql: Sql<'_>, consumer: &str) -> Result<(u64, Option<i64>)> {
    let text =
        "select cast(coalesce(sum(r.head - coalesce(p.seq, 0)), 0) as bigint) as lag, min(e.at) as oldest
                from rooms r left join places p on p.room = r.key and p.consumer = ?1
                left join events e on e.room = r.key and e.seq = coalesce(p.seq, 0) + 1
                where r.head > coalesce(p.seq, 0)";
    let found = sql.one(text, params![consumer], |row| Ok((row.get("lag")?, row.get("oldest")?)))?;
    Ok(found.unwrap_or_default())
}

/// Looks into the file at `database` beside a server that may be running.
pub(crate) fn look_beside<T>(
    database: &Database,
    look: impl FnOnce(Sql<'_>) -> Result<T>,
) -> std::result::Result<T, DatabaseError> {
    beside::read(database, |sql| look(sql).map_err(of_reading))
}

/// Of the errors of a read, those of the database stay what they are.
fn of_reading(error: Error) -> DatabaseError {
    match error {
        Error::Store(error) => DatabaseError::Sql(error),
        other => DatabaseError::Write(std::io::Error::other(other)),
    }
}

/// Forgets up to `most` places of a consumer, those after the room `after` or the first. Answers with the room of the last
/// one, after which there may be more.
pub(crate) fn forget(
    sql: Sql<'_>,
    consumer: &str,
    after: Option<RoomKey>,
    most: u64,
) -> Result<Option<RoomKey>> {
    let after = after.unwrap_or(RoomKey(0));
    let text = "select max(w.room) as room from (select room from places where consumer = ?1 and room > ?2
                order by room limit ?3) as w";
    let last: Option<RoomKey> =
        sql.one(text, params![consumer, after, most], |row| row.get("room"))?.flatten();
    if let Some(last) = last {
        let text = "delete from places where consumer = ?1 and room > ?2 and room <= ?3";
        sql.run(text, params![consumer, after, last])?;
    }
    Ok(last)
}
