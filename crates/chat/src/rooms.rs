//! Rooms: opening, finding.

use crate::error::{Error, Result};
use crate::memberships::{self, By};
use crate::sessions::Caller;
use crate::store::rooms::NewRoom;
use crate::store::{Connection, accounts, epoch, memberships as members, rooms, sessions};
use crate::stream::{RoomKey, RoomRef};
use crate::text::Name;
use crate::token::new_id;
use crate::{Chat, LOBBY, PAGE};
use protocol::frame::RoomPage;
use protocol::{Nonce, Role, Room, RoomId, RoomKind};

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
            RoomKind::Open if guests_may => {}
            RoomKind::Open => caller.must_be(Role::Member, "Guests cannot open rooms on this server.")?,
            RoomKind::Closed => caller.must_be(Role::Member, "Guests can open open rooms only.")?,
            RoomKind::Direct => {
                return Err(Error::invalid("kind", "direct", "A direct room is not opened by name."));
            }
        }
        let (caller, now) = (caller.clone(), self.now());
        self.0
            .store
            .write(move |tx| {
                if let Some(room) = rooms::find_by_nonce(&tx.sql, &nonce, caller.key())? {
                    let view = members::prove(&tx.sql, room.id, caller.key())?.view().clone();
                    let same = view.name == name.shown() && view.kind == kind;
                    return if same { Ok(view) } else { Err(Error::Conflict) };
                }
                let new = NewRoom {
                    name: &name,
                    kind,
                    by: Some(caller.key()),
                    nonce: Some(&nonce),
                    provisional: false,
                    now,
                };
                let room = rooms::insert(&tx.sql, &new)?;
                let account = accounts::find(&tx.sql, caller.user().id)?.ok_or(Error::NotFound("user"))?;
                memberships::join(tx, &room, &account, Role::Owner, &By::caller(&caller), now)
            })
            .await
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
        let after = cursor.unwrap_or_default().to_owned();
        let mut open = self.0.store.read(move |sql| rooms::page_open(sql, user, &after, PAGE + 1)).await?;
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
        self.0.store.read(|sql| Ok(lobby(sql)?.map(|room| room.id))).await
    }

    /// Removes what nobody needs after a restart: expired sessions, and rooms in which nothing was said, for nobody is
    /// in them. For the one server of the database alone, before it lets anybody in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_leftovers(&self) -> Result<()> {
        let now = self.now();
        self.0
            .store
            .write(move |tx| {
                for room in rooms::unused(&tx.sql)? {
                    rooms::delete_unused(&tx.sql, room)?;
                }
                sessions::delete_expired(&tx.sql, now)?;
                Ok(())
            })
            .await
    }

    /// Removes a room that was opened by entering it and in which nothing was said. Others stay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_provisional(&self, room: RoomKey) -> Result<bool> {
        self.0.store.write(move |tx| rooms::delete_unused(&tx.sql, room)).await
    }
}

/// Makes a new database ready: the epoch and the lobby.
pub(crate) fn prepare(sql: &Connection, now: i64) -> Result<String> {
    if let Some(epoch) = epoch::find(sql)? {
        return Ok(epoch);
    }
    let epoch = new_id().simple().to_string();
    epoch::insert(sql, &epoch)?;
    let name = Name::new("name", LOBBY)?;
    let new = NewRoom { name: &name, kind: RoomKind::Open, by: None, nonce: None, provisional: false, now };
    rooms::insert(sql, &new)?;
    Ok(epoch)
}

/// The room that everybody is in from the start; none once it was renamed.
pub(crate) fn lobby(sql: &Connection) -> Result<Option<RoomRef>> {
    rooms::find_open(sql, LOBBY)
}

/// Where a page of a roster goes on: opaque to clients.
pub(crate) struct Cursor {
    pub(crate) name: String,
    pub(crate) key: i64,
}

impl Cursor {
    pub(crate) fn read(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Self { name: String::new(), key: 0 }) };
        let (key, name) =
            text.split_once('.').and_then(|(key, name)| Some((key.parse().ok()?, name))).ok_or_else(
                || Error::invalid("cursor", "unknown", "Take the cursor from the page before as it is."),
            )?;
        Ok(Self { name: name.to_owned(), key })
    }

    pub(crate) fn write(name: &str, key: i64) -> String {
        format!("{key}.{name}")
    }
}
