//! Reactions in SQL: one row for each person and emoji of a message.

use super::accounts;
use crate::error::Result;
use crate::sql::{Row, Sql, SqlResult, params};
use crate::stream::{RoomKey, UserKey};
use protocol::{Message, Reaction};

/// The most people of one reaction who are named.
const NAMED: u32 = 3;

/// Whether somebody has reacted to a message with an emoji.
pub(crate) fn exists(sql: Sql<'_>, room: RoomKey, seq: u64, emoji: &str, user: UserKey) -> Result<bool> {
    let text = "select 1 from reactions r where r.room = ?1 and r.seq = ?2 and r.emoji = ?3 and r.user = ?4";
    Ok(sql.exists(text, params![room, seq, emoji, user])?)
}

/// How many people have reacted to a message with an emoji.
pub(crate) fn count(sql: Sql<'_>, room: RoomKey, seq: u64, emoji: &str) -> Result<u64> {
    let text = "select count(*) as people from reactions where room = ?1 and seq = ?2 and emoji = ?3";
    Ok(sql.one(text, params![room, seq, emoji], |row| row.get("people"))?.unwrap_or_default())
}

/// How many different emoji people have reacted with to a message.
pub(crate) fn kinds(sql: Sql<'_>, room: RoomKey, seq: u64) -> Result<u64> {
    let text = "select count(distinct emoji) as kinds from reactions where room = ?1 and seq = ?2";
    Ok(sql.one(text, params![room, seq], |row| row.get("kinds"))?.unwrap_or_default())
}

/// Keeps a reaction that the event `event` tells of.
pub(crate) fn insert(
    sql: Sql<'_>,
    room: RoomKey,
    seq: u64,
    emoji: &str,
    user: UserKey,
    event: u64,
) -> Result<()> {
    let text = r#"insert into reactions (room, seq, emoji, "user", event) values (?1, ?2, ?3, ?4, ?5)"#;
    sql.run(text, params![room, seq, emoji, user, event])?;
    Ok(())
}

pub(crate) fn delete(sql: Sql<'_>, room: RoomKey, seq: u64, emoji: &str, user: UserKey) -> Result<()> {
    let text = r#"delete from reactions where room = ?1 and seq = ?2 and emoji = ?3 and "user" = ?4"#;
    sql.run(text, params![room, seq, emoji, user])?;
    Ok(())
}

/// Takes all reactions to a message away.
pub(crate) fn delete_all(sql: Sql<'_>, room: RoomKey, seq: u64) -> Result<()> {
    sql.run("delete from reactions where room = ?1 and seq = ?2", params![room, seq])?;
    Ok(())
}

/// The most people who are named on one page: a page waits in memory for a client that reads slowly.
const NAMED_ON_A_PAGE: usize = 400;

/// Of each emoji of the messages from `?2` to `?3`, those that `which` keeps: how many people have reacted with it, whether
/// `?4` is among them, and the first people. In the order in which each emoji came first.
fn of_messages(which: &str) -> String {
    format!(
        "select w.seq, w.emoji, w.people, w.mine, u.id as user_id, u.name as user_name,
                u.password is null as user_guest
         from (select r.seq, r.emoji, r.user as who,
                      count(*) over (partition by r.seq, r.emoji) as people,
                      max(case when r.user = ?4 then 1 else 0 end) over (partition by r.seq, r.emoji) as mine,
                      min(r.event) over (partition by r.seq, r.emoji) as first,
                      row_number() over (partition by r.seq, r.emoji order by r.event) as place
               from reactions r where r.room = ?1 and r.seq between ?2 and ?3 {which}) w
         join users u on u.key = w.who
         where w.place <= ?5 order by w.seq, w.first, w.place"
    )
}

/// Gives messages of a room, which stand in order of `seq`, the reactions to them as `reader` sees them, or nobody in
/// particular: one query for all.
pub(crate) fn fill(
    sql: Sql<'_>,
    room: RoomKey,
    reader: Option<UserKey>,
    messages: &mut [Message],
) -> Result<()> {
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return Ok(()) };
    let rows = sql.all(&of_messages(""), params![room, first.seq, last.seq, reader, NAMED], reaction)?;
    let (mut messages, mut named) = (messages.iter_mut().peekable(), 0);
    for (seq, mut reaction) in rows {
        while messages.next_if(|message| message.seq < seq).is_some() {}
        let Some(message) = messages.peek_mut().filter(|message| message.seq == seq) else { continue };
        named += 1;
        if named > NAMED_ON_A_PAGE {
            reaction.users.clear();
        }
        match message.beside.reactions.last_mut().filter(|known| known.emoji == reaction.emoji) {
            Some(known) => known.users.append(&mut reaction.users),
            None => message.beside.reactions.push(reaction),
        }
    }
    Ok(())
}

/// Says of the reactions to messages that were read for nobody in particular which are `reader`'s own.
pub(crate) fn claim(sql: Sql<'_>, room: RoomKey, reader: UserKey, messages: &mut [Message]) -> Result<()> {
    let mut reacted =
        messages.iter().filter(|message| !message.beside.reactions.is_empty()).map(|message| message.seq);
    let Some(first) = reacted.next() else { return Ok(()) };
    let last = reacted.next_back().unwrap_or(first);
    let text = "select r.seq, r.emoji from reactions r
                where r.room = ?1 and r.seq between ?2 and ?3 and r.user = ?4";
    let read = |row: &Row<'_>| Ok((row.get::<u64>("seq")?, row.get::<String>("emoji")?));
    let own = sql.all(text, params![room, first, last, reader], read)?;
    for message in messages {
        for reaction in &mut message.beside.reactions {
            reaction.mine = own.iter().any(|(seq, emoji)| *seq == message.seq && *emoji == reaction.emoji);
        }
    }
    Ok(())
}

/// A reaction with one of its people.
fn reaction(row: &Row<'_>) -> SqlResult<(u64, Reaction)> {
    let (seq, emoji, count) = (row.get("seq")?, row.get("emoji")?, row.get("people")?);
    let mine = row.get("mine")?;
    Ok((seq, Reaction { emoji, count, mine, users: vec![accounts::user(row)?] }))
}

/// One emoji of a message as `reader` sees it; nobody's where nobody has reacted with it.
pub(crate) fn find(sql: Sql<'_>, room: RoomKey, seq: u64, emoji: &str, reader: UserKey) -> Result<Reaction> {
    let text = of_messages("and r.emoji = ?6");
    let rows = sql.all(&text, params![room, seq, seq, Some(reader), NAMED, emoji], reaction)?;
    let mut found = Reaction { emoji: emoji.to_owned(), count: 0, mine: false, users: Vec::new() };
    for (_, mut one) in rows {
        (found.count, found.mine) = (one.count, one.mine);
        found.users.append(&mut one.users);
    }
    Ok(found)
}
