//! Who is in which room.

use crate::error::{Error, Result};
use crate::rooms::Cursor;
use crate::sessions::Caller;
use crate::store::accounts::AccountRow;
use crate::store::{Tx, accounts, invites, log, memberships, rooms, sessions};
use crate::stream::{Committed, RoomKey, RoomRef, UserKey};
use crate::{Chat, PAGE, ROOMS, ROOMS_OF_GUEST};
use protocol::frame::MemberPage;
use protocol::{Event, EventKind, Role, Room, RoomId, RoomKind, User, UserId};
use std::collections::HashSet;
use std::sync::Arc;

/// The proof that a user may act in a room, as of when it was read. Only this crate makes one.
#[derive(Debug, Clone)]
pub struct Membership {
    room: RoomKey,
    user: UserKey,
    view: Room,
}

impl Membership {
    pub(crate) const fn new(room: RoomKey, user: UserKey, view: Room) -> Self {
        Self { room, user, view }
    }

    /// The room's key inside the server.
    pub const fn room(&self) -> RoomKey {
        self.room
    }

    /// Whose it is.
    pub const fn user(&self) -> UserKey {
        self.user
    }

    /// The room as the member sees it.
    pub const fn view(&self) -> &Room {
        &self.view
    }

    pub(crate) fn place(&self) -> RoomRef {
        let view = &self.view;
        RoomRef { key: self.room, id: view.id, name: view.name.clone(), kind: view.kind, head: view.head }
    }
}

/// Who does something: the author of an event.
pub(crate) struct By {
    pub(crate) key: UserKey,
    pub(crate) user: User,
}

impl By {
    pub(crate) fn themselves(account: &AccountRow) -> Self {
        Self { key: account.key, user: account.user.clone() }
    }

    pub(crate) fn caller(caller: &Caller) -> Self {
        Self { key: caller.key(), user: caller.user().clone() }
    }
}

impl Chat {
    /// The membership of a user in a room.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn membership(&self, user: UserKey, room: RoomId) -> Result<Membership> {
        self.0.store.read(move |sql| memberships::prove(sql, room, user)).await
    }

    /// The rooms of a user, by name, with read marks as they stand now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rooms_of(&self, user: UserKey) -> Result<Vec<(RoomKey, Room)>> {
        let rooms = self.0.store.read(move |sql| memberships::of_user(sql, user)).await?;
        Ok(self.with_newest_reads(user, rooms))
    }

    /// [`rooms_of`](Self::rooms_of) somebody whose session still lives; nothing when it has ended. One read of one moment
    /// for both, because everybody who connects waits for it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rooms_while_signed_in(&self, caller: &Caller) -> Result<Option<Vec<(RoomKey, Room)>>> {
        let (user, session, now) = (caller.key(), caller.session(), self.now());
        let read = self.0.store.read(move |sql| match session {
            Some(session) if !sessions::lives(sql, session, now)? => Ok(None),
            Some(_) | None => memberships::of_user(sql, user).map(Some),
        });
        let rooms = read.await?;
        Ok(rooms.map(|rooms| self.with_newest_reads(user, rooms)))
    }

    fn with_newest_reads(&self, user: UserKey, mut rooms: Vec<(RoomKey, Room)>) -> Vec<(RoomKey, Room)> {
        for (key, room) in &mut rooms {
            room.read = self.0.reads.newest(user, *key, room.read);
        }
        rooms
    }

    /// Whether [`join_room`](Self::join_room) would make the caller a member: the room is open, and they are not in it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn may_join(&self, caller: &Caller, room: RoomId) -> Result<bool> {
        let user = caller.key();
        self.0
            .store
            .read(move |sql| match rooms::find(sql, room)? {
                Some(place) if place.kind == RoomKind::Open => {
                    Ok(!memberships::exists(sql, place.key, user)?)
                }
                Some(_) | None => Ok(false),
            })
            .await
    }

    /// Becomes a member of an open room. Joining again changes nothing.
    ///
    /// # Errors
    /// `NotFound` when there is no open room of this id: closed rooms look the same; `TooManyRooms`.
    pub async fn join_room(&self, caller: &Caller, room: RoomId) -> Result<Room> {
        let (user, caller, now) = (caller.key(), caller.clone(), self.now());
        let (key, mut view) = self
            .0
            .store
            .write(move |tx| {
                let place = rooms::find(&tx.sql, room)?.ok_or(Error::NotFound("room"))?;
                if place.kind != RoomKind::Open && !memberships::exists(&tx.sql, place.key, caller.key())? {
                    return Err(Error::NotFound("room"));
                }
                let account = accounts::find(&tx.sql, caller.user().id)?.ok_or(Error::NotFound("user"))?;
                Ok((place.key, join(tx, &place, &account, Role::Member, &By::caller(&caller), now)?))
            })
            .await?;
        view.read = self.0.reads.newest(user, key, view.read);
        Ok(view)
    }

    /// Stops being a member.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn leave_room(&self, caller: &Caller, room: RoomId) -> Result<()> {
        let (caller, now) = (caller.clone(), self.now());
        self.0
            .store
            .write(move |tx| {
                let membership = memberships::prove(&tx.sql, room, caller.key())?;
                let by = By::caller(&caller);
                leave(tx, &membership.place(), caller.key(), caller.user().clone(), &by, now)
            })
            .await
    }

    /// Makes somebody a member of a room that the caller is in. Inviting a member again changes nothing.
    ///
    /// # Errors
    /// `Forbidden` to guests; `NotFound` for an unknown room or user; `TooManyRooms` if they are in as many as fit.
    pub async fn invite_member(&self, caller: &Caller, room: RoomId, user: UserId) -> Result<()> {
        let (caller, now) = (caller.clone(), self.now());
        self.0
            .store
            .write(move |tx| {
                let membership = memberships::prove(&tx.sql, room, caller.key())?;
                caller.must_be(Role::Member, "Guests cannot invite. Sign up to bring people in.")?;
                let account = accounts::find(&tx.sql, user)?.ok_or(Error::NotFound("user"))?;
                join(tx, &membership.place(), &account, Role::Member, &By::caller(&caller), now).map(drop)
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
        let (caller, now) = (caller.clone(), self.now());
        self.0
            .store
            .write(move |tx| {
                let membership = memberships::prove(&tx.sql, room, caller.key())?;
                let may = membership.view.role == Role::Owner || caller.role() >= Role::Moderator;
                if !may {
                    return Err(Error::Forbidden(
                        "Only whoever opened this room or moderates can remove people.",
                    ));
                }
                let account = accounts::find(&tx.sql, user)?.ok_or(Error::NotFound("member"))?;
                if !memberships::exists(&tx.sql, membership.room, account.key)? {
                    return Err(Error::NotFound("member"));
                }
                if account.role >= Role::Moderator && account.role > caller.role() {
                    return Err(Error::Forbidden(
                        "You cannot remove somebody who stands above you on this server.",
                    ));
                }
                let by = By::caller(&caller);
                leave(tx, &membership.place(), account.key, account.user, &by, now)
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
        let cursor = Cursor::read(cursor)?;
        self.0
            .store
            .read(move |sql| {
                let place = memberships::prove(sql, room, user)?.place();
                let after = (cursor.name.as_str(), cursor.key);
                let mut rows = memberships::page(sql, &place, after, PAGE + 1, &here)?;
                let more = rows.len() > PAGE as usize;
                rows.truncate(PAGE as usize);
                let next = rows.last().filter(|_| more).map(|(name, key, _)| Cursor::write(name, *key));
                let count = memberships::count(sql, place.key, &here)?;
                let members = rows.into_iter().map(|(_, _, member)| member).collect();
                Ok(MemberPage { members, count, here: 0, next })
            })
            .await
    }
}

/// Makes `account` a member and tells; a member already stays one.
///
/// # Errors
/// `TooManyRooms`.
pub(crate) fn join(
    tx: &mut Tx<'_>,
    room: &RoomRef,
    account: &AccountRow,
    role: Role,
    by: &By,
    now: i64,
) -> Result<Room> {
    if memberships::exists(&tx.sql, room.key, account.key)? {
        return Ok(memberships::prove(&tx.sql, room.id, account.key)?.view);
    }
    let most = if account.user.guest { ROOMS_OF_GUEST } else { ROOMS };
    if memberships::count_of_user(&tx.sql, account.key)? >= most {
        return Err(Error::TooManyRooms { name: account.user.name.clone(), most });
    }
    let seq = rooms::advance(&tx.sql, room.key)?;
    memberships::insert(&tx.sql, room.key, account.key, role, seq)?;
    let extra = log::Extra::new(account.key, role);
    log::insert(&tx.sql, room.key, seq, log::Kind::MemberJoined, None, by.key, now, Some(&extra))?;
    let kind = EventKind::MemberJoined { user: account.user.clone(), role };
    let event = Event { room: room.id, seq, at: now, by: by.user.clone(), kind };
    tx.told.push(Committed::Event { room: room.key, event });
    let view = memberships::prove(&tx.sql, room.id, account.key)?.view;
    tx.told.push(Committed::Joined { user: account.key, room: room.key, view: view.clone() });
    Ok(view)
}

/// Joins the room of an invite, as its maker's guest. An invite without a room, or whose maker is no longer in a
/// closed room, joins nothing.
pub(crate) fn join_by_invite(
    tx: &mut Tx<'_>,
    invite: &invites::Living,
    account: &AccountRow,
    now: i64,
) -> Result<Option<Room>> {
    let Some((key, _)) = invite.room else { return Ok(None) };
    let Some(room) = rooms::find_key(&tx.sql, key)? else { return Ok(None) };
    if room.kind != RoomKind::Open && !memberships::exists(&tx.sql, key, invite.by_key)? {
        return Ok(None);
    }
    let by = By { key: invite.by_key, user: invite.by.clone() };
    join(tx, &room, account, Role::Member, &by, now).map(Some)
}

fn leave(tx: &mut Tx<'_>, room: &RoomRef, key: UserKey, user: User, by: &By, now: i64) -> Result<()> {
    let seq = rooms::advance(&tx.sql, room.key)?;
    let role = memberships::role_of(&tx.sql, room.key, key)?.unwrap_or(Role::Member);
    memberships::delete(&tx.sql, room.key, key)?;
    let extra = log::Extra::new(key, role);
    log::insert(&tx.sql, room.key, seq, log::Kind::MemberLeft, None, by.key, now, Some(&extra))?;
    // Before the event: it is the first thing in the room that is no longer theirs to hear.
    let removed_by = Some(by.user.clone()).filter(|_| by.key != key);
    tx.told.push(Committed::Left { user: key, room: room.key, id: room.id, seq, by: removed_by });
    let event =
        Event { room: room.id, seq, at: now, by: by.user.clone(), kind: EventKind::MemberLeft { user } };
    tx.told.push(Committed::Event { room: room.key, event });
    Ok(())
}
