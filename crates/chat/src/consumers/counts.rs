//! How much is said: messages and people for each room and day, for those who look after the server.

use super::consumer::{Consumer, Stretch, Work};
use crate::caller::Caller;
use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::rights;
use crate::sql::Sql;
use crate::store::{counts, log, rooms};
use crate::stream::UserKey;
use protocol::{RoomId, RoomKind};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Counts messages when they are posted: an edit or a deletion later does not make them unsaid.
///
/// A row is kept for each user who posted in a room on a day. Their number is the people of that day, so it is exact for
/// one room as well as for the whole server, where numbers of people cannot be added up. The rows are at most as many as
/// the messages, and a page of the log by a few people writes a few rows.
pub(super) const COUNTS: Consumer = Consumer { name: "counts", most: 256, read, forget: counts::forget };

const MILLISECONDS_OF_A_DAY: i64 = 24 * 60 * 60 * 1_000;
/// The most days that are answered at once.
const DAYS: u64 = 366;

/// What was said on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayCount {
    /// The day: days since 1970-01-01 UTC.
    pub day: i64,
    /// How many messages were posted.
    pub messages: u64,
    /// How many people posted them.
    pub people: u64,
}

impl Chat {
    /// What was said on each of these days on which something was, in a room or, without one, on the whole server. No more
    /// than a year is answered at once, and what was posted in the last seconds may be missing.
    ///
    /// # Errors
    /// `Forbidden` unless the caller is an admin; `NotFound` for an unknown room, and for a direct one, which is nobody's
    /// business but its members'.
    pub async fn counts(
        &self,
        caller: &Caller,
        room: Option<RoomId>,
        days: RangeInclusive<i64>,
    ) -> Result<Vec<DayCount>> {
        rights::must_be_admin(caller.role())?;
        self.read(move |sql| {
            let room = match room {
                Some(id) => {
                    let found = rooms::find(sql, id)?.filter(|room| room.kind != RoomKind::Direct);
                    Some(found.ok_or(Error::NotFound("room"))?.key)
                }
                None => None,
            };
            let found = counts::of_days(sql, room, (*days.start(), *days.end()), DAYS)?;
            Ok(found.into_iter().map(|(day, messages, people)| DayCount { day, messages, people }).collect())
        })
        .await
    }
}

fn read(sql: Sql<'_>, stretch: Stretch) -> Result<Work> {
    let Stretch { room, id, after, to } = stretch;
    let mut posted = BTreeMap::<(i64, UserKey), u64>::new();
    for entry in log::entries(sql, (room, id), after, to)? {
        if entry.kind == log::POSTED {
            *posted.entry((entry.at.div_euclid(MILLISECONDS_OF_A_DAY), entry.by)).or_default() += 1;
        }
    }
    Ok(Box::new(move |sql| counts::add(sql, room, &posted)))
}
