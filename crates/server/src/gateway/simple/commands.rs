//! What a client of the simple protocol asks for.

use super::connection::{Connection, Whereabouts};
use crate::gateway::lane::{Started, Turn};
use crate::refusal::refusal;
use protocol::NewReaction;
use protocol::simple::{SimpleCommand, SimpleFrame};
use std::sync::Arc;

impl Connection {
    /// Does what the client asks, in the order in which it asks.
    pub(super) fn hear(self: &Arc<Self>, command: SimpleCommand) {
        let connection = Arc::clone(self);
        match command {
            SimpleCommand::Join { room, username } => self.moves(async move {
                if let Err(message) = connection.join(&room, &username).await {
                    connection.say(&SimpleFrame::Error { message });
                }
            }),
            SimpleCommand::Chat { text } => {
                self.lane.push(self.turn(), move || connection.chat(text));
            }
            SimpleCommand::React { seq, emoji, on } => {
                let reaction = NewReaction { emoji, on };
                self.lane.push(Turn::Own, move || connection.react(seq, reaction));
            }
            SimpleCommand::Leave {} => self.moves(async move { connection.leave().await }),
        }
    }

    /// Reacts to a message of the room that the connection is in, once the room's readers can follow. By it the visitor
    /// becomes a member, as by a chat.
    fn react(self: Arc<Self>, seq: u64, reaction: NewReaction) -> Started {
        Started::now(async move {
            let Whereabouts { room, visitor, .. } = self.whereabouts().clone();
            let (Some(room), Some(visitor)) = (room, visitor) else {
                self.say(&SimpleFrame::Error { message: "join a room before reacting".to_owned() });
                return None;
            };
            let reacted = match self.app.pacing.newcomer(&self.app.chat, Some(room.id)).await {
                Ok(chat) => chat
                    .react_as_visitor(&visitor, room.id, seq, &reaction)
                    .await
                    .map_err(|error| refusal(&error)),
                Err(error) => Err(error),
            };
            match reacted {
                Ok(caller) => self.became_member(room.id, caller),
                Err(error) => self.say(&SimpleFrame::Error { message: error.message }),
            }
            None
        })
    }
}
