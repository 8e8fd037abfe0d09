//! The heads of rooms that a run of posts moves: read once, counted here, written once.

use super::accounts;
use super::run::{self, Post, Rest, Run};
use crate::error::{Error, Result};
use crate::rights::Standing;
use crate::sql::{Postgres, Row, Sql, SqlResult, params};
use crate::stream::{RoomKey, UserKey};
use protocol::{RoomId, Verb};
use sabotage::Bug;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// What posts of the transaction under way have moved and the database does not know yet. Whatever else reads or moves a
/// head must come after [`Heads::write`].
#[derive(Default)]
pub(crate) struct Heads {
    rooms: HashMap<RoomId, Head>,
    /// What of the posts is written together, on a database across a socket.
    pub(super) run: Run,
}

struct Head {
    room: RoomKey,
    seq: u64,
    n: u64,
    /// Authors who were found to be members, in this transaction.
    members: Vec<UserKey>,
}

/// Where a message comes to stand.
pub(super) struct Placed {
    pub(super) room: RoomKey,
    pub(super) seq: u64,
    pub(super) n: u64,
}

/// The `seq` after a room's head.
fn after(head: u64) -> u64 {
    static LATEST: AtomicU64 = AtomicU64::new(0);
    if sabotage::has(Bug::GlobalSeq) {
        LATEST.fetch_max(head, Ordering::Relaxed);
        return LATEST.fetch_add(1, Ordering::Relaxed) + 1;
    }
    head + 1
}

/// What [`Heads`] reads of a room and a member, of the tables `r`, `m` and `u`.
const HEAD: &str = "r.id, r.key, r.head, r.n, m.user as author, m.role as room_role, u.role as server_role";

fn read_head(row: &Row<'_>) -> SqlResult<(RoomId, Head, UserKey, Standing)> {
    let id = RoomId::new(row.get("id")?);
    let head = Head { room: row.get("key")?, seq: row.get("head")?, n: row.get("n")?, members: Vec::new() };
    let (author, in_room) = (row.get("author")?, accounts::role(row, "room_role")?);
    Ok((id, head, author, Standing { in_room, on_server: accounts::role(row, "server_role")? }))
}

impl Heads {
    /// Looks up together what a run of posts will ask for one by one. What is found holds until anything but a post is done.
    pub(super) fn foresee(&mut self, session: &Postgres, posts: &[&Post]) -> SqlResult<()> {
        let nonces: Vec<_> = posts.iter().map(|post| post.nonce.as_str()).collect();
        let rooms: Vec<_> = posts.iter().map(|post| post.room.uuid()).collect();
        let authors: Vec<_> = posts.iter().map(|post| post.author.number()).collect();
        let text = format!(
            "select distinct {HEAD} from unnest(?1, ?2) as w (room, author) join rooms r on r.id = w.room
             join memberships m on m.room = r.key and m.user = w.author join users u on u.key = m.user"
        );
        let (known, heads) = session.both(
            (&run::known(), params![nonces, authors], run::read_known),
            (&text, params![rooms, authors], read_head),
        )?;
        self.run.know(known);
        for (id, read, author, standing) in heads {
            // Who may not post is refused in the post's turn.
            if standing.denies(Verb::Post).is_none() {
                self.rooms.entry(id).or_insert(read).members.push(author);
            }
        }
        Ok(())
    }

    /// The next place of a room, for a member: who is none moves no head and takes no `seq`.
    ///
    /// # Errors
    /// `Forbidden` for a member who may not post.
    pub(super) fn advance(&mut self, sql: Sql<'_>, id: RoomId, author: UserKey) -> Result<Option<Placed>> {
        let known = self.rooms.get(&id).is_some_and(|head| head.members.contains(&author));
        if !known && !self.admit(sql, id, author)? {
            return Ok(None);
        }
        Ok(self.rooms.get_mut(&id).map(|head| {
            head.seq = after(head.seq);
            head.n += 1;
            Placed { room: head.room, seq: head.seq, n: head.n }
        }))
    }

    /// Whether the author is a member of the room; the authority on it.
    fn admit(&mut self, sql: Sql<'_>, id: RoomId, author: UserKey) -> Result<bool> {
        let text = format!(
            "select {HEAD} from rooms r join memberships m on m.room = r.key and m.user = ?2
             join users u on u.key = m.user where r.id = ?1"
        );
        let found = sql.one(&text, params![id.uuid(), author], read_head)?;
        let Some((_, read, _, standing)) = found else { return Ok(false) };
        standing.denies(Verb::Post).map_or(Ok(()), |why| Err(Error::Forbidden(why)))?;
        self.rooms.entry(id).or_insert(read).members.push(author);
        Ok(true)
    }

    /// Tells the database, and forgets.
    pub(super) fn write(&mut self, sql: Sql<'_>) -> SqlResult<()> {
        let rest = self.rest(sql)?;
        match sql {
            Sql::Sqlite(_) => Ok(()),
            Sql::Postgres(session) => rest.write(session),
        }
    }

    /// Tells the database, and forgets; gives back what is better told together with the commit.
    pub(super) fn rest(&mut self, sql: Sql<'_>) -> SqlResult<Rest> {
        match sql {
            Sql::Sqlite(_) => {
                for (_, head) in self.rooms.drain() {
                    let text = "update rooms set head = ?2, n = ?3, provisional = false where key = ?1";
                    sql.run(text, params![head.room, head.seq, head.n])?;
                }
                Ok(Rest::default())
            }
            Sql::Postgres(_) => {
                let moved = self.rooms.drain().map(|(_, head)| (head.room, head.seq, head.n)).collect();
                Ok(Rest { run: std::mem::take(&mut self.run), moved })
            }
        }
    }

    /// What was counted is undone together with the work that counted it.
    pub(super) fn forget(&mut self) {
        self.rooms.clear();
        self.run = Run::default();
    }
}
