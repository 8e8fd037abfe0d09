//! A run of posts on PostgreSQL: what they ask for is looked up together, and what they leave is written together.
//!
//! Each statement there costs a way to another process and back, so that a batch of posts is a handful of statements
//! over sets. On SQLite a statement costs next to nothing, and a post is written when it is done.

use crate::sql::{Postgres, Row, Sql, SqlError, SqlResult, params};
use crate::stream::{RoomKey, UserKey};
use protocol::frame::Posted;
use protocol::{Nonce, RoomId};
use std::collections::HashMap;

/// What a post asks for before it has a place.
pub(crate) struct Post {
    pub(crate) room: RoomId,
    pub(crate) author: UserKey,
    pub(crate) nonce: Nonce,
}

/// A message that was posted before: what its author was answered, where, and of which draft.
#[derive(Clone)]
pub(super) struct Before {
    pub(super) room: RoomKey,
    pub(super) posted: Posted,
    pub(super) digest: [u8; 16],
}

/// The columns that [`before`] reads, of the table `messages`.
const BEFORE: &str = "seq, n, at, digest, room";

pub(super) fn read_before(row: &Row<'_>, nonce: &Nonce) -> SqlResult<Before> {
    let (seq, n, at) = (row.get("seq")?, row.get("n")?, row.get("at")?);
    let posted = Posted { seq, n, at, nonce: nonce.clone() };
    Ok(Before { posted, digest: row.get("digest")?, room: row.get("room")? })
}

/// The posts of one run.
#[derive(Default)]
pub(crate) struct Run {
    /// Whether the nonces of the run were looked up: then what is not among `nonces` was never posted.
    is_foreseen: bool,
    nonces: HashMap<(UserKey, Nonce), Before>,
    rows: Vec<NewRow>,
}

/// A message that is not written yet.
struct NewRow {
    author: UserKey,
    before: Before,
    text: String,
}

impl Run {
    pub(super) fn foresee(&mut self, sql: Sql<'_>, posts: &[&Post]) -> SqlResult<()> {
        let nonces: Vec<&str> = posts.iter().map(|post| post.nonce.as_str()).collect();
        let authors: Vec<i64> = posts.iter().map(|post| post.author.number()).collect();
        let text = format!(
            "select nonce, author, {BEFORE} from messages
             where (nonce, author) in (select w.nonce, w.author from unnest(?1, ?2) as w (nonce, author))"
        );
        let read = |row: &Row<'_>| {
            let nonce = Nonce::new(row.get::<String>("nonce")?);
            let nonce = nonce.map_err(|error| SqlError::value("nonce", error.to_string()))?;
            let author = row.get("author")?;
            let before = read_before(row, &nonce)?;
            Ok(((author, nonce), before))
        };
        self.nonces.extend(sql.all(&text, params![nonces, authors], read)?);
        self.is_foreseen = true;
        Ok(())
    }

    /// What is known of a nonce, if anything is: the message it made, or that it made none.
    pub(super) fn posted_before(&self, author: UserKey, nonce: &Nonce) -> Option<Option<Before>> {
        let found = self.nonces.get(&(author, nonce.clone())).cloned();
        (self.is_foreseen || found.is_some()).then_some(found)
    }

    /// Takes a message into the run, to be written at its end.
    pub(super) fn add(&mut self, author: UserKey, before: Before, text: &str) {
        self.nonces.insert((author, before.posted.nonce.clone()), before.clone());
        self.rows.push(NewRow { author, before, text: text.to_owned() });
    }

    /// Writes the messages, their events, and the heads of rooms that `moved`: each with its `seq` and `n`.
    pub(super) fn write(self, session: &Postgres, moved: Vec<(RoomKey, u64, u64)>) -> SqlResult<()> {
        let mut columns = Columns::default();
        self.rows.iter().for_each(|row| columns.add(row));
        let moved: Vec<[i64; 3]> =
            moved.into_iter().map(|(room, seq, n)| [room.number(), number(seq), number(n)]).collect();
        let [keys, heads, counts] = [0, 1, 2].map(|at| moved.iter().map(|row| row[at]).collect::<Vec<_>>());
        if keys.is_empty() {
            return Ok(());
        }
        let Columns { rooms, seqs, ns, authors, nonces, digests, ats, texts } = &columns;
        let messages = params![rooms, seqs, ns, authors, nonces, digests, ats, texts];
        let (events, rooms) = (params![rooms, seqs, authors, ats], params![keys, heads, counts]);
        session.pipeline(&[(MESSAGES, messages), (EVENTS, events), (ROOMS, rooms)]).map(drop)
    }
}

const MESSAGES: &str = "insert into messages (room, seq, n, author, nonce, digest, at, rev, text)
    select room, seq, n, author, nonce, digest, at, seq, text
    from unnest(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) as w (room, seq, n, author, nonce, digest, at, text)";
const EVENTS: &str = "insert into events (room, seq, kind, by, at)
    select room, seq, 'message_posted', author, at from unnest(?1, ?2, ?3, ?4) as w (room, seq, author, at)";
const ROOMS: &str = "update rooms set head = w.head, n = w.n, provisional = false
    from unnest(?1, ?2, ?3) as w (key, head, n) where rooms.key = w.key";

/// The rows of a run, column by column.
#[derive(Default)]
struct Columns<'a> {
    rooms: Vec<i64>,
    seqs: Vec<i64>,
    ns: Vec<i64>,
    authors: Vec<i64>,
    nonces: Vec<&'a str>,
    digests: Vec<&'a [u8]>,
    ats: Vec<i64>,
    texts: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn add(&mut self, row: &'a NewRow) {
        let posted = &row.before.posted;
        self.rooms.push(row.before.room.number());
        self.seqs.push(number(posted.seq));
        self.ns.push(number(posted.n));
        self.authors.push(row.author.number());
        self.nonces.push(posted.nonce.as_str());
        self.digests.push(&row.before.digest);
        self.ats.push(posted.at);
        self.texts.push(&row.text);
    }
}

/// A place as a column holds it: none is ever too large.
fn number(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}
