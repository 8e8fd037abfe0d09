//! The log of a room in SQL: what happened, without what was said.

use super::accounts;
use crate::error::Result;
use crate::sql::{Row, Sql, SqlError, SqlResult, params};
use crate::stream::{RoomKey, RoomRef, UserKey};
use crate::text::weight;
use protocol::{Body, Event, EventKind, MessagePosted, Nonce, RoomId, User, UserId};
use serde_json::{Map, Value, json};
use std::ops::{ControlFlow, Range};

/// The kinds that are composed of their message, by their names in [`EventKind`].
pub(crate) const POSTED: &str = "message_posted";
const EDITED: &str = "message_edited";
const DELETED: &str = "message_deleted";
/// The field of an event that names a user: the log keeps their key, for a name may change.
const USER: &str = "user";

/// Keeps an event of which nothing stands in `messages`, or only its text.
pub(crate) fn insert(
    sql: Sql<'_>,
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
pub(crate) fn insert_post(sql: Sql<'_>, room: RoomKey, seq: u64, by: UserKey, at: i64) -> Result<()> {
    write(sql, room, seq, POSTED, None, by, at, None)
}

#[expect(clippy::too_many_arguments, reason = "one for each column of the log")]
fn write(
    sql: Sql<'_>,
    room: RoomKey,
    seq: u64,
    kind: &str,
    target: Option<u64>,
    by: UserKey,
    at: i64,
    extra: Option<&str>,
) -> Result<()> {
    sql.run(
        "insert into events (room, seq, kind, target_seq, by, at, extra) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![room, seq, kind, target, by, at, extra],
    )?;
    Ok(())
}

/// What the log keeps of an event beside its target: all its fields, or nothing where they are read from its message.
fn extra(sql: Sql<'_>, kind: &EventKind) -> Result<Option<String>> {
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
pub(crate) fn after(sql: Sql<'_>, room: &RoomRef, seq: u64, limit: u64, bytes: usize) -> Result<Vec<Event>> {
    let text = format!(
        "select e.seq, e.kind, e.target_seq, e.at, e.extra,
                u.id as user_id, u.name as user_name, u.password is null as user_guest,
                s.id as subject_id, s.name as subject_name, s.password is null as subject_guest,
                m.n, m.text, m.nonce, m.rev, m.edited_at, m.deleted
         from events e left join users u on u.key = e.by left join users s on s.key = {}
         left join messages m on m.room = e.room and m.seq = coalesce(e.target_seq, e.seq)
         where e.room = ?1 and e.seq > ?2 order by e.seq limit ?3",
        sql.pick(SUBJECT.0, SUBJECT.1)
    );
    let (mut events, mut size, limit) = (Vec::new(), 0, usize::try_from(limit).unwrap_or(usize::MAX));
    let (mut next, mut is_cut) = (seq.saturating_add(1), false);
    sql.each(&text, params![room.key, seq, limit as u64], |row| {
        let at = row.get("seq")?;
        fill(&mut events, room, next..at, limit);
        size += weight(text_of(row));
        is_cut = events.len() == limit || (size > bytes && !events.is_empty());
        if is_cut {
            return Ok(ControlFlow::Break(()));
        }
        events.push(event(row, room.id, at).or_else(|error| unreadable(error, room.id, at))?);
        next = at + 1;
        Ok(ControlFlow::Continue(()))
    })?;
    if !is_cut {
        fill(&mut events, room, next..room.head + 1, limit);
    }
    Ok(events)
}

/// An event as the log keeps it, without any text.
pub(crate) struct Entry {
    pub(crate) kind: String,
    pub(crate) by: UserKey,
    pub(crate) at: i64,
}

/// The events of a room after one `seq` up to another, in order, without their texts. Where a row is missing or cannot be
/// read, there is none: one bad row must not keep anybody from the rest.
pub(crate) fn entries(sql: Sql<'_>, room: (RoomKey, RoomId), after: u64, to: u64) -> Result<Vec<Entry>> {
    let text = "select seq, kind, by, at from events where room = ?1 and seq > ?2 and seq <= ?3 order by seq";
    let (mut entries, mut seen, id) = (Vec::new(), 0, room.1);
    sql.each(text, params![room.0, after, to], |row| {
        seen += 1;
        let entry = || Ok(Entry { kind: row.get("kind")?, by: row.get("by")?, at: row.get("at")? });
        match entry() {
            Ok(entry) => entries.push(entry),
            Err(error) if SqlError::is_of_a_value(&error) => {
                let seq: u64 = row.get("seq")?;
                tracing::error!(%error, room = %id, seq, "an event cannot be read and is passed over");
            }
            Err(error) => return Err(error),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let missing = (to - after).saturating_sub(seen);
    if missing > 0 {
        tracing::error!(room = %id, after, to, missing, "events are missing and are passed over");
    }
    Ok(entries)
}

/// The text that an event carries: only events of the text carry that of their message.
fn text_of<'r>(row: &Row<'r>) -> &'r str {
    let kind = row.text("kind").ok().flatten().unwrap_or_default();
    let carries = [POSTED, EDITED].contains(&kind);
    row.text("text").ok().flatten().filter(|_| carries).unwrap_or_default()
}

/// The key of the user whom an event is about, of the column `e.extra`, which may hold anything once it is damaged.
const SUBJECT: (&str, &str) = (
    "case when json_valid(e.extra) then json_extract(e.extra, '$.user') end",
    r#"cast(substring(e.extra from '"user":([0-9]{1,18})[,}]') as bigint)"#,
);

/// Stands for events that should be there.
fn fill(events: &mut Vec<Event>, room: &RoomRef, missing: Range<u64>, limit: usize) {
    for seq in missing.take(limit - events.len()) {
        tracing::error!(room = %room.id, seq, "an event is missing; clients are told that there was something");
        events.push(blank(room.id, seq));
    }
}

fn event(row: &Row<'_>, room: RoomId, seq: u64) -> SqlResult<Event> {
    let kind = compose(row)?;
    Ok(Event { room, seq, at: row.get("at")?, by: accounts::user(row)?, kind })
}

fn unreadable(error: SqlError, room: RoomId, seq: u64) -> SqlResult<Event> {
    if !error.is_of_a_value() {
        return Err(error);
    }
    tracing::error!(%error, %room, seq, "an event cannot be read; clients are told that there was something");
    Ok(blank(room, seq))
}

/// Takes away what stands in its own place: to a client that has nothing there, it only says that its turn is over.
fn blank(room: RoomId, seq: u64) -> Event {
    let kind = EventKind::MessageDeleted { target: seq, rev: seq };
    Event { room, seq, at: 0, by: accounts::nobody(), kind }
}

fn compose(row: &Row<'_>) -> SqlResult<EventKind> {
    let name: String = row.get("kind")?;
    Ok(match name.as_str() {
        POSTED => {
            let (n, body) = (row.get("n")?, Body { text: row.get("text")? });
            let nonce = Nonce::new(row.get::<String>("nonce")?);
            let nonce = nonce.map_err(|error| SqlError::value("nonce", format!("is none: {error}")))?;
            let (rev, edited_at) = (row.get("rev")?, row.get("edited_at")?);
            let deleted = row.get("deleted")?;
            EventKind::MessagePosted(MessagePosted { n, body, nonce, rev, edited_at, deleted })
        }
        EDITED => {
            let (target, text) = (row.get("target_seq")?, row.get("text")?);
            let rev = row.get("rev")?;
            let edited_at = row.get::<Option<i64>>("edited_at")?.unwrap_or(row.get("at")?);
            EventKind::MessageEdited { target, text, rev, edited_at, deleted: row.get("deleted")? }
        }
        DELETED => EventKind::MessageDeleted { target: row.get("target_seq")?, rev: row.get("rev")? },
        _ => kept(row, name)?,
    })
}

/// An event that the log keeps whole. Of a message that was deleted since it says only that.
fn kept(row: &Row<'_>, name: String) -> SqlResult<EventKind> {
    let target: Option<u64> = row.get("target_seq")?;
    if let Some(target) = target
        && row.get::<Option<bool>>("deleted")?.unwrap_or(true)
    {
        // With the oldest `rev` there is, it changes nothing: what became of the text is told by the events of the text.
        return Ok(EventKind::MessageDeleted { target, rev: target });
    }
    let odd = |error: serde_json::Error| SqlError::value("extra", format!("is no event: {error}"));
    let extra = row.text("extra")?.unwrap_or("{}");
    let mut fields: Map<String, Value> = serde_json::from_str(extra).map_err(odd)?;
    if fields.contains_key(USER) {
        fields.insert(USER.into(), json!(subject(row)?));
    }
    fields.insert("type".into(), Value::String(name));
    if let Some(target) = target {
        fields.insert("target".into(), json!(target));
    }
    serde_json::from_value(Value::Object(fields)).map_err(odd)
}

fn subject(row: &Row<'_>) -> SqlResult<User> {
    let (id, name) = (UserId::new(row.get("subject_id")?), row.get("subject_name")?);
    Ok(User { id, name, guest: row.get("subject_guest")? })
}
