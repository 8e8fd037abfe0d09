//! The heads of rooms that a run of posts moves: read once, counted here, written once.

use super::accounts::{self, Id};
use crate::error::{Error, Result};
use crate::rights::Standing;
use crate::stream::{RoomKey, UserKey};
use protocol::{RoomId, Verb};
use rusqlite::{Connection, OptionalExtension, params};
use sabotage::Bug;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// What posts of the transaction under way have moved and the database does not know yet. Whatever else reads or moves a
/// head must come after [`Heads::write`].
#[derive(Default)]
pub(crate) struct Heads(HashMap<RoomId, Head>);

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

impl Heads {
    /// The next place of a room, for a member: who is none moves no head and takes no `seq`.
    pub(super) fn advance(
        &mut self,
        sql: &Connection,
        id: RoomId,
        author: UserKey,
    ) -> Result<Option<Placed>> {
        let known = self.0.get(&id).is_some_and(|head| head.members.contains(&author));
        if !known && !self.admit(sql, id, author)? {
            return Ok(None);
        }
        Ok(self.0.get_mut(&id).map(|head| {
            head.seq = after(head.seq);
            head.n += 1;
            Placed { room: head.room, seq: head.seq, n: head.n }
        }))
    }

    /// Whether the author is a member of the room; the authority on it.
    ///
    /// # Errors
    /// `Forbidden` for a member who may not post.
    fn admit(&mut self, sql: &Connection, id: RoomId, author: UserKey) -> Result<bool> {
        let found = sql
            .prepare_cached(
                "select r.key, r.head, r.n, m.role, u.role from rooms r
                 join memberships m on m.room = r.key and m.user = ?2 join users u on u.key = m.user where r.id = ?1",
            )?
            .query_row(params![Id(id.uuid()), author], |row| {
                let standing = Standing { on_server: accounts::role(row, 4)?, in_room: accounts::role(row, 3)? };
                let head = Head { room: row.get(0)?, seq: row.get(1)?, n: row.get(2)?, members: Vec::new() };
                Ok((standing, head))
            })
            .optional()?;
        let Some((standing, read)) = found else { return Ok(false) };
        standing.denies(Verb::Post).map_or(Ok(()), |why| Err(Error::Forbidden(why)))?;
        self.0.entry(id).or_insert(read).members.push(author);
        Ok(true)
    }

    /// Tells the database, and forgets.
    pub(super) fn write(&mut self, sql: &Connection) -> rusqlite::Result<()> {
        for (_, head) in self.0.drain() {
            sql.prepare_cached("update rooms set head = ?2, n = ?3, provisional = 0 where key = ?1")?
                .execute(params![head.room, head.seq, head.n])?;
        }
        Ok(())
    }

    /// What was counted is undone together with the work that counted it.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
