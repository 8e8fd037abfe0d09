//! What a client of the simple protocol asks for.

use super::connection::Connection;
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
            SimpleCommand::Leave {} => self.moves(async move { connection.leave().await }),
        }
    }
}
