//! What must hold of a database, in SQL.

use super::backup;
use super::opening::connect_beside;
use crate::error::DatabaseError;
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
    /// Every check, and what speaks against it: nothing where all is well, else the first faults.
    pub faults: Vec<(Check, Vec<String>)>,
}

/// The most faults that are told of one check.
const TOLD: usize = 5;

/// What no foreign key declares. Each statement here and below answers one row for each fault: the room's id and what is
/// wrong. Rooms are named by id: their names are their members' business.
const REFERENCES: [&str; 2] = [
    "select r.id, format('message %d is by nobody', m.seq) from messages m join rooms r on r.key = m.room
     where m.author not in (select key from users)",
    "select r.id, format('event %d is by nobody', e.seq) from events e join rooms r on r.key = e.room
     where e.by not in (select key from users)",
];

const ROOMS: [&str; 3] = [
    "select r.id, format('%d events up to seq %d, and its head is %d', count(e.seq),
            coalesce(max(e.seq), 0), r.head)
     from rooms r left join events e on e.room = r.key group by r.key
     having count(e.seq) <> r.head or coalesce(max(e.seq), 0) <> r.head or coalesce(min(e.seq), 1) <> 1",
    "select null, format('%d events of a room that is not there', count(*)) from events
     where room not in (select key from rooms) group by room",
    "select r.id, format('message %d has the ordinal %d instead of %d', m.seq, m.n, m.place)
     from (select room, seq, n, row_number() over (partition by room order by seq) as place from messages) m
     join rooms r on r.key = m.room where m.n <> m.place",
];

const MESSAGES: [&str; 6] = [
    "select r.id, format('message %d was never posted by its author', m.seq)
     from messages m left join rooms r on r.key = m.room
     where not exists (select 1 from events e where e.room = m.room and e.seq = m.seq
                       and e.kind = 'message_posted' and e.by = m.author)",
    "select r.id, format('event %d tells of a message that is not there', e.seq)
     from events e join rooms r on r.key = e.room
     where e.kind in ('message_posted', 'message_edited', 'message_deleted')
       and not exists (select 1 from messages m where m.room = e.room and m.seq = coalesce(e.target_seq, e.seq))",
    "select r.id, format('message %d was last touched by event %d, which is about something else',
                   m.seq, m.rev)
     from messages m join rooms r on r.key = m.room
     where m.rev <> m.seq
       and not exists (select 1 from events e where e.room = m.room and e.seq = m.rev and e.target_seq = m.seq)",
    "select r.id, format('event %d is newer than what message %d knows of', e.seq, m.seq)
     from events e join messages m on m.room = e.room and m.seq = e.target_seq join rooms r on r.key = e.room
     where e.seq > m.rev",
    "select r.id, format('%d messages, and it counts %d', count(m.key), r.n)
     from rooms r left join messages m on m.room = r.key group by r.key having count(m.key) <> r.n",
    "select r.id, format('message %d was deleted and still has a text', m.seq)
     from messages m join rooms r on r.key = m.room where m.deleted = 1 and m.text <> ''",
];

const READS: [&str; 1] =
    ["select r.id, format('somebody read up to seq %d, n %d, and it ends at seq %d, n %d',
            m.read_seq, m.read_n, r.head, r.n)
     from memberships m join rooms r on r.key = m.room where m.read_seq > r.head or m.read_n > r.n"];

pub(crate) fn check(database: &Path) -> Result<Findings, DatabaseError> {
    let mut connection = connect_beside(database)?.into_connection();
    let moment = connection.transaction()?;
    let schema = backup::schema(&moment)?;
    let (indexes, integrity): (Vec<_>, Vec<_>) =
        damage(&moment)?.into_iter().partition(|line| is_of_an_index(line));
    // A damaged table may not answer; what is damaged was found above.
    let newest = moment.query_row("select max(at) from events", [], |row| row.get(0)).unwrap_or(None);
    let faults = Check::ALL.into_iter().map(|check| {
        let found = match check {
            Check::Integrity => Ok(integrity.clone()),
            Check::Indexes => Ok(indexes.clone()),
            Check::References => dangling(&moment),
            Check::Rooms => misnumbered(&moment),
            Check::Messages => lines(&moment, &MESSAGES),
            Check::Reads => lines(&moment, &READS),
        };
        (check, found.unwrap_or_else(|error| vec![format!("it could not be looked at: {error}")]))
    });
    Ok(Findings { schema, newest, faults: faults.collect() })
}

/// What is wrong with the numbering of a database's events and messages.
pub(crate) fn holes(database: &Path) -> Result<Vec<String>, DatabaseError> {
    Ok(misnumbered(connect_beside(database)?.connection())?)
}

/// The same, on a connection that is there.
pub(super) fn misnumbered(sql: &Connection) -> rusqlite::Result<Vec<String>> {
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

fn dangling(sql: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = sql.prepare("pragma foreign_key_check")?;
    let rows = statement.query_map([], |row| {
        let (from, to): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("a row of {from} refers to one of {to} that is not there"))
    })?;
    let mut found = rows.take(TOLD).collect::<rusqlite::Result<Vec<_>>>()?;
    found.extend(lines(sql, &REFERENCES)?);
    Ok(found)
}

fn lines(sql: &Connection, statements: &[&str]) -> rusqlite::Result<Vec<String>> {
    let mut found = Vec::new();
    for statement in statements {
        let mut statement = sql.prepare(&format!("{statement} limit {TOLD}"))?;
        let rows = statement.query_map([], |row| {
            let (room, fault): (Option<[u8; 16]>, String) = (row.get(0)?, row.get(1)?);
            let room = room.map(Uuid::from_bytes);
            Ok(room.map_or_else(|| fault.clone(), |room| format!("room {room}: {fault}")))
        })?;
        found.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    found.truncate(TOLD);
    Ok(found)
}
