//! How much was said, in SQL.

use crate::error::Result;
use crate::sql::{Dialect, Sql, params};
use crate::stream::{RoomKey, UserKey};
use std::collections::BTreeMap;

/// Counts messages that were posted in a room, by day and user.
pub(crate) fn add(sql: Sql<'_>, room: RoomKey, posted: &BTreeMap<(i64, UserKey), u64>) -> Result<()> {
    match sql.dialect() {
        Dialect::Sqlite => {
            let text = "insert into counts (room, day, user, messages) values (?1, ?2, ?3, ?4)
                        on conflict (room, day, user) do update set messages = messages + excluded.messages";
            for ((day, user), messages) in posted {
                sql.run(text, params![room, day, user, messages])?;
            }
        }
        Dialect::Postgres => {
            let text = r#"insert into counts (room, day, "user", messages)
                          select ?1, w.day, w.author, w.messages from unnest(?2, ?3, ?4) as w (day, author, messages)
                          on conflict (room, day, "user") do update
                          set messages = counts.messages + excluded.messages"#;
            let days: Vec<i64> = posted.keys().map(|(day, _)| *day).collect();
            let users: Vec<i64> = posted.keys().map(|(_, user)| user.number()).collect();
            let messages: Vec<i64> = posted.values().map(|n| i64::try_from(*n).unwrap_or(i64::MAX)).collect();
            if !days.is_empty() {
                sql.run(text, params![room, days, users, messages])?;
            }
        }
    }
    Ok(())
}

/// Day, messages and people, by day: of a room, or of all together.
pub(crate) fn of_days(
    sql: Sql<'_>,
    room: Option<RoomKey>,
    (first, last): (i64, i64),
    most: u64,
) -> Result<Vec<(i64, u64, u64)>> {
    let which = if room.is_some() { "room = ?4 and" } else { "" };
    let text = format!(
        r#"select day, cast(sum(messages) as bigint) as messages, count(distinct "user") as people
           from counts where {which} day >= ?1 and day <= ?2 group by day order by day limit ?3"#
    );
    let read = |row: &crate::sql::Row<'_>| Ok((row.get("day")?, row.get("messages")?, row.get("people")?));
    Ok(match room {
        Some(room) => sql.all(&text, params![first, last, most, room], read)?,
        None => sql.all(&text, params![first, last, most], read)?,
    })
}

/// Removes up to `most` rows of a room, the oldest days first, and answers how many there were.
pub(crate) fn forget(sql: Sql<'_>, room: RoomKey, most: u64) -> Result<u64> {
    let text = r#"delete from counts where room = ?1
                  and (day, "user") in (select day, "user" from counts where room = ?1 order by day limit ?2)"#;
    Ok(sql.run(text, params![room, most])?)
}
