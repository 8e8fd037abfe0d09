//! What a client of the simple protocol asks for.

use super::connection::{Connection, Whereabouts};
use crate::gateway::lane::{Started, Turn};
use crate::refusal::refusal;
use chat::Visitor;
use protocol::NewReaction;
use protocol::simple::{SimpleCommand, SimpleFrame};
use std::sync::Arc;

const JOIN_FIRST: &str = "join a room before reacting";

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

    /// Reacts to a message of the room that the connection is in, once the room's readers can follow.
    fn react(self: Arc<Self>, seq: u64, reaction: NewReaction) -> Started {
        Started::now(async move {
            if let Err(message) = self.reacting(seq, &reaction).await {
                self.say(&SimpleFrame::Error { message });
            }
            self.app.delivery.answered(self.conn);
            None
        })
    }

    /// By a first reaction the visitor becomes a member, as by a first chat. Later ones require the membership: otherwise
    /// somebody who was removed would be back with the next reaction.
    async fn reacting(&self, seq: u64, reaction: &NewReaction) -> Result<(), String> {
        let Whereabouts { room, visitor, member } = self.whereabouts().clone();
        let (Some(room), Some(visitor)) = (room, visitor) else { return Err(JOIN_FIRST.to_owned()) };
        let (room, pacing) = (room.id, &self.app.pacing);
        let reacted = match &visitor {
            Visitor::Known(caller) if member => {
                let chat =
                    pacing.member(&self.app.chat, caller, room, 0).await.map_err(|error| error.message)?;
                chat.react(caller, room, seq, reaction).await.map(|_| caller.clone())
            }
            Visitor::Known(_) | Visitor::Passing(_) => {
                let chat =
                    pacing.newcomer(&self.app.chat, Some(room)).await.map_err(|error| error.message)?;
                chat.react_as_visitor(&visitor, room, seq, reaction).await
            }
        };
        match reacted {
            Ok(caller) => self.became_member(room, caller),
            Err(chat::Error::NotFound("room")) => {
                self.is_out_of(room).await;
                return Err(JOIN_FIRST.to_owned());
            }
            Err(error) => return Err(refusal(&error).message),
        }
        Ok(())
    }
}
