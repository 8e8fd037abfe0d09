//! Read marks in SQL.

use crate::error::Result;
use crate::sql::{Sql, params};
use crate::stream::{RoomKey, UserKey};
use protocol::ReadMark;

/// Moves a read mark forward; a mark that stands further stays.
pub(crate) fn advance(sql: Sql<'_>, room: RoomKey, user: UserKey, read: ReadMark) -> Result<()> {
    sql.run(
        r#"update memberships
           set read_seq = case when read_seq < ?3 then ?3 else read_seq end,
               read_n = case when read_n < ?4 then ?4 else read_n end
           where room = ?1 and "user" = ?2"#,
        params![room, user, read.seq, read.n],
    )?;
    Ok(())
}
