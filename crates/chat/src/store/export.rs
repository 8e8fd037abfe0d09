//! Everything as JSON Lines, in SQL.

use super::opening::Database;
use super::{beside, epoch};
use crate::error::DatabaseError;
use crate::sql::{Dialect, Row, Sql, SqlError, SqlResult, params};
use serde::Serialize;
use std::io::Write;
use std::ops::ControlFlow;
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
    Reaction {
        room: String,
        seq: u64,
        emoji: &'a str,
        by: String,
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
type Part = (&'static str, for<'r> fn(&Row<'r>) -> SqlResult<Line<'r>>);

/// In an order in which the reader of the lines knows what a line refers to. `cross join` keeps SQLite to the order of the
/// tables, so that nothing is sorted in memory.
const PARTS: [Part; 6] = [
    ("select id, name, role, password is null as guest, created_at from users order by key", user),
    (
        "select r.id, r.kind, r.name, r.head, r.n, u.id as opened_by, r.opened_at, r.provisional
         from rooms r left join users u on u.key = r.opened_by order by r.key",
        room,
    ),
    (
        r#"select r.id as room, u.id as "user", m.role, m.joined_seq, m.read_seq, m.read_n
           from memberships m cross join rooms r on r.key = m.room cross join users u on u.key = m."user"
           order by m.room, m."user""#,
        membership,
    ),
    (
        "select i.id, r.id as room, u.id as created_by, i.created_at, i.expires_at, i.uses, i.used, i.revoked_at
         from invites i left join rooms r on r.key = i.room left join users u on u.key = i.created_by order by i.key",
        invite,
    ),
    (
        "select r.id as room, m.seq, m.n, u.id as author, m.at, m.nonce, m.rev, m.edited_at, m.deleted, m.text
         from messages m cross join rooms r on r.key = m.room cross join users u on u.key = m.author
         order by m.room, m.seq",
        message,
    ),
    (
        r#"select r.id as room, x.seq, x.emoji, u.id as author
           from reactions x cross join rooms r on r.key = x.room cross join users u on u.key = x."user"
           order by x.room, x.seq, x.emoji, x."user""#,
        reaction,
    ),
];

/// The events: what stands in `extra` is read differently by each database.
fn events(sql: Sql<'_>) -> Part {
    let text = sql.pick(
        r#"select r.id as room, e.seq, e.kind, b.id as author, e.at, e.target_seq, s.id as "user",
                  json_extract(e.extra, '$.role') as role
           from events e cross join rooms r on r.key = e.room cross join users b on b.key = e.by
           left join users s on s.key = json_extract(e.extra, '$.user') order by e.room, e.seq"#,
        r#"select r.id as room, e.seq, e.kind, b.id as author, e.at, e.target_seq, s.id as "user",
                  cast(e.extra as json) ->> 'role' as role
           from events e cross join rooms r on r.key = e.room cross join users b on b.key = e.by
           left join users s on s.key = cast(cast(e.extra as json) ->> 'user' as bigint) order by e.room, e.seq"#,
    );
    (text, event)
}

pub(crate) fn export(database: &Database, at: i64, out: &mut dyn Write) -> Result<u64, DatabaseError> {
    beside::read(database, |sql| {
        let schema = beside::schema(sql)?;
        let epoch = epoch::find(sql)?.ok_or(DatabaseError::Foreign)?;
        let roomful = env!("CARGO_PKG_VERSION");
        write(out, &Line::Export { version: VERSION, roomful, schema, epoch: &epoch, at })?;
        let mut lines = 2;
        for (statement, line) in PARTS.into_iter().chain([events(sql)]) {
            lines += part(sql, statement, line, out)?;
        }
        // Whoever does not find this line has not got everything.
        write(out, &Line::End { lines })?;
        out.flush()?;
        Ok(lines)
    })
}

fn part(
    sql: Sql<'_>,
    statement: &str,
    line: for<'r> fn(&Row<'r>) -> SqlResult<Line<'r>>,
    out: &mut dyn Write,
) -> Result<u64, DatabaseError> {
    // PostgreSQL knows no condition on a `cross join`, and keeps to no order of tables anyway.
    let text = match sql.dialect() {
        Dialect::Sqlite => statement.to_owned(),
        Dialect::Postgres => statement.replace("cross join", "join"),
    };
    let (mut lines, mut written) = (0, Ok(()));
    sql.each(&text, params![], |row| {
        written = write(out, &line(row)?);
        lines += 1;
        Ok(if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    written.map(|()| lines)
}

fn write(out: &mut dyn Write, line: &Line<'_>) -> Result<(), DatabaseError> {
    serde_json::to_writer(&mut *out, line).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

fn id(row: &Row<'_>, name: &str) -> SqlResult<String> {
    Ok(row.get::<Uuid>(name)?.to_string())
}

fn some_id(row: &Row<'_>, name: &str) -> SqlResult<Option<String>> {
    Ok(row.get::<Option<Uuid>>(name)?.map(|id| id.to_string()))
}

/// Borrowed from the row: a text may be large.
fn text<'r>(row: &Row<'r>, name: &str) -> SqlResult<&'r str> {
    row.text(name)?.ok_or_else(|| SqlError::value(name, "holds nothing instead of a text"))
}

fn user<'r>(row: &Row<'r>) -> SqlResult<Line<'r>> {
    Ok(Line::User {
        id: id(row, "id")?,
        name: text(row, "name")?,
        role: text(row, "role")?,
        guest: row.get("guest")?,
        created_at: row.get("created_at")?,
    })
}

fn room<'r>(row: &Row<'r>) -> SqlResult<Line<'r>> {
    Ok(Line::Room {
        id: id(row, "id")?,
        kind: text(row, "kind")?,
        name: text(row, "name")?,
        head: row.get("head")?,
        n: row.get("n")?,
        opened_by: some_id(row, "opened_by")?,
        opened_at: row.get("opened_at")?,
        provisional: row.get("provisional")?,
    })
}

fn membership<'r>(row: &Row<'r>) -> SqlResult<Line<'r>> {
    Ok(Line::Membership {
        room: id(row, "room")?,
        user: id(row, "user")?,
        role: text(row, "role")?,
        joined_seq: row.get("joined_seq")?,
        read_seq: row.get("read_seq")?,
        read_n: row.get("read_n")?,
    })
}

fn invite<'r>(row: &Row<'r>) -> SqlResult<Line<'r>> {
    Ok(Line::Invite {
        id: id(row, "id")?,
        room: some_id(row, "room")?,
        created_by: id(row, "created_by")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        uses: row.get("uses")?,
        used: row.get("used")?,
        revoked_at: row.get("revoked_at")?,
    })
}

fn message<'r>(row: &Row<'r>) -> SqlResult<Line<'r>> {
    Ok(Line::Message {
        room: id(row, "room")?,
        seq: row.get("seq")?,
        n: row.get("n")?,
        by: id(row, "author")?,
        at: row.get("at")?,
        nonce: text(row, "nonce")?,
        rev: row.get("rev")?,
        edited_at: row.get("edited_at")?,
        deleted: row.get("deleted")?,
        text: text(row, "text")?,
    })
}

fn reaction<'r>(row: &Row<'r>) -> SqlResult<Line<'r>> {
    let (room, seq, emoji) = (id(row, "room")?, row.get("seq")?, text(row, "emoji")?);
    Ok(Line::Reaction { room, seq, emoji, by: id(row, "author")? })
}

fn event<'r>(row: &Row<'r>) -> SqlResult<Line<'r>> {
    Ok(Line::Event {
        room: id(row, "room")?,
        seq: row.get("seq")?,
        event: text(row, "kind")?,
        by: id(row, "author")?,
        at: row.get("at")?,
        target: row.get("target_seq")?,
        user: some_id(row, "user")?,
        role: row.text("role")?,
    })
}
