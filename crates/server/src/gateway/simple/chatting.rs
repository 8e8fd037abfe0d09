//! Chats of a simple connection in the room it is in.

use super::connection::{Connection, Whereabouts};
use crate::gateway::lane::{Started, Turn, Work};
use crate::pacing::{Verdict, keeping};
use crate::refusal::refusal;
use chat::{Caller, Chat, Visitor};
use protocol::simple::SimpleFrame;
use protocol::{Nonce, RoomId, RoomKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const JOIN_FIRST: &str = "join a room before chatting";

/// A post on its way to the disk. It ends with the user that its author is from then on.
type Posting = Pin<Box<dyn Future<Output = chat::Result<Caller>> + Send>>;

impl Connection {
    /// The turn of a chat. The first chat in a room makes the user and the membership, so those behind it wait for it.
    pub(super) fn turn(&self) -> Turn {
        let settled = self.moves.load(Ordering::Acquire) == 0;
        if settled && self.whereabouts().member { Turn::Beside } else { Turn::Own }
    }

    /// Posts when the room's readers can follow.
    pub(super) fn chat(self: Arc<Self>, text: String) -> Started {
        let Whereabouts { room, visitor, .. } = self.whereabouts().clone();
        let (Some(room), Some(visitor)) = (room, visitor) else {
            return Started::Now(self.write(&text, &self.app.chat));
        };
        match (self.app.pacing.ask(room.id, text.len()), visitor.caller()) {
            (Verdict::Admitted(under_way), _) => {
                Started::Now(self.write(&text, &keeping(&self.app.chat, Some(under_way))))
            }
            // The user may have been removed from the room and not have noticed. Somebody who was removed from a closed room
            // neither waits there nor learns that others wait.
            (Verdict::Waits(_) | Verdict::Refused(_), Some(caller)) if room.kind != RoomKind::Open => {
                self.chat_as_member(caller.clone(), room.id, text)
            }
            (Verdict::Waits(admitted), _) => Started::held(admitted, move |admitted| {
                self.write(&text, &keeping(&self.app.chat, admitted.ok()))
            }),
            (Verdict::Refused(error), _) => Started::Now(self.refusing(error.message)),
        }
    }

    fn chat_as_member(self: Arc<Self>, caller: Caller, room: RoomId, text: String) -> Started {
        let (app, len) = (Arc::clone(&self.app), text.len());
        let admitting = async move { app.pacing.member(&app.chat, &caller, room, len).await };
        Started::held(admitting, move |admitted| match admitted {
            Ok(chat) => self.write(&text, &chat),
            Err(error) => self.refusing(error.message),
        })
    }

    fn write(self: &Arc<Self>, text: &str, chat: &Chat) -> Work {
        let posting = self.posting(text, chat);
        let connection = Arc::clone(self);
        Box::pin(async move {
            let refused = match posting {
                None => Some(JOIN_FIRST.to_owned()),
                Some((room, posting)) => match posting.await {
                    Ok(caller) => {
                        connection.became_member(room, caller);
                        None
                    }
                    // The user was removed meanwhile, and is in no room any more.
                    Err(chat::Error::NotFound(_)) => {
                        connection.is_out_of(room).await;
                        Some(JOIN_FIRST.to_owned())
                    }
                    Err(error) => Some(refusal(&error).message),
                },
            };
            if let Some(message) = refused {
                connection.say(&SimpleFrame::Error { message });
            }
            connection.app.delivery.answered(connection.conn);
            None
        })
    }

    /// Queues a post in the room that the connection is in. The visitor's first post makes the membership. Later ones
    /// require it: otherwise somebody who was removed would be back with the next word.
    fn posting(&self, text: &str, chat: &Chat) -> Option<(RoomId, Posting)> {
        let Whereabouts { room, visitor, member } = self.whereabouts().clone();
        let (room, visitor) = (room?.id, visitor?);
        let posting: Posting = match visitor {
            Visitor::Known(caller) if member => {
                let posting = chat.post(&caller, room, text.into(), nonce());
                Box::pin(async move { posting.await.map(|_| caller) })
            }
            Visitor::Known(_) | Visitor::Passing(_) => {
                let posting = chat.chat(&visitor, room, text.into(), nonce());
                Box::pin(async move { posting.await.map(|(caller, _)| caller) })
            }
        };
        Some((room, posting))
    }

    pub(super) fn became_member(&self, room: RoomId, caller: Caller) {
        let mut whereabouts = self.whereabouts();
        if whereabouts.member || whereabouts.room.as_ref().is_none_or(|here| here.id != room) {
            return;
        }
        if let Some(Visitor::Passing(_)) = whereabouts.visitor {
            self.app.live.known(self.conn, caller.clone());
        }
        whereabouts.visitor = Some(Visitor::Known(caller));
        whereabouts.member = true;
    }
}

/// The simple protocol has no nonces, so that every chat is a new message.
fn nonce() -> Nonce {
    let text = uuid::Uuid::now_v7().simple().to_string();
    // proof: 32 hexadecimal digits are visible ASCII.
    Nonce::new(text).expect("hexadecimal digits")
}
