//! What must hold of a database, in SQL.

use super::beside::{self, ServerFacts};
use super::opening::{Database, connect_beside};
use crate::error::DatabaseError;
use crate::sql::{Sql, SqlResult, params};
use rusqlite::Connection;
use std::path::Path;
use uuid::Uuid;

/// Something that must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// SQLite can read every page, row and value.
    Integrity,
    /// Every index has exactly the entries that its table's rows ask for.
    Indexes,
    /// Whatever a row refers to is there.
    References,
    /// Each room's events are numbered 1, 2, 3 … up to its head.
    Rooms,
    /// Each message has the events that made it what it is, and each event of a message has its message.
    Messages,
    /// Nobody has read further than there is.
    Reads,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Integrity, Self::Indexes, Self::References, Self::Rooms, Self::Messages, Self::Reads];

    /// Its name, for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Indexes => "indexes",
            Self::References => "references",
            Self::Rooms => "rooms",
            Self::Messages => "messages",
            Self::Reads => "reads",
        }
    }

    /// What it looks at, as a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Integrity => "SQLite can read every page, row and value of the database.",
            Self::Indexes => "Every index has exactly the entries of its table's rows.",
            Self::References => "Whatever a row refers to is there.",
            Self::Rooms => "Each room's events are numbered without holes up to its head.",
            Self::Messages => "Messages and the events that made them belong together.",
            Self::Reads => "Nobody has read further than there is.",
        }
    }
}

/// What was found in a database.
#[derive(Debug, Clone)]
pub struct Findings {
    /// The version of its tables.
    pub schema: u32,
    /// When its newest event happened, in milliseconds since 1970 UTC.
    pub newest: Option<i64>,
    /// What the server of a PostgreSQL database says of itself.
    pub server: Option<ServerFacts>,
    /// Every check that was made, and what speaks against it: nothing where all is well, else the first faults. Pages and
    /// indexes of a PostgreSQL database are its server's own, and are not looked at.
    pub faults: Vec<(Check, Vec<String>)>,
}

/// The most faults that are told of one check.
const TOLD: usize = 5;

/// What no foreign key declares. Each statement here and below answers one row for each fault: the room's id and what is
/// wrong. Rooms are named by id: their names are their members' business.
const REFERENCES: [&str; 2] = [
    "select r.id as room, format('message %s is by nobody', m.seq) as fault
     from messages m join rooms r on r.key = m.room where m.author not in (select key from users)",
    "select r.id as room, format('event %s is by nobody', e.seq) as fault
     from events e join rooms r on r.key = e.room where e.by not in (select key from users)",
];

/// What foreign keys declare: a table, its column, and the table that the column refers to. SQLite looks through them by
/// itself. PostgreSQL trusts what it once let in.
const DECLARED: [(&str, &str, &str); 10] = [
    ("sessions", "user", "users"),
    ("rooms", "opened_by", "users"),
    ("memberships", "room", "rooms"),
    ("memberships", "user", "users"),
    ("invites", "room", "rooms"),
    ("invites", "created_by", "users"),
    ("reactions", "room", "rooms"),
    ("reactions", "user", "users"),
    ("places", "room", "rooms"),
    ("counts", "room", "rooms"),
];

const ROOMS: [&str; 3] = [
    "select r.id as room, format('%s events up to seq %s, and its head is %s', count(e.seq),
            coalesce(max(e.seq), 0), r.head) as fault
     from rooms r left join events e on e.room = r.key group by r.key
     having count(e.seq) <> r.head or coalesce(max(e.seq), 0) <> r.head or coalesce(min(e.seq), 1) <> 1",
    "select null as room, format('%s events of a room that is not there', count(*)) as fault from events
     where room not in (select key from rooms) group by events.room",
    "select r.id as room, format('message %s has the ordinal %s instead of %s', m.seq, m.n, m.place) as fault
     from (select room, seq, n, row_number() over (partition by room order by seq) as place from messages) m
     join rooms r on r.key = m.room where m.n <> m.place",
];

/// A message's `rev` is the place of the last event that changed its text. Other events of a message leave `rev` alone.
const MESSAGES: [&str; 7] = [
    "select r.id as room, format('message %s has reactions, and is deleted or not there', x.seq) as fault
     from (select distinct room, seq from reactions) x join rooms r on r.key = x.room
     where not exists (select 1 from messages m where m.room = x.room and m.seq = x.seq and m.deleted = false)",
    "select r.id as room, format('message %s was never posted by its author', m.seq) as fault
     from messages m left join rooms r on r.key = m.room
     where not exists (select 1 from events e where e.room = m.room and e.seq = m.seq
                       and e.kind = 'message_posted' and e.by = m.author)",
    "select r.id as room, format('event %s tells of a message that is not there', e.seq) as fault
     from events e join rooms r on r.key = e.room
     where e.kind in ('message_posted', 'message_edited', 'message_deleted')
       and not exists (select 1 from messages m where m.room = e.room and m.seq = coalesce(e.target_seq, e.seq))",
    "select r.id as room,
            format('message %s was last touched by event %s, which is about something else', m.seq, m.rev) as fault
     from messages m join rooms r on r.key = m.room
     where m.rev <> m.seq
       and not exists (select 1 from events e where e.room = m.room and e.seq = m.rev and e.target_seq = m.seq
                       and e.kind in ('message_edited', 'message_deleted'))",
    "select r.id as room, format('event %s is newer than what message %s knows of', e.seq, m.seq) as fault
     from events e join messages m on m.room = e.room and m.seq = e.target_seq join rooms r on r.key = e.room
     where e.seq > m.rev and e.kind in ('message_edited', 'message_deleted')",
    "select r.id as room, format('%s messages, and it counts %s', count(m.key), r.n) as fault
     from rooms r left join messages m on m.room = r.key group by r.key having count(m.key) <> r.n",
    "select r.id as room, format('message %s was deleted and still has a text', m.seq) as fault
     from messages m join rooms r on r.key = m.room where m.deleted and m.text <> ''",
];

const READS: [&str; 1] = ["select r.id as room,
            format('somebody read up to seq %s, n %s, and it ends at seq %s, n %s',
                   m.read_seq, m.read_n, r.head, r.n) as fault
     from memberships m join rooms r on r.key = m.room where m.read_seq > r.head or m.read_n > r.n"];

pub(crate) fn check(database: &Database) -> Result<Findings, DatabaseError> {
    beside::read(database, |sql| {
        let (schema, server) = (beside::schema(sql)?, beside::server(sql)?);
        let (indexes, integrity) = match sql {
            Sql::Sqlite(sqlite) => {
                let found = damage(sqlite.connection())?;
                let (indexes, integrity) = found.into_iter().partition(|line| is_of_an_index(line));
                (Some(indexes), Some(integrity))
            }
            Sql::Postgres(_) => (None, None),
        };
        // A damaged table may not answer; what is damaged was found above.
        let newest = sql.one("select max(at) as newest from events", params![], |row| row.get("newest"));
        let faults = Check::ALL.into_iter().filter_map(|check| {
            let found = match check {
                Check::Integrity => Ok(integrity.clone()?),
                Check::Indexes => Ok(indexes.clone()?),
                Check::References => dangling(sql),
                Check::Rooms => misnumbered(sql),
                Check::Messages => lines(sql, &MESSAGES),
                Check::Reads => lines(sql, &READS),
            };
            Some((check, found.unwrap_or_else(|error| vec![format!("it could not be looked at: {error}")])))
        });
        Ok(Findings { schema, server, newest: newest.ok().flatten().flatten(), faults: faults.collect() })
    })
}

/// What is wrong with the numbering of a database's events and messages.
pub(crate) fn holes(database: &Path) -> Result<Vec<String>, DatabaseError> {
    Ok(misnumbered((&connect_beside(database)?).into())?)
}

/// The same, on a connection that is there.
pub(super) fn misnumbered(sql: Sql<'_>) -> SqlResult<Vec<String>> {
    lines(sql, &ROOMS)
}

/// What SQLite finds wrong with pages, rows and indexes; nothing where all is well.
pub(super) fn damage(sql: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = sql.prepare("pragma integrity_check(20)")?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>();
    let mut found = match found {
        // Too damaged to be looked through.
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
            vec![error.to_string()]
        }
        found => found?,
    };
    found.retain(|line| line != "ok");
    Ok(found)
}

/// As SQLite words it: `row 7 missing from index users_name`, `wrong # of entries in index users_name`.
fn is_of_an_index(line: &str) -> bool {
    line.contains(" index ")
}

fn dangling(sql: Sql<'_>) -> SqlResult<Vec<String>> {
    let mut found = match sql {
        Sql::Sqlite(sqlite) => dangling_in_file(sqlite.connection())?,
        Sql::Postgres(_) => dangling_on_server(sql)?,
    };
    found.extend(lines(sql, &REFERENCES)?);
    found.truncate(TOLD);
    Ok(found)
}

fn dangling_in_file(sql: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = sql.prepare("pragma foreign_key_check")?;
    let rows = statement.query_map([], |row| {
        let (from, to): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(dangles(&from, &to))
    })?;
    rows.take(TOLD).collect()
}

fn dangling_on_server(sql: Sql<'_>) -> SqlResult<Vec<String>> {
    let mut found = Vec::new();
    for (from, column, to) in DECLARED {
        let dangling = format!(
            r#"select 1 from {from} f where f."{column}" is not null
               and not exists (select 1 from {to} t where t.key = f."{column}")"#
        );
        found.extend(sql.exists(&dangling, params![])?.then(|| dangles(from, to)));
    }
    Ok(found)
}

fn dangles(from: &str, to: &str) -> String {
    format!("a row of {from} refers to one of {to} that is not there")
}

fn lines(sql: Sql<'_>, statements: &[&str]) -> SqlResult<Vec<String>> {
    let mut found = Vec::new();
    for statement in statements {
        found.extend(sql.all(&format!("{statement} limit {TOLD}"), params![], |row| {
            let (room, fault): (Option<Uuid>, String) = (row.get("room")?, row.get("fault")?);
            Ok(match room {
                Some(room) => format!("room {room}: {fault}"),
                None => fault,
            })
        })?);
    }
    found.truncate(TOLD);
    Ok(found)
}
