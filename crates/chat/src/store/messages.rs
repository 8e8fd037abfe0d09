//! Messages in SQL.

use super::heads::Placed;
use super::run::{Before, read_before};
use super::tx::Tx;
use super::{accounts, log};
use crate::error::{Error, Result};
use crate::sql::{Dialect, Row, Sql, SqlError, SqlResult, params};
use crate::stream::{RoomKey, UserKey};
use crate::text::weight;
use protocol::frame::Posted;
use protocol::{Beside, Body, Message, Nonce, RoomId};
use sabotage::Bug;
use std::ops::ControlFlow;

/// A message on its way into the database.
pub(crate) struct NewMessage<'a> {
    pub(crate) room: RoomId,
    pub(crate) author: UserKey,
    pub(crate) text: &'a str,
    pub(crate) digest: [u8; 16],
    pub(crate) nonce: &'a Nonce,
    pub(crate) now: i64,
}

/// What the author got the first time they sent this nonce, and where.
///
/// # Errors
/// `Conflict` when it named another draft.
pub(crate) fn find_by_nonce(tx: &Tx<'_>, new: &NewMessage<'_>) -> Result<Option<(RoomKey, Posted)>> {
    let found = match tx.heads.run.posted_before(new.author, new.nonce) {
        Some(known) => known,
        None => {
            let text = "select seq, n, at, digest, room from messages where nonce = ?1 and author = ?2";
            tx.sql.one(text, params![new.nonce.as_str(), new.author], |row| read_before(row, new.nonce))?
        }
    };
    match found {
        Some(_) if sabotage::has(Bug::NoncePerConnection) => {
            forget_nonce(tx.sql, new)?;
            Ok(None)
        }
        Some(before) if before.digest != new.digest => Err(Error::Conflict),
        Some(before) => Ok(Some((before.room, before.posted))),
        None => Ok(None),
    }
}

/// Frees a nonce to be used again, as it is for another connection where it is unique for one.
fn forget_nonce(sql: Sql<'_>, new: &NewMessage<'_>) -> Result<()> {
    sql.run(
        "update messages set nonce = 'of-' || room || '-' || seq where nonce = ?1 and author = ?2",
        params![new.nonce.as_str(), new.author],
    )?;
    Ok(())
}

/// Gives the message its place and keeps it; not for who is no member. On PostgreSQL the rows of a run of posts are written
/// together, when the run is over.
pub(crate) fn insert(tx: &mut Tx<'_>, new: &NewMessage<'_>) -> Result<(RoomKey, Posted)> {
    let placed = tx.heads.advance(tx.sql, new.room, new.author)?;
    let Placed { room, seq, n } = placed.ok_or(Error::NotFound("room"))?;
    let posted = Posted { seq, n, at: new.now, nonce: new.nonce.clone() };
    match tx.sql.dialect() {
        Dialect::Sqlite => {
            tx.sql.run(
                "insert into messages (room, seq, n, author, nonce, digest, at, rev, text)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?2, ?8)",
                params![room, seq, n, new.author, new.nonce.as_str(), new.digest[..], new.now, new.text],
            )?;
            log::insert_post(tx.sql, room, seq, new.author, new.now)?;
        }
        Dialect::Postgres => {
            let before = Before { room, posted: posted.clone(), digest: new.digest };
            tx.heads.run.add(new.author, before, new.text);
        }
    }
    Ok((room, posted))
}

/// What an edit or deletion must know of the message as it stands.
pub(crate) struct Found {
    pub(crate) author: UserKey,
    pub(crate) text: String,
    pub(crate) rev: u64,
    pub(crate) deleted: bool,
}

pub(crate) fn find(sql: Sql<'_>, room: RoomKey, seq: u64) -> Result<Option<Found>> {
    let text = "select author, text, rev, deleted from messages where room = ?1 and seq = ?2";
    Ok(sql.one(text, params![room, seq], |row| {
        let (author, text) = (row.get("author")?, row.get("text")?);
        Ok(Found { author, text, rev: row.get("rev")?, deleted: row.get("deleted")? })
    })?)
}

pub(crate) fn edit(sql: Sql<'_>, room: RoomKey, seq: u64, text: &str, rev: u64, now: i64) -> Result<()> {
    sql.run(
        "update messages set text = ?3, rev = ?4, edited_at = ?5 where room = ?1 and seq = ?2",
        params![room, seq, text, rev, now],
    )?;
    Ok(())
}

pub(crate) fn delete(sql: Sql<'_>, room: RoomKey, seq: u64, rev: u64) -> Result<()> {
    sql.run(
        "update messages set text = '', deleted = true, rev = ?3 where room = ?1 and seq = ?2",
        params![room, seq, rev],
    )?;
    Ok(())
}

fn message(row: &Row<'_>) -> SqlResult<Message> {
    let (seq, n, at) = (row.get("seq")?, row.get("n")?, row.get("at")?);
    let (body, rev) = (Body { text: row.get("text")? }, row.get("rev")?);
    let nonce = Nonce::new(row.get::<String>("nonce")?);
    let nonce = nonce.map_err(|error| SqlError::value("nonce", format!("is none: {error}")))?;
    let (edited_at, deleted) = (row.get("edited_at")?, row.get("deleted")?);
    let (by, beside) = (accounts::user(row)?, Beside::default());
    Ok(Message { seq, n, at, by, body, rev, nonce, edited_at, deleted, beside })
}

/// The statement that reads a page of a room's messages, with their authors.
macro_rules! page {
    ($which:literal) => {
        concat!(
            "select m.seq, m.n, m.at, m.text, m.rev, m.nonce, m.edited_at, m.deleted,
                    u.id as user_id, u.name as user_name, u.password is null as user_guest
             from messages m left join users u on u.key = m.author where m.room = ?1 and ",
            $which,
            " limit ?3"
        )
    };
}

/// Up to `limit` messages with a smaller `seq`, newest first; none after the second once they weigh more than `bytes`.
pub(crate) fn before(
    sql: Sql<'_>,
    room: RoomKey,
    seq: u64,
    limit: u32,
    bytes: usize,
) -> Result<Vec<Message>> {
    page(sql, page!("m.seq < ?2 order by m.seq desc"), room, seq, limit, bytes)
}

/// Up to `limit` messages with a greater `seq`, oldest first; none after the second once they weigh more than `bytes`.
pub(crate) fn after(sql: Sql<'_>, room: RoomKey, seq: u64, limit: u32, bytes: usize) -> Result<Vec<Message>> {
    page(sql, page!("m.seq > ?2 order by m.seq"), room, seq, limit, bytes)
}

fn page(sql: Sql<'_>, text: &str, room: RoomKey, seq: u64, limit: u32, bytes: usize) -> Result<Vec<Message>> {
    let (mut messages, mut size) = (Vec::new(), 0);
    sql.each(text, params![room, seq, limit], |row| {
        let message = message(row).or_else(|error| unreadable(error, row, room))?;
        size += weight(&message.body.text);
        messages.push(message);
        // The one that does not fit tells that there is more.
        let is_full = size > bytes && messages.len() > 1;
        Ok(if is_full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(messages)
}

/// A message of which nothing can be told: one bad row must not keep anybody from the rest of the page.
fn unreadable(error: SqlError, row: &Row<'_>, room: RoomKey) -> SqlResult<Message> {
    if !error.is_of_a_value() {
        return Err(error);
    }
    let seq: u64 = row.get("seq")?;
    tracing::error!(%error, room = room.number(), seq, "a message cannot be read and is shown as deleted");
    let nonce = Nonce::new("unreadable").map_err(|error| SqlError::value("nonce", error.to_string()))?;
    Ok(Message {
        seq,
        n: row.get("n").unwrap_or(0),
        at: row.get("at").unwrap_or(0),
        by: accounts::user(row).unwrap_or_else(|_| accounts::nobody()),
        body: Body::default(),
        rev: seq,
        nonce,
        edited_at: None,
        deleted: true,
        beside: Beside::default(),
    })
}

/// The ordinal of the last message up to `seq`; 0 when there is none.
pub(crate) fn ordinal_at(sql: Sql<'_>, room: RoomKey, seq: u64) -> Result<u64> {
    let text = "select n from messages where room = ?1 and seq <= ?2 order by seq desc limit 1";
    Ok(sql.one(text, params![room, seq], |row| row.get("n"))?.unwrap_or(0))
}
