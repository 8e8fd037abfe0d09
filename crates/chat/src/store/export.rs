//! Everything as JSON Lines, in SQL.

use super::backup;
use super::opening::connect_beside;
use crate::error::DatabaseError;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use uuid::Uuid;

/// The version of the lines: fields are added, never changed.
const VERSION: u32 = 1;

/// One line. Users and rooms are named by id, times are milliseconds since 1970 UTC.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Export {
        version: u32,
        roomful: &'a str,
        schema: u32,
        epoch: &'a str,
        at: i64,
    },
    User {
        id: String,
        name: &'a str,
        role: &'a str,
        guest: bool,
        created_at: i64,
    },
    Room {
        id: String,
        kind: &'a str,
        name: &'a str,
        head: u64,
        n: u64,
        opened_by: Option<String>,
        opened_at: i64,
        provisional: bool,
    },
    Membership {
        room: String,
        user: String,
        role: &'a str,
        joined_seq: u64,
        read_seq: u64,
        read_n: u64,
    },
    Invite {
        id: String,
        room: Option<String>,
        created_by: String,
        created_at: i64,
        expires_at: i64,
        uses: u64,
        used: u64,
        revoked_at: Option<i64>,
    },
    Message {
        room: String,
        seq: u64,
        n: u64,
        by: String,
        at: i64,
        nonce: &'a str,
        rev: u64,
        edited_at: Option<i64>,
        deleted: bool,
        text: &'a str,
    },
    Event {
        room: String,
        seq: u64,
        event: &'a str,
        by: String,
        at: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        target: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<&'a str>,
    },
    End {
        lines: u64,
    },
}

/// A statement, and the line that a row of it becomes.
type Part = (&'static str, for<'r> fn(&'r Row<'_>) -> rusqlite::Result<Line<'r>>);

/// In an order in which whoever reads knows what a line refers to. `cross join` keeps SQLite to the order of the
/// tables, so that nothing is sorted in memory.
const PARTS: [Part; 6] = [
    ("select id, name, role, password is null, created_at from users order by key", user),
    (
        "select r.id, r.kind, r.name, r.head, r.n, u.id, r.opened_at, r.provisional
         from rooms r left join users u on u.key = r.opened_by order by r.key",
        room,
    ),
    (
        "select r.id, u.id, m.role, m.joined_seq, m.read_seq, m.read_n
         from memberships m cross join rooms r on r.key = m.room cross join users u on u.key = m.user
         order by m.room, m.user",
        membership,
    ),
    (
        "select i.id, r.id, u.id, i.created_at, i.expires_at, i.uses, i.used, i.revoked_at
         from invites i left join rooms r on r.key = i.room left join users u on u.key = i.created_by order by i.key",
        invite,
    ),
    (
        "select r.id, m.seq, m.n, u.id, m.at, m.nonce, m.rev, m.edited_at, m.deleted, m.text
         from messages m cross join rooms r on r.key = m.room cross join users u on u.key = m.author
         order by m.room, m.seq",
        message,
    ),
    (
        "select r.id, e.seq, e.kind, b.id, e.at, e.target_seq, s.id, json_extract(e.extra, '$.role')
         from events e cross join rooms r on r.key = e.room cross join users b on b.key = e.by
         left join users s on s.key = json_extract(e.extra, '$.user') order by e.room, e.seq",
        event,
    ),
];

pub(crate) fn export(database: &Path, at: i64, out: &mut dyn Write) -> Result<u64, DatabaseError> {
    let mut connection = connect_beside(database)?.into_connection();
    let moment = connection.transaction()?;
    let schema = backup::schema(&moment)?;
    let epoch = "select value from meta where name = 'epoch'";
    let epoch: String = moment.query_row(epoch, [], |row| row.get(0)).map_err(|_| DatabaseError::Foreign)?;
    let roomful = env!("CARGO_PKG_VERSION");
    write(out, &Line::Export { version: VERSION, roomful, schema, epoch: &epoch, at })?;
    let mut lines = 2;
    for (statement, line) in PARTS {
        lines += part(&moment, statement, line, out)?;
    }
    // Who does not find this line has not got everything.
    write(out, &Line::End { lines })?;
    out.flush()?;
    Ok(lines)
}

fn part(
    sql: &Connection,
    statement: &str,
    line: for<'r> fn(&'r Row<'_>) -> rusqlite::Result<Line<'r>>,
    out: &mut dyn Write,
) -> Result<u64, DatabaseError> {
    let mut statement = sql.prepare(statement)?;
    let mut rows = statement.query([])?;
    let mut lines = 0;
    while let Some(row) = rows.next()? {
        write(out, &line(row)?)?;
        lines += 1;
    }
    Ok(lines)
}

fn write(out: &mut dyn Write, line: &Line<'_>) -> Result<(), DatabaseError> {
    serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

fn id(row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    Ok(Uuid::from_bytes(row.get(at)?).to_string())
}

fn some_id(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<String>> {
    Ok(row.get::<_, Option<[u8; 16]>>(at)?.map(|id| Uuid::from_bytes(id).to_string()))
}

/// Borrowed from the row: a text may be large.
fn text<'r>(row: &'r Row<'_>, at: usize) -> rusqlite::Result<&'r str> {
    Ok(row.get_ref(at)?.as_str()?)
}

fn some_text<'r>(row: &'r Row<'_>, at: usize) -> rusqlite::Result<Option<&'r str>> {
    match row.get_ref(at)? {
        ValueRef::Null => Ok(None),
        value => Ok(Some(value.as_str()?)),
    }
}

fn user<'r>(row: &'r Row<'_>) -> rusqlite::Result<Line<'r>> {
    Ok(Line::User {
        id: id(row, 0)?,
        name: text(row, 1)?,
        role: text(row, 2)?,
        guest: row.get(3)?,
        created_at: row.get(4)?,
    })
}

fn room<'r>(row: &'r Row<'_>) -> rusqlite::Result<Line<'r>> {
    Ok(Line::Room {
        id: id(row, 0)?,
        kind: text(row, 1)?,
        name: text(row, 2)?,
        head: row.get(3)?,
        n: row.get(4)?,
        opened_by: some_id(row, 5)?,
        opened_at: row.get(6)?,
        provisional: row.get(7)?,
    })
}

fn membership<'r>(row: &'r Row<'_>) -> rusqlite::Result<Line<'r>> {
    Ok(Line::Membership {
        room: id(row, 0)?,
        user: id(row, 1)?,
        role: text(row, 2)?,
        joined_seq: row.get(3)?,
        read_seq: row.get(4)?,
        read_n: row.get(5)?,
    })
}

fn invite<'r>(row: &'r Row<'_>) -> rusqlite::Result<Line<'r>> {
    Ok(Line::Invite {
        id: id(row, 0)?,
        room: some_id(row, 1)?,
        created_by: id(row, 2)?,
        created_at: row.get(3)?,
        expires_at: row.get(4)?,
        uses: row.get(5)?,
        used: row.get(6)?,
        revoked_at: row.get(7)?,
    })
}

fn message<'r>(row: &'r Row<'_>) -> rusqlite::Result<Line<'r>> {
    Ok(Line::Message {
        room: id(row, 0)?,
        seq: row.get(1)?,
        n: row.get(2)?,
        by: id(row, 3)?,
        at: row.get(4)?,
        nonce: text(row, 5)?,
        rev: row.get(6)?,
        edited_at: row.get(7)?,
        deleted: row.get(8)?,
        text: text(row, 9)?,
    })
}

fn event<'r>(row: &'r Row<'_>) -> rusqlite::Result<Line<'r>> {
    Ok(Line::Event {
        room: id(row, 0)?,
        seq: row.get(1)?,
        event: text(row, 2)?,
        by: id(row, 3)?,
        at: row.get(4)?,
        target: row.get(5)?,
        user: some_id(row, 6)?,
        role: some_text(row, 7)?,
    })
}
