//! Who may do what: the one table, and the proof that it was asked.

use crate::error::{Error, Result};
use crate::stream::{RoomKey, RoomRef, UserKey};
use protocol::{May, Role, Room, RoomKind, User, UserId, Verb};

/// What the table goes by in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The member's role on the server.
    pub(crate) on_server: Role,
    /// The member's role in the room.
    pub(crate) in_room: Role,
}

/// Why nobody may do what this version does not know yet.
const NOT_YET: &str = "This version of Roomful cannot do that.";

impl Standing {
    /// The table for rooms: nothing where the member may do it, else the reason why not.
    pub(crate) fn denies(self, verb: Verb) -> Option<&'static str> {
        let moderates = self.in_room == Role::Owner || self.on_server >= Role::Moderator;
        let is_registered = self.on_server >= Role::Member;
        let (may, why_not) = match verb {
            Verb::Post | Verb::React => (true, ""),
            Verb::Invite => (is_registered, "Guests cannot invite. Sign up to bring people in."),
            Verb::Remove => (moderates, "Only whoever opened this room or moderates can remove people."),
            Verb::DeleteAny => (moderates, "Only the author or a moderator can delete a message."),
            Verb::Pin
            | Verb::MentionAll
            | Verb::EditRoom
            | Verb::TimeOut
            | Verb::Ban
            | Verb::Call
            | Verb::OpenRoom
            | Verb::OpenClosed
            | Verb::FindPeople => (false, NOT_YET),
        };
        (!may).then_some(why_not)
    }

    /// All that the member may do in the room.
    pub(crate) fn may(self) -> May {
        Verb::ALL.iter().copied().filter(|verb| self.denies(*verb).is_none()).collect()
    }

    /// What the member may do to another member of the room, whose role on the server is `other`.
    pub(crate) fn denies_to(self, verb: Verb, other: Role) -> Option<&'static str> {
        let is_below = other < Role::Moderator || other <= self.on_server;
        let above = "You cannot do that to somebody who stands above you on this server.";
        self.denies(verb).or((!is_below).then_some(above))
    }
}

/// The table for the server: nothing where somebody of this role may do it, else the reason why not.
fn denies_on_server(verb: Verb, role: Role, guests_open: bool) -> Option<&'static str> {
    let is_registered = role >= Role::Member;
    let (may, why_not) = match verb {
        Verb::OpenRoom => (is_registered || guests_open, "Guests cannot open rooms on this server."),
        Verb::OpenClosed => (is_registered, "Guests can open open rooms only."),
        Verb::Invite => (is_registered, "Guests cannot invite. Sign up to bring people in."),
        Verb::FindPeople => (is_registered, "Guests cannot look people up."),
        Verb::Post
        | Verb::React
        | Verb::Remove
        | Verb::Pin
        | Verb::MentionAll
        | Verb::DeleteAny
        | Verb::EditRoom
        | Verb::TimeOut
        | Verb::Ban
        | Verb::Call => (false, NOT_YET),
    };
    (!may).then_some(why_not)
}

/// All that somebody of this role may do on the server.
pub(crate) fn on_server(role: Role, guests_open: bool) -> May {
    Verb::ALL.iter().copied().filter(|verb| denies_on_server(*verb, role, guests_open).is_none()).collect()
}

/// # Errors
/// `Forbidden`, with the reason, where somebody of this role may not do this on the server.
pub(crate) fn judge_on_server(verb: Verb, role: Role, guests_open: bool) -> Result<()> {
    denies_on_server(verb, role, guests_open).map_or(Ok(()), |why| Err(Error::Forbidden(why)))
}

/// # Errors
/// `Forbidden` for whoever does not look after the server.
pub(crate) fn must_be_admin(role: Role) -> Result<()> {
    let is_admin = role >= Role::Admin;
    is_admin.then_some(()).ok_or(Error::Forbidden("Only those who look after the server can see this."))
}

/// The proof that a user may act in a room, as of when it was read, and what they may do there. Only this crate makes
/// one, and whatever writes into a room asks for it.
#[derive(Debug, Clone)]
pub struct Membership {
    room: RoomKey,
    key: UserKey,
    user: User,
    standing: Standing,
    view: Room,
}

impl Membership {
    /// `view` becomes what the member sees of the room, with what they may do.
    pub(crate) fn new(room: RoomKey, key: UserKey, user: User, standing: Standing, mut view: Room) -> Self {
        view.may = standing.may();
        Self { room, key, user, standing, view }
    }

    /// The room's key inside the server.
    pub const fn room(&self) -> RoomKey {
        self.room
    }

    /// The member's key inside the server.
    pub const fn key(&self) -> UserKey {
        self.key
    }

    /// The member as others see them.
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// The room as the member sees it, with what they may do there.
    pub const fn view(&self) -> &Room {
        &self.view
    }

    /// The room as the member sees it, for good.
    pub fn into_view(self) -> Room {
        self.view
    }

    /// Whether the member may do this in the room.
    pub const fn may(&self, verb: Verb) -> bool {
        self.view.may.has(verb)
    }

    /// # Errors
    /// `Forbidden`, with the reason, where the member may not do this in the room.
    pub(crate) fn must(&self, verb: Verb) -> Result<()> {
        self.standing.denies(verb).map_or(Ok(()), |why| Err(Error::Forbidden(why)))
    }

    /// # Errors
    /// `Forbidden`, with the reason, where the member may not do this to another one, whose role on the server is `other`.
    pub(crate) fn must_to(&self, verb: Verb, other: Role) -> Result<()> {
        self.standing.denies_to(verb, other).map_or(Ok(()), |why| Err(Error::Forbidden(why)))
    }

    /// What the member may do to another one, whose role on the server is `other`.
    pub(crate) fn may_to(&self, user: UserId, other: Role) -> May {
        let may = [Verb::Remove].into_iter();
        may.filter(|verb| user != self.user.id && self.standing.denies_to(*verb, other).is_none()).collect()
    }

    /// The same room, in the name of somebody else: of whoever brought the member in.
    pub(crate) fn brought_by(&self, key: UserKey, user: &User) -> Self {
        Self { key, user: user.clone(), ..self.clone() }
    }

    pub(crate) fn place(&self) -> RoomRef {
        let view = &self.view;
        RoomRef { key: self.room, id: view.id, name: view.name.clone(), kind: view.kind, head: view.head }
    }
}

/// Who finds a room by its name and may enter it unasked.
pub(crate) const fn may_enter(kind: RoomKind) -> bool {
    match kind {
        RoomKind::Open => true,
        RoomKind::Closed | RoomKind::Direct => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 5] = [Role::Guest, Role::Member, Role::Moderator, Role::Admin, Role::Owner];

    fn rows(verb: Verb) -> Vec<(Role, Role)> {
        let pairs = ROLES.iter().flat_map(|server| ROLES.iter().map(move |room| (*server, *room)));
        let may = |(on_server, in_room): &(Role, Role)| {
            Standing { on_server: *on_server, in_room: *in_room }.denies(verb).is_none()
        };
        pairs.filter(may).collect()
    }

    #[test]
    fn every_member_posts_and_reacts_and_every_registered_one_invites() {
        assert_eq!(rows(Verb::Post).len(), 25);
        assert_eq!(rows(Verb::React).len(), 25);
        assert!(rows(Verb::Invite).iter().all(|(server, _)| *server >= Role::Member));
        assert_eq!(rows(Verb::Invite).len(), 20);
    }

    #[test]
    fn a_moderator_of_the_server_and_the_rooms_owner_remove_and_delete() {
        for verb in [Verb::Remove, Verb::DeleteAny] {
            let expected = |(server, room): (Role, Role)| server >= Role::Moderator || room == Role::Owner;
            assert!(rows(verb).into_iter().all(expected));
            assert_eq!(rows(verb).len(), 17, "{verb:?}");
        }
    }

    #[test]
    fn nobody_removes_a_moderator_who_stands_above_them() {
        let owner_of_the_room = Standing { on_server: Role::Member, in_room: Role::Owner };
        assert!(owner_of_the_room.denies_to(Verb::Remove, Role::Admin).is_some());
        assert!(owner_of_the_room.denies_to(Verb::Remove, Role::Member).is_none());
        let moderator = Standing { on_server: Role::Moderator, in_room: Role::Member };
        assert!(moderator.denies_to(Verb::Remove, Role::Moderator).is_none());
    }

    #[test]
    fn guests_open_rooms_only_where_the_operator_says_so() {
        assert!(on_server(Role::Guest, true).has(Verb::OpenRoom));
        assert!(on_server(Role::Guest, false).is_empty());
        let all = [Verb::Invite, Verb::OpenRoom, Verb::OpenClosed, Verb::FindPeople];
        assert_eq!(on_server(Role::Member, false), all.into_iter().collect());
    }
}
