//! How a connection catches up with a room: from the room's tail, from the log page by page, or from the newest page.

use super::connection::Connection;
use super::missed::{Behind, Missed};
use crate::door::{self, Answer};
use crate::live::{Resuming, native};
use chat::RESUME_EVENTS;
use delivery::{Frame, Shortfall};
use protocol::frame::{ReadMarked, Resumed};
use protocol::{CloseCode, Error, RoomId, ServerFrame};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

impl Connection {
    /// Does the command `resume`.
    pub(super) async fn resume(self: &Arc<Self>, room: RoomId, after: u64) -> Result<Answer, Error> {
        door::answer(self.resumed(room, after).await)
    }

    async fn resumed(self: &Arc<Self>, room: RoomId, after: u64) -> chat::Result<Resumed> {
        let missing = || chat::Error::NotFound("room");
        let head = self.take_up(room, after, Some(RESUME_EVENTS)).await.ok_or_else(missing)?;
        if after <= head {
            if head - after > RESUME_EVENTS {
                self.catch_up(room, Missed::ALL);
            }
            return Ok(Resumed { head });
        }
        // A page of the log may reach further than what was published until now.
        let committed = self.app.chat.membership(self.caller.key(), room).await?.view().head;
        if after <= committed {
            self.take_up(room, after, None).await.ok_or_else(missing)?;
        } else {
            self.catch_up(room, Missed::ALL);
        }
        Ok(Resumed { head: committed })
    }

    /// Makes the connection hear a room after `after`, whatever else is told of the room; with `most` only if it missed no
    /// more events than that. Answers with the head.
    async fn take_up(&self, room: RoomId, after: u64, most: Option<u64>) -> Option<u64> {
        let preface = Vec::new();
        let resuming = Resuming { conn: self.conn, room, after, makes_up_for: None, preface, most };
        self.app.live.resume(resuming).await
    }

    /// Ends a catch-up: the connection is told the last frames, and hears the room from there on.
    async fn make_up(&self, room: RoomId, shortfall: Shortfall, after: u64, preface: Vec<Frame>) {
        let makes_up_for = Some(shortfall);
        self.app
            .live
            .resume(Resuming { conn: self.conn, room, after, makes_up_for, preface, most: None })
            .await;
    }

    /// Brings a room up to date, after whatever else is being caught up with.
    pub(super) fn catch_up(self: &Arc<Self>, room: RoomId, missed: Missed) {
        if !self.behind().add(room, missed) {
            return;
        }
        let connection = Arc::clone(self);
        self.app.runtime.spawn(async move {
            while let Some((room, missed)) = connection.next_behind() {
                connection.catch_up_with(room, missed).await;
                // A connection may lack many rooms and read nothing: then one page of one of them waits for it.
                connection.page(Vec::new()).await;
            }
        });
    }

    fn next_behind(&self) -> Option<(RoomId, Missed)> {
        let mut behind = self.behind();
        if self.over.load(Ordering::Acquire) {
            behind.forget();
        }
        behind.next()
    }

    /// Reads the log and sends it page by page, each when the one before has left. Then the connection hears the room again.
    /// Where too much is missing, the newest page stands for all of it.
    async fn catch_up_with(&self, room: RoomId, missed: Missed) {
        let Missed { after: Some(first), shortfall } = missed else {
            return self.start_afresh(room, missed.shortfall).await;
        };
        let mut after = first;
        while !self.over.load(Ordering::Acquire) {
            let page = match self.app.chat.replay(self.caller.key(), room, after).await {
                Ok(page) => page,
                Err(error) => return self.give_up(&error),
            };
            if page.as_of().saturating_sub(first) > RESUME_EVENTS {
                return self.start_afresh(room, shortfall).await;
            }
            after = page.events().last().map_or(after, |event| event.seq);
            let events = page.events().iter().cloned();
            let frames: Vec<Frame> = events.map(|event| native(&ServerFrame::Event(event))).collect();
            if !page.more() {
                return self.make_up(room, shortfall, after, frames).await;
            }
            self.page(frames).await;
        }
    }

    /// Sends a page and waits until it and all before it has left.
    async fn page(&self, frames: Vec<Frame>) {
        let drained = self.drained.notified();
        self.app.delivery.page(self.conn, frames);
        // On a connection that closed before the wait began nothing would end the wait.
        if !self.over.load(Ordering::Acquire) {
            drained.await;
        }
    }

    /// Sends the newest page of a room, and the read mark, in place of what was missed.
    async fn start_afresh(&self, room: RoomId, shortfall: Shortfall) {
        match self.app.chat.reset(self.caller.key(), room).await {
            Ok((reset, read)) => {
                let after = reset.as_of;
                let mark = ServerFrame::ReadMarked(ReadMarked { room, read });
                let reset = ServerFrame::Reset(reset);
                let preface = vec![native(&reset), native(&mark)];
                self.make_up(room, shortfall, after, preface).await;
            }
            Err(error) => self.give_up(&error),
        }
    }

    /// Ends a catch-up that cannot go on. Somebody who is no longer a member has been told so. Anybody else would wait for
    /// ever for what is missing, so the connection ends, and the client's next one tries again.
    fn give_up(&self, error: &chat::Error) {
        if matches!(error, chat::Error::NotFound(_)) {
            return tracing::debug!(%error, "no catching up: the room is no longer the user's");
        }
        tracing::warn!(%error, "a connection could not be brought up to date");
        self.app.delivery.close(self.conn, CloseCode::Lagging.number(), "try again");
    }

    fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
