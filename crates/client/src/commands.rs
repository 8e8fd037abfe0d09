//! The commands by name.

use crate::client::{Client, Failure, new_nonce};
use crate::timeline::{Timeline, Window};
use protocol::frame::{MemberPage, MessagePage, NewInvite, Revised, RoomPage, UserPage};
use protocol::{Command, ReadMark, Room, RoomId, RoomKind, UserId};
use std::future::Future;

/// The commands by name. Each waits for its reply and fails with [`Failure`].
impl Client {
    /// Changes the text of the user's own message.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn edit(&self, room: RoomId, seq: u64, text: &str) -> Result<Revised, Failure> {
        self.command_for(Command::EditMessage { room, seq, text: text.to_owned() }).await
    }

    /// Takes a message's text away.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn delete(&self, room: RoomId, seq: u64) -> Result<Revised, Failure> {
        self.command_for(Command::DeleteMessage { room, seq }).await
    }

    /// Notes how far the user has read.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn mark_read(&self, room: RoomId, seq: u64) -> Result<ReadMark, Failure> {
        self.command_for(Command::MarkRead { room, seq }).await
    }

    /// Opens a room and waits until it is among the user's rooms.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn open_room(&self, name: &str, kind: RoomKind) -> Result<Room, Failure> {
        let command = Command::OpenRoom { name: name.to_owned(), kind, nonce: new_nonce() };
        self.enter(self.command_for(command)).await
    }

    /// Joins an open room and waits until it is among the user's rooms.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn join(&self, room: RoomId) -> Result<Room, Failure> {
        self.enter(self.command_for(Command::JoinRoom { room })).await
    }

    /// Leaves a room and waits until it is not among the user's rooms.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn leave(&self, room: RoomId) -> Result<(), Failure> {
        self.command(Command::LeaveRoom { room }).await?;
        let left = self.wait_until("the room to go", |state| !state.rooms.contains_key(&room));
        left.await.map_err(|_| Failure::Late)
    }

    /// Makes another user a member.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn invite(&self, room: RoomId, user: UserId) -> Result<(), Failure> {
        self.command(Command::InviteMember { room, user }).await.map(drop)
    }

    /// Ends the membership of another user.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn remove(&self, room: RoomId, user: UserId) -> Result<(), Failure> {
        self.command(Command::RemoveMember { room, user }).await.map(drop)
    }

    /// The user's rooms, and the first page of the open ones.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn list_rooms(&self) -> Result<RoomPage, Failure> {
        self.command_for(Command::ListRooms { cursor: None }).await
    }

    /// The first page of a roster.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn list_members(&self, room: RoomId) -> Result<MemberPage, Failure> {
        self.command_for(Command::ListMembers { room, cursor: None }).await
    }

    /// The first page of accounts whose name begins with `name`.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn list_users(&self, name: &str) -> Result<UserPage, Failure> {
        self.command_for(Command::ListUsers { name: name.to_owned(), cursor: None }).await
    }

    /// Makes an invite link, into a room or to the server alone, with the server's default uses and hours.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn create_invite(&self, room: Option<RoomId>) -> Result<NewInvite, Failure> {
        self.command_for(Command::CreateInvite { room, uses: None, hours: None, nonce: new_nonce() }).await
    }

    /// A page of a room's messages, as the server has it. The timeline does not change.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn list_messages(
        &self,
        room: RoomId,
        wanted: Window,
        limit: Option<u32>,
    ) -> Result<MessagePage, Failure> {
        let (before, after, around) = match wanted {
            Window::Newest => (None, None, None),
            Window::Before(seq) => (Some(seq), None, None),
            Window::After(seq) => (None, Some(seq), None),
            Window::Around(seq) => (None, None, Some(seq)),
        };
        self.command_for(Command::ListMessages { room, before, after, around, limit }).await
    }

    /// Takes a page into the timeline.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn load(&self, room: RoomId, wanted: Window) -> Result<MessagePage, Failure> {
        let page = self.list_messages(room, wanted, None).await?;
        self.shared.state.send_modify(|state| state.page(room, wanted, &page));
        Ok(page)
    }

    /// Takes the page before the window into the timeline.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn load_older(&self, room: RoomId) -> Result<MessagePage, Failure> {
        let wanted = self.read(|state| state.timelines.get(&room).map_or(Window::Newest, Timeline::older));
        self.load(room, wanted).await
    }

    /// Takes the page after the window into the timeline.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn load_newer(&self, room: RoomId) -> Result<MessagePage, Failure> {
        let wanted = self.read(|state| state.timelines.get(&room).map_or(Window::Newest, Timeline::newer));
        self.load(room, wanted).await
    }

    async fn enter(&self, entering: impl Future<Output = Result<Room, Failure>>) -> Result<Room, Failure> {
        let room = entering.await?;
        let entered = self.wait_until("the room to come", |state| state.rooms.contains_key(&room.id));
        entered.await.map_err(|_| Failure::Late)?;
        Ok(room)
    }
}
