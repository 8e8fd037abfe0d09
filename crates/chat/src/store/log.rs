//! The log of a room in SQL: what happened, without what was said.

use super::accounts;
use crate::error::Result;
use crate::stream::{RoomKey, RoomRef, UserKey};
use crate::text::weight;
use protocol::{Body, Event, EventKind, MessagePosted, Nonce, RoomId};
use rusqlite::{Connection, Row, params};
use serde_json::{Map, Value, json};
use std::ops::Range;

/// The name of the commonest kind.
const POSTED: &str = "message_posted";
/// The field of an event that names a user: the log keeps their key, for a name may change.
const USER: &str = "user";

/// Keeps an event of which nothing stands in `messages`, or only its text.
pub(crate) fn insert(
    sql: &Connection,
    room: RoomKey,
    seq: u64,
    kind: &EventKind,
    by: UserKey,
    at: i64,
) -> Result<()> {
    let extra = extra(sql, kind)?;
    write(sql, room, seq, kind.name(), kind.target(), by, at, extra.as_deref())
}

/// Keeps the event of a message that was just posted.
pub(crate) fn insert_post(sql: &Connection, room: RoomKey, seq: u64, by: UserKey, at: i64) -> Result<()> {
    write(sql, room, seq, POSTED, None, by, at, None)
}

#[expect(clippy::too_many_arguments, reason = "one for each column of the log")]
fn write(
    sql: &Connection,
    room: RoomKey,
    seq: u64,
    kind: &str,
    target: Option<u64>,
    by: UserKey,
    at: i64,
    extra: Option<&str>,
) -> Result<()> {
    sql.prepare_cached(
        "insert into events (room, seq, kind, target_seq, by, at, extra) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![room, seq, kind, target, by, at, extra])?;
    Ok(())
}

/// What the log keeps of an event beside its target: all its fields, or nothing where they are read from its message.
fn extra(sql: &Connection, kind: &EventKind) -> Result<Option<String>> {
    if kind.is_of_the_text() {
        return Ok(None);
    }
    // The types of the protocol have string keys and no floats, so they always have a JSON form.
    let Ok(Value::Object(mut fields)) = serde_json::to_value(kind) else { return Ok(None) };
    fields.remove("type");
    fields.remove("target");
    if let Some(user) = fields.get_mut(USER) {
        let id = user.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let key = id.map(|id| accounts::key_of(sql, id)).transpose()?.flatten();
        *user = json!(key.map(UserKey::number));
    }
    Ok(Some(Value::Object(fields).to_string()))
}

/// Up to `limit` events with a greater `seq` up to `head`, in order, each composed with the text as it stands now. Ends
/// early once the texts pass `bytes`, but never before the first event. Where a row is missing or cannot be read, an
/// event stands that says nothing: one bad row must not keep anybody from the rest of the room.
pub(crate) fn after(
    sql: &Connection,
    room: &RoomRef,
    seq: u64,
    limit: u64,
    bytes: usize,
) -> Result<Vec<Event>> {
    let mut found = sql.prepare_cached(
        "select e.seq, e.kind, e.target_seq, e.at, e.extra,
                b.id, b.name, b.password is null,
                s.id, s.name, s.password is null,
                m.n, m.text, m.nonce, m.rev, m.edited_at, m.deleted
         from events e
         left join users b on b.key = e.by
         left join users s on s.key = case when json_valid(e.extra) then json_extract(e.extra, '$.user') end
         left join messages m on m.room = e.room and m.seq = coalesce(e.target_seq, e.seq)
         where e.room = ?1 and e.seq > ?2 order by e.seq limit ?3",
    )?;
    let mut rows = found.query(params![room.key, seq, limit])?;
    let (mut events, mut size, limit) = (Vec::new(), 0, usize::try_from(limit).unwrap_or(usize::MAX));
    let mut next = seq + 1;
    while let Some(row) = rows.next()? {
        let at = row.get(0)?;
        fill(&mut events, room, next..at, limit);
        size += row.get_ref(12)?.as_str_or_null().ok().flatten().map_or_else(|| weight(""), weight);
        if events.len() == limit || (size > bytes && !events.is_empty()) {
            return Ok(events);
        }
        events.push(event(row, room.id, at).or_else(|error| unreadable(error, room.id, at))?);
        next = at + 1;
    }
    fill(&mut events, room, next..room.head + 1, limit);
    Ok(events)
}

/// Stands for events that should be there.
fn fill(events: &mut Vec<Event>, room: &RoomRef, missing: Range<u64>, limit: usize) {
    for seq in missing.take(limit - events.len()) {
        tracing::error!(room = %room.id, seq, "an event is missing; clients are told that there was something");
        events.push(blank(room.id, seq));
    }
}

fn event(row: &Row<'_>, room: RoomId, seq: u64) -> rusqlite::Result<Event> {
    Ok(Event { room, seq, at: row.get(3)?, by: accounts::user(row, 5)?, kind: compose(row)? })
}

fn unreadable(error: rusqlite::Error, room: RoomId, seq: u64) -> Result<Event> {
    super::is_of_a_value(error).map(|error| {
        tracing::error!(%error, %room, seq, "an event cannot be read; clients are told that there was something");
        blank(room, seq)
    })
}

/// Takes away what stands in its own place: to a client that has nothing there, it only says that its turn is over.
fn blank(room: RoomId, seq: u64) -> Event {
    let kind = EventKind::MessageDeleted { target: seq, rev: seq };
    Event { room, seq, at: 0, by: accounts::nobody(), kind }
}

fn compose(row: &Row<'_>) -> rusqlite::Result<EventKind> {
    let name: String = row.get(1)?;
    Ok(match name.as_str() {
        POSTED => EventKind::MessagePosted(MessagePosted {
            n: row.get(11)?,
            body: Body { text: row.get(12)? },
            nonce: Nonce::new(row.get::<_, String>(13)?).map_err(|error| odd(13, error.to_string()))?,
            rev: row.get(14)?,
            edited_at: row.get(15)?,
            deleted: row.get(16)?,
        }),
        "message_edited" => EventKind::MessageEdited {
            target: row.get(2)?,
            text: row.get(12)?,
            rev: row.get(14)?,
            edited_at: row.get::<_, Option<i64>>(15)?.unwrap_or(row.get(3)?),
            deleted: row.get(16)?,
        },
        "message_deleted" => EventKind::MessageDeleted { target: row.get(2)?, rev: row.get(14)? },
        _ => kept(row, name)?,
    })
}

/// An event that the log keeps whole. Of a message that was deleted since it says only that.
fn kept(row: &Row<'_>, name: String) -> rusqlite::Result<EventKind> {
    let target: Option<u64> = row.get(2)?;
    if let Some(target) = target
        && row.get::<_, Option<bool>>(16)?.unwrap_or(true)
    {
        return Ok(EventKind::MessageDeleted {
            target,
            rev: row.get::<_, Option<u64>>(14)?.unwrap_or(target),
        });
    }
    let extra: Option<String> = row.get(4)?;
    let extra = extra.as_deref().unwrap_or("{}");
    let mut fields: Map<String, Value> =
        serde_json::from_str(extra).map_err(|error| odd(4, error.to_string()))?;
    if fields.contains_key(USER) {
        let user = accounts::user(row, 8)?;
        fields.insert(USER.into(), json!(user));
    }
    fields.insert("type".into(), Value::String(name));
    if let Some(target) = target {
        fields.insert("target".into(), json!(target));
    }
    serde_json::from_value(Value::Object(fields)).map_err(|error| odd(4, error.to_string()))
}

fn odd(column: usize, what: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
}
