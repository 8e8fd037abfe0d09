//! The log of a room in SQL: what happened, without what was said.

use super::accounts::{self, role_name, role_named};
use crate::error::Result;
use crate::stream::{RoomKey, RoomRef, UserKey};
use crate::text::weight;
use protocol::{Event, EventKind, Nonce, Role, RoomId, User};
use rusqlite::{Connection, Row, params};
use std::ops::Range;

/// The kinds of event as the column names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    MessagePosted,
    MessageEdited,
    MessageDeleted,
    MemberJoined,
    MemberLeft,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::MessagePosted,
        Self::MessageEdited,
        Self::MessageDeleted,
        Self::MemberJoined,
        Self::MemberLeft,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::MessagePosted => "message_posted",
            Self::MessageEdited => "message_edited",
            Self::MessageDeleted => "message_deleted",
            Self::MemberJoined => "member_joined",
            Self::MemberLeft => "member_left",
        }
    }
}

/// What a membership event keeps in `extra`.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Extra {
    pub(crate) user: UserKey,
    pub(crate) role: String,
}

impl Extra {
    pub(crate) fn new(user: UserKey, role: Role) -> Self {
        Self { user, role: role_name(role).to_owned() }
    }
}

#[expect(clippy::too_many_arguments, reason = "one for each column of the log")]
pub(crate) fn insert(
    sql: &Connection,
    room: RoomKey,
    seq: u64,
    kind: Kind,
    target: Option<u64>,
    by: UserKey,
    at: i64,
    extra: Option<&Extra>,
) -> Result<()> {
    // The struct has no map keys and no floats, so it always has a JSON form.
    let extra = extra.map(|extra| serde_json::to_string(extra).unwrap_or_default());
    sql.prepare_cached(
        "insert into events (room, seq, kind, target_seq, by, at, extra) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![room, seq, kind.name(), target, by, at, extra])?;
    Ok(())
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
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == name) else {
        return Err(odd(1, format!("no event {name}")));
    };
    Ok(match kind {
        Kind::MessagePosted => EventKind::MessagePosted {
            n: row.get(11)?,
            text: row.get(12)?,
            nonce: Nonce::new(row.get::<_, String>(13)?).map_err(|error| odd(13, error.to_string()))?,
            rev: row.get(14)?,
            edited_at: row.get(15)?,
            deleted: row.get(16)?,
        },
        Kind::MessageEdited => EventKind::MessageEdited {
            target: row.get(2)?,
            text: row.get(12)?,
            rev: row.get(14)?,
            edited_at: row.get::<_, Option<i64>>(15)?.unwrap_or(row.get(3)?),
            deleted: row.get(16)?,
        },
        Kind::MessageDeleted => EventKind::MessageDeleted { target: row.get(2)?, rev: row.get(14)? },
        Kind::MemberJoined => EventKind::MemberJoined { user: subject(row)?, role: joined_as(row)? },
        Kind::MemberLeft => EventKind::MemberLeft { user: subject(row)? },
    })
}

fn subject(row: &Row<'_>) -> rusqlite::Result<User> {
    accounts::user(row, 8)
}

fn joined_as(row: &Row<'_>) -> rusqlite::Result<Role> {
    let extra: String = row.get(4)?;
    let extra: Extra = serde_json::from_str(&extra).map_err(|error| odd(4, error.to_string()))?;
    role_named(&extra.role).ok_or_else(|| odd(4, format!("no role {}", extra.role)))
}

fn odd(column: usize, what: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
}
