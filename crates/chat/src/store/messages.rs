//! Messages in SQL.

use super::heads::Placed;
use super::{Tx, accounts, log};
use crate::error::{Error, Result};
use crate::stream::{RoomKey, UserKey};
use crate::text::weight;
use protocol::frame::Posted;
use protocol::{Body, Message, Nonce, RoomId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use sabotage::Bug;

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
pub(crate) fn find_by_nonce(sql: &Connection, new: &NewMessage<'_>) -> Result<Option<(RoomKey, Posted)>> {
    let found = sql
        .prepare_cached("select seq, n, at, digest, room from messages where nonce = ?1 and author = ?2")?
        .query_row(params![new.nonce.as_str(), new.author], |row| {
            let digest: [u8; 16] = row.get(3)?;
            let posted =
                Posted { seq: row.get(0)?, n: row.get(1)?, at: row.get(2)?, nonce: new.nonce.clone() };
            Ok(((row.get(4)?, posted), digest))
        })
        .optional()?;
    match found {
        Some(_) if sabotage::has(Bug::NoncePerConnection) => {
            forget_nonce(sql, new)?;
            Ok(None)
        }
        Some((_, digest)) if digest != new.digest => Err(Error::Conflict),
        Some((posted, _)) => Ok(Some(posted)),
        None => Ok(None),
    }
}

/// Frees a nonce to be used again, as it is for another connection where it is unique for one.
fn forget_nonce(sql: &Connection, new: &NewMessage<'_>) -> Result<()> {
    sql.prepare_cached(
        "update messages set nonce = 'of-' || room || '-' || seq where nonce = ?1 and author = ?2",
    )?
    .execute(params![new.nonce.as_str(), new.author])?;
    Ok(())
}

/// Gives the message its place and keeps it; not for who is no member.
pub(crate) fn insert(tx: &mut Tx<'_>, new: &NewMessage<'_>) -> Result<(RoomKey, Posted)> {
    let placed = tx.heads.advance(&tx.sql, new.room, new.author)?;
    let Placed { room, seq, n } = placed.ok_or(Error::NotFound("room"))?;
    tx.sql
        .prepare_cached(
            "insert into messages (room, seq, n, author, nonce, digest, at, rev, text)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?2, ?8)",
        )?
        .execute(params![room, seq, n, new.author, new.nonce.as_str(), new.digest, new.now, new.text])?;
    log::insert_post(&tx.sql, room, seq, new.author, new.now)?;
    Ok((room, Posted { seq, n, at: new.now, nonce: new.nonce.clone() }))
}

/// What an edit or deletion must know of the message as it stands.
pub(crate) struct Standing {
    pub(crate) author: UserKey,
    pub(crate) text: String,
    pub(crate) rev: u64,
    pub(crate) deleted: bool,
}

pub(crate) fn find(sql: &Connection, room: RoomKey, seq: u64) -> Result<Option<Standing>> {
    // Larger numbers do not fit a column, and no message has one.
    if i64::try_from(seq).is_err() {
        return Ok(None);
    }
    Ok(sql
        .prepare_cached("select author, text, rev, deleted from messages where room = ?1 and seq = ?2")?
        .query_row(params![room, seq], |row| {
            Ok(Standing { author: row.get(0)?, text: row.get(1)?, rev: row.get(2)?, deleted: row.get(3)? })
        })
        .optional()?)
}

pub(crate) fn edit(sql: &Connection, room: RoomKey, seq: u64, text: &str, rev: u64, now: i64) -> Result<()> {
    sql.prepare_cached(
        "update messages set text = ?3, rev = ?4, edited_at = ?5 where room = ?1 and seq = ?2",
    )?
    .execute(params![room, seq, text, rev, now])?;
    Ok(())
}

pub(crate) fn delete(sql: &Connection, room: RoomKey, seq: u64, rev: u64) -> Result<()> {
    sql.prepare_cached("update messages set text = '', deleted = 1, rev = ?3 where room = ?1 and seq = ?2")?
        .execute(params![room, seq, rev])?;
    Ok(())
}

const COLUMNS: &str = "m.seq, m.n, m.at, m.text, m.rev, m.nonce, m.edited_at, m.deleted";

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let nonce: String = row.get(5)?;
    Ok(Message {
        seq: row.get(0)?,
        n: row.get(1)?,
        at: row.get(2)?,
        body: Body { text: row.get(3)? },
        rev: row.get(4)?,
        nonce: Nonce::new(nonce).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(5, rusqlite::types::Type::Text, Box::new(error))
        })?,
        edited_at: row.get(6)?,
        deleted: row.get(7)?,
        by: accounts::user(row, 8)?,
    })
}

/// Up to `limit` messages with a smaller `seq`, newest first; none after the second once they weigh more than `bytes`.
pub(crate) fn before(
    sql: &Connection,
    room: RoomKey,
    seq: u64,
    limit: u32,
    bytes: usize,
) -> Result<Vec<Message>> {
    page(sql, room, "m.seq < ?2 order by m.seq desc", seq, limit, bytes)
}

/// Up to `limit` messages with a greater `seq`, oldest first; none after the second once they weigh more than `bytes`.
pub(crate) fn after(
    sql: &Connection,
    room: RoomKey,
    seq: u64,
    limit: u32,
    bytes: usize,
) -> Result<Vec<Message>> {
    page(sql, room, "m.seq > ?2 order by m.seq", seq, limit, bytes)
}

fn page(
    sql: &Connection,
    room: RoomKey,
    which: &str,
    seq: u64,
    limit: u32,
    bytes: usize,
) -> Result<Vec<Message>> {
    let mut found = sql.prepare_cached(&format!(
        "select {COLUMNS}, {} from messages m left join users u on u.key = m.author
         where m.room = ?1 and {which} limit ?3",
        accounts::USER_COLUMNS
    ))?;
    let mut rows = found.query(params![room, seq, limit])?;
    let (mut messages, mut size) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let message = message(row).or_else(|error| unreadable(error, row, room))?;
        size += weight(&message.body.text);
        messages.push(message);
        // The one that does not fit tells that there is more.
        if size > bytes && messages.len() > 1 {
            break;
        }
    }
    Ok(messages)
}

/// A message of which nothing can be told: one bad row must not keep anybody from the rest of the page.
fn unreadable(error: rusqlite::Error, row: &Row<'_>, room: RoomKey) -> Result<Message> {
    let error = super::is_of_a_value(error)?;
    let seq: u64 = row.get(0)?;
    tracing::error!(%error, room = room.number(), seq, "a message cannot be read and is shown as deleted");
    Ok(Message {
        seq,
        n: row.get(1).unwrap_or(0),
        at: row.get(2).unwrap_or(0),
        by: accounts::user(row, 8).unwrap_or_else(|_| accounts::nobody()),
        body: Body::default(),
        rev: seq,
        nonce: Nonce::new("unreadable")
            .map_err(|error| Error::invalid("nonce", "ascii", error.to_string()))?,
        edited_at: None,
        deleted: true,
    })
}

/// The ordinal of the last message up to `seq`; 0 when there is none.
pub(crate) fn ordinal_at(sql: &Connection, room: RoomKey, seq: u64) -> Result<u64> {
    Ok(sql
        .prepare_cached("select n from messages where room = ?1 and seq <= ?2 order by seq desc limit 1")?
        .query_row(params![room, seq], |row| row.get(0))
        .optional()?
        .unwrap_or(0))
}
