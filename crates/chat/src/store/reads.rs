//! Read marks in SQL.

use crate::error::Result;
use crate::stream::{RoomKey, UserKey};
use protocol::ReadMark;
use rusqlite::{Connection, params};

/// Moves a read mark forward; a mark that stands further stays.
pub(crate) fn advance(sql: &Connection, room: RoomKey, user: UserKey, read: ReadMark) -> Result<()> {
    sql.prepare_cached(
        "update memberships set read_seq = max(read_seq, ?3), read_n = max(read_n, ?4) where room = ?1 and user = ?2",
    )?
    .execute(params![room, user, read.seq, read.n])?;
    Ok(())
}
