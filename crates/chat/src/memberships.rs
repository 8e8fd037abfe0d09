//! Who is in which room.

use crate::caller::Caller;
use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::limits::{ROOMS, ROOMS_OF_GUEST};
use crate::pages::{PAGE, PageToken};
use crate::rights::{Membership, may_enter};
use crate::store::accounts::AccountRow;
use crate::store::{Tx, accounts, invites, memberships, rooms, sessions};
use crate::stream::{Committed, RoomKey, RoomRef, UserKey};
use protocol::frame::MemberPage;
use protocol::{EventKind, Role, Room, RoomId, User, UserId, Verb};
use std::collections::HashSet;
use std::sync::Arc;

/// Who brings somebody into a room.
pub(crate) struct By {
    pub(crate) key: UserKey,
    pub(crate) user: User,
}

impl Chat {
    /// The membership of a user in a room.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn membership(&self, user: UserKey, room: RoomId) -> Result<Membership> {
        self.read(move |sql| memberships::prove(sql, room, user)).await
    }

    /// The rooms of a user, by name, with read marks as they stand now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rooms_of(&self, user: UserKey) -> Result<Vec<(RoomKey, Room)>> {
        let rooms = self.read(move |sql| memberships::of_user(sql, user)).await?;
        Ok(self.with_newest_reads(user, rooms))
    }

    /// [`rooms_of`](Self::rooms_of) somebody whose session still lives; nothing when it has ended. One read of one moment
    /// for both, because everybody who connects waits for it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rooms_while_signed_in(&self, caller: &Caller) -> Result<Option<Vec<(RoomKey, Room)>>> {
        let (user, session, now) = (caller.key(), caller.session(), self.now());
        let read = self.read(move |sql| match session {
            Some(session) if !sessions::lives(sql, session, now)? => Ok(None),
            Some(_) | None => memberships::of_user(sql, user).map(Some),
        });
        let rooms = read.await?;
        Ok(rooms.map(|rooms| self.with_newest_reads(user, rooms)))
    }

    fn with_newest_reads(&self, user: UserKey, mut rooms: Vec<(RoomKey, Room)>) -> Vec<(RoomKey, Room)> {
        for (key, room) in &mut rooms {
            room.read = self.0.marks.newest(user, *key, room.read);
        }
        rooms
    }

    /// Whether [`join_room`](Self::join_room) would make the caller a member: the room is open, and they are not in it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_join(&self, caller: &Caller, room: RoomId) -> Result<bool> {
        let user = caller.key();
        self.read(move |sql| match rooms::find(sql, room)? {
            Some(place) if may_enter(place.kind) => Ok(!memberships::exists(sql, place.key, user)?),
            Some(_) | None => Ok(false),
        })
        .await
    }

    /// Becomes a member of an open room. Joining again changes nothing.
    ///
    /// # Errors
    /// `NotFound` when there is no open room of this id: closed rooms look the same; `TooManyRooms`.
    pub async fn join_room(&self, caller: &Caller, room: RoomId) -> Result<Room> {
        let (user, id) = (caller.key(), caller.user().id);
        let work = move |tx: &mut Tx<'_>| {
            let place = rooms::find(tx.sql, room)?.ok_or(Error::NotFound("room"))?;
            if !may_enter(place.kind) && !memberships::exists(tx.sql, place.key, user)? {
                return Err(Error::NotFound("room"));
            }
            let account = accounts::find(tx.sql, id)?.ok_or(Error::NotFound("user"))?;
            Ok((place.key, join(tx, &place, &account, Role::Member, None)?))
        };
        let (key, mut view) = self.write(work).await?;
        view.read = self.0.marks.newest(user, key, view.read);
        Ok(view)
    }

    /// Stops being a member.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn leave_room(&self, caller: &Caller, room: RoomId) -> Result<()> {
        self.write_in(caller, room, |tx, membership| {
            leave(tx, membership, membership.key(), membership.user().clone())
        })
        .await
    }

    /// Makes somebody a member of a room that the caller is in. Inviting a member again changes nothing.
    ///
    /// # Errors
    /// `Forbidden` to guests; `NotFound` for an unknown room or user; `TooManyRooms` if they are in as many as fit.
    pub async fn invite_member(&self, caller: &Caller, room: RoomId, user: UserId) -> Result<()> {
        self.write_in(caller, room, move |tx, membership| {
            membership.must(Verb::Invite)?;
            let account = accounts::find(tx.sql, user)?.ok_or(Error::NotFound("user"))?;
            let by = By { key: membership.key(), user: membership.user().clone() };
            join(tx, &membership.place(), &account, Role::Member, Some(&by)).map(drop)
        })
        .await
    }

    /// Ends somebody's membership.
    ///
    /// # Errors
    /// `Forbidden` unless the caller opened the room or moderates the server, and to remove whoever stands higher on
    /// the server; `NotFound` for an unknown room or whoever is no member.
    pub async fn remove_member(&self, caller: &Caller, room: RoomId, user: UserId) -> Result<()> {
        if user == caller.user().id {
            return self.leave_room(caller, room).await;
        }
        self.write_in(caller, room, move |tx, membership| {
            membership.must(Verb::Remove)?;
            let account = accounts::find(tx.sql, user)?.ok_or(Error::NotFound("member"))?;
            if !memberships::exists(tx.sql, membership.room(), account.key)? {
                return Err(Error::NotFound("member"));
            }
            membership.must_to(Verb::Remove, account.role)?;
            leave(tx, membership, account.key, account.user)
        })
        .await
    }

    /// A page of the roster, by name: accounts, and of the guests those who are `here`, which says who is connected now.
    /// A guest who went away will hardly come back, and the roster would fill with names nobody knows.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member; `Invalid` for a cursor that no page gave.
    pub async fn list_members(
        &self,
        caller: &Caller,
        room: RoomId,
        cursor: Option<&str>,
        here: Arc<HashSet<UserId>>,
    ) -> Result<MemberPage> {
        let user = caller.key();
        let cursor = PageToken::read(cursor)?;
        self.read(move |sql| {
            let membership = memberships::prove(sql, room, user)?;
            let place = membership.place();
            let after = (cursor.name.as_str(), cursor.key);
            let mut rows = memberships::page(sql, &membership, after, PAGE + 1, &here)?;
            let more = rows.len() > PAGE as usize;
            rows.truncate(PAGE as usize);
            let next = rows.last().filter(|_| more).map(|(name, key, _)| PageToken::write(name, *key));
            let count = memberships::count(sql, place.key, &here)?;
            let members = rows.into_iter().map(|(_, _, member)| member).collect();
            Ok(MemberPage { members, count, here: 0, next })
        })
        .await
    }
}

/// Makes `account` a member and tells; a member already stays one. `by` is somebody else who brought them in.
///
/// # Errors
/// `TooManyRooms`.
pub(crate) fn join(
    tx: &mut Tx<'_>,
    room: &RoomRef,
    account: &AccountRow,
    role: Role,
    by: Option<&By>,
) -> Result<Room> {
    if memberships::exists(tx.sql, room.key, account.key)? {
        return Ok(memberships::prove(tx.sql, room.id, account.key)?.into_view());
    }
    let most = if account.user.guest { ROOMS_OF_GUEST } else { ROOMS };
    if memberships::count_of_user(tx.sql, account.key)? >= most {
        return Err(Error::TooManyRooms { name: account.user.name.clone(), most });
    }
    memberships::insert(tx.sql, room.key, account.key, role)?;
    let newcomer = memberships::prove(tx.sql, room.id, account.key)?;
    let kind = EventKind::MemberJoined { user: account.user.clone(), role };
    let head = match by {
        Some(by) => tx.happen(&newcomer.brought_by(by.key, &by.user), kind)?,
        None => tx.happen(&newcomer, kind)?,
    };
    let view = Room { head, ..newcomer.into_view() };
    tx.told.push(Committed::Joined { user: account.key, room: room.key, view: view.clone() });
    Ok(view)
}

/// Joins the room of an invite, as its maker's guest. An invite without a room, or whose maker is no longer in a
/// closed room, joins nothing.
pub(crate) fn join_by_invite(
    tx: &mut Tx<'_>,
    invite: &invites::Living,
    account: &AccountRow,
) -> Result<Option<Room>> {
    let Some((key, _)) = invite.room else { return Ok(None) };
    let Some(room) = rooms::find_key(tx.sql, key)? else { return Ok(None) };
    if !may_enter(room.kind) && !memberships::exists(tx.sql, key, invite.by_key)? {
        return Ok(None);
    }
    let by = By { key: invite.by_key, user: invite.by.clone() };
    join(tx, &room, account, Role::Member, Some(&by)).map(Some)
}

/// Ends the membership of the user `key` in the room of `by`, the membership of whoever ends it.
fn leave(tx: &mut Tx<'_>, by: &Membership, key: UserKey, user: User) -> Result<()> {
    let room = by.room();
    let before = tx.told.len();
    let seq = tx.happen(by, EventKind::MemberLeft { user })?;
    memberships::delete(tx.sql, room, key)?;
    // Before the event: it is the first thing in the room that is no longer theirs to hear.
    let removed_by = (by.key() != key).then(|| by.user().clone());
    let left = Committed::Left { user: key, room, id: by.view().id, seq, by: removed_by };
    tx.told.insert(before, left);
    Ok(())
}
