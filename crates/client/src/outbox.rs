//! Drafts that are not known to be posted yet.

use protocol::{Error, ErrorCode, Nonce, RoomId};

/// Drafts on their way, in the order in which they were written.
///
/// A draft keeps its nonce through every retry, so it is posted once, however often it is sent. It leaves the outbox
/// when its reply or its event comes, or when its author discards it. A doubt never removes it.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    pending: Vec<Pending>,
}

/// A draft without a place in the room.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// The author's name for it.
    pub nonce: Nonce,
    /// The room to post it in.
    pub room: RoomId,
    /// Its text.
    pub text: String,
    /// How far it got.
    pub state: PendingState,
}

/// How far a draft got.
#[derive(Debug, Clone, PartialEq)]
pub enum PendingState {
    /// Not on the wire.
    Waiting,
    /// On the wire, not answered.
    Sending,
    /// It was sent and has no answer, so it may be posted. It will be sent again.
    Unsure,
    /// Refused for good: its author decides.
    Failed(Error),
}

impl PendingState {
    /// The state's name in the timeline scenarios.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Unsure => "unsure",
            Self::Failed(_) => "failed",
        }
    }
}

impl Outbox {
    /// The drafts, oldest first.
    pub fn pending(&self) -> &[Pending] {
        &self.pending
    }

    /// The draft of this nonce.
    pub fn get(&self, nonce: &Nonce) -> Option<&Pending> {
        self.pending.iter().find(|pending| pending.nonce == *nonce)
    }

    /// Takes a draft in. A nonce that is here already keeps its position and its text, and waits to be sent again.
    pub fn add(&mut self, room: RoomId, text: &str, nonce: &Nonce) {
        match self.get_mut(nonce) {
            Some(pending) => pending.state = PendingState::Waiting,
            None => self.pending.push(Pending {
                nonce: nonce.clone(),
                room,
                text: text.to_owned(),
                state: PendingState::Waiting,
            }),
        }
    }

    /// The draft went onto the wire.
    pub fn sent(&mut self, nonce: &Nonce) {
        if let Some(pending) = self.get_mut(nonce) {
            pending.state = PendingState::Sending;
        }
    }

    /// The draft was answered with a refusal. Returns whether it will be sent again: because the refusal is a passing
    /// one, or because the draft may be posted.
    pub fn refused(&mut self, nonce: &Nonce, error: &Error) -> bool {
        let Some(pending) = self.get_mut(nonce) else { return false };
        pending.state = match error.code {
            ErrorCode::Unknown => PendingState::Unsure,
            ErrorCode::RateLimited | ErrorCode::SlowDown | ErrorCode::Overloaded => PendingState::Waiting,
            ErrorCode::BadRequest
            | ErrorCode::UnknownCommand
            | ErrorCode::Invalid
            | ErrorCode::NotFound
            | ErrorCode::Forbidden
            | ErrorCode::Conflict
            | ErrorCode::NameTaken
            | ErrorCode::Unauthenticated
            | ErrorCode::BadCredentials
            | ErrorCode::LinkSpent
            | ErrorCode::TooLarge
            | ErrorCode::Internal => PendingState::Failed(error.clone()),
        };
        !matches!(pending.state, PendingState::Failed(_))
    }

    /// The connection is gone: whatever was on the wire is unsure.
    pub fn lost(&mut self) {
        for pending in &mut self.pending {
            if pending.state == PendingState::Sending {
                pending.state = PendingState::Unsure;
            }
        }
    }

    /// The drafts to send once a connection is there, oldest first.
    pub fn unsent(&self) -> impl Iterator<Item = &Pending> {
        self.pending
            .iter()
            .filter(|pending| matches!(pending.state, PendingState::Waiting | PendingState::Unsure))
    }

    /// Takes the draft out: it is posted, or its author gave it up.
    pub fn take(&mut self, nonce: &Nonce) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.nonce == *nonce)?;
        Some(self.pending.remove(at))
    }

    fn get_mut(&mut self, nonce: &Nonce) -> Option<&mut Pending> {
        self.pending.iter_mut().find(|pending| pending.nonce == *nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const LOBBY: RoomId = RoomId::new(Uuid::from_u128(1));

    fn nonce(text: &str) -> Nonce {
        Nonce::new(text).expect("a nonce")
    }

    fn error(code: ErrorCode) -> Error {
        Error { code, params: serde_json::Map::new(), message: "no".into(), retry_after_ms: None }
    }

    fn with_one_sent() -> Outbox {
        let mut outbox = Outbox::default();
        outbox.add(LOBBY, "hi", &nonce("a"));
        outbox.sent(&nonce("a"));
        outbox
    }

    fn state(outbox: &Outbox) -> &'static str {
        outbox.get(&nonce("a")).expect("the draft").state.name()
    }

    #[test]
    fn a_draft_on_a_broken_connection_is_unsure_and_sent_again_under_its_nonce() {
        let mut outbox = with_one_sent();
        assert_eq!(outbox.unsent().count(), 0);
        outbox.lost();
        assert_eq!(state(&outbox), "unsure");
        assert_eq!(outbox.unsent().next().map(|pending| pending.nonce.as_str()), Some("a"));
    }

    #[test]
    fn unknown_stays_unknown() {
        let mut outbox = with_one_sent();
        assert!(outbox.refused(&nonce("a"), &error(ErrorCode::Unknown)));
        assert_eq!(state(&outbox), "unsure");
    }

    #[test]
    fn a_refusal_of_the_moment_is_tried_again() {
        for code in [ErrorCode::RateLimited, ErrorCode::SlowDown, ErrorCode::Overloaded] {
            let mut outbox = with_one_sent();
            assert!(outbox.refused(&nonce("a"), &error(code)));
            assert_eq!(state(&outbox), "waiting");
        }
    }

    #[test]
    fn a_refusal_for_good_stays_in_sight_until_its_author_decides() {
        let mut outbox = with_one_sent();
        assert!(!outbox.refused(&nonce("a"), &error(ErrorCode::Forbidden)));
        outbox.lost();
        assert_eq!((state(&outbox), outbox.unsent().count()), ("failed", 0));
        outbox.add(LOBBY, "hi", &nonce("a"));
        assert_eq!((state(&outbox), outbox.pending().len()), ("waiting", 1));
        assert_eq!(outbox.take(&nonce("a")).map(|pending| pending.text).as_deref(), Some("hi"));
        assert!(outbox.pending().is_empty());
    }

    #[test]
    fn drafts_keep_the_order_in_which_they_were_written() {
        let mut outbox = with_one_sent();
        outbox.add(LOBBY, "second", &nonce("b"));
        outbox.lost();
        let texts: Vec<&str> = outbox.unsent().map(|pending| pending.text.as_str()).collect();
        assert_eq!(texts, ["hi", "second"]);
    }

    #[test]
    fn an_answer_to_a_draft_that_is_gone_changes_nothing() {
        let mut outbox = with_one_sent();
        outbox.take(&nonce("a"));
        assert!(!outbox.refused(&nonce("a"), &error(ErrorCode::Unknown)));
        outbox.sent(&nonce("a"));
        assert!(outbox.pending().is_empty());
    }
}
