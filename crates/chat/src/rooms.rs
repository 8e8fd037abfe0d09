//! Rooms: opening, finding.

use crate::caller::Caller;
use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::limits::LOBBY;
use crate::memberships;
use crate::pages::{PAGE, after};
use crate::store::rooms::NewRoom;
use crate::store::{Tx, accounts, memberships as members, rooms, sessions};
use crate::stream::RoomKey;
use crate::text::Name;
use protocol::frame::RoomPage;
use protocol::{Nonce, Role, Room, RoomId, RoomKind, Verb};

impl Chat {
    /// Opens a room; the caller is its first member and owner. The same nonce again gives the same room.
    ///
    /// # Errors
    /// `NameTaken` for the name of an open room; `Forbidden` to guests, who may open open rooms only, and those only
    /// where `guests_may` says so; `Invalid` for a bad name or a direct room; `TooManyRooms`.
    pub async fn open_room(
        &self,
        caller: &Caller,
        name: &str,
        kind: RoomKind,
        nonce: Nonce,
        guests_may: bool,
    ) -> Result<Room> {
        let name = Name::new("name", name)?;
        if name.shown().parse::<protocol::RoomId>().is_ok() {
            return Err(Error::invalid(
                "name",
                "id",
                "A room cannot be named like an id. Choose another name.",
            ));
        }
        match kind {
            RoomKind::Open => caller.must(Verb::OpenRoom, guests_may)?,
            RoomKind::Closed => caller.must(Verb::OpenClosed, guests_may)?,
            RoomKind::Direct => {
                return Err(Error::invalid("kind", "direct", "A direct room is not opened by name."));
            }
        }
        let (user, id) = (caller.key(), caller.user().id);
        let work = move |tx: &mut Tx<'_>| {
            if let Some(room) = rooms::find_by_nonce(tx.sql, &nonce, user)? {
                let view = members::prove(tx.sql, room.id, user)?.into_view();
                let same = view.name == name.shown() && view.kind == kind;
                return if same { Ok(view) } else { Err(Error::Conflict) };
            }
            let (by, nonce) = (Some(user), Some(&nonce));
            let new = NewRoom { name: &name, kind, by, nonce, provisional: false, now: tx.now };
            let room = rooms::insert(tx.sql, &new)?;
            let account = accounts::find(tx.sql, id)?.ok_or(Error::NotFound("user"))?;
            memberships::join(tx, &room, &account, Role::Owner, None)
        };
        self.write(work).await
    }

    /// The caller's own rooms and a page of the open ones, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_rooms(&self, caller: &Caller, cursor: Option<&str>) -> Result<RoomPage> {
        let user = caller.key();
        let mine = match cursor {
            None => self.rooms_of(user).await?.into_iter().map(|(_, room)| room).collect(),
            Some(_) => Vec::new(),
        };
        let after = after(cursor)?;
        let mut open = self.read(move |sql| rooms::page_open(sql, user, &after, PAGE + 1)).await?;
        let more = open.len() > PAGE as usize;
        open.truncate(PAGE as usize);
        let next = open.last().filter(|_| more).map(|(folded, _)| folded.clone());
        Ok(RoomPage { mine, open: open.into_iter().map(|(_, room)| room).collect(), next })
    }

    /// The room that everybody is in from the start; none once it was renamed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lobby(&self) -> Result<Option<RoomId>> {
        self.read(|sql| Ok(rooms::find_open(sql, LOBBY)?.map(|room| room.id))).await
    }

    /// Removes what nobody needs after a restart: expired sessions, and rooms in which nothing was said, for nobody is
    /// in them. For the one server of the database alone, before it lets anybody in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_leftovers(&self) -> Result<()> {
        self.write(move |tx| {
            for room in rooms::unused(tx.sql)? {
                rooms::delete_unused(tx.sql, room)?;
            }
            sessions::delete_expired(tx.sql, tx.now)?;
            Ok(())
        })
        .await
    }

    /// Removes a room that was opened by entering it and in which nothing was said. Others stay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_provisional(&self, room: RoomKey) -> Result<bool> {
        self.write(move |tx| rooms::delete_unused(tx.sql, room)).await
    }
}
