//! Who acts.

use crate::rights;
use crate::store::accounts::AccountRow;
use crate::stream::UserKey;
use protocol::{May, Role, SessionId, User, Verb};
use std::sync::Arc;

/// Who acts: the proof that somebody is signed in. Only this crate makes one.
#[derive(Debug, Clone)]
pub struct Caller {
    key: UserKey,
    /// Shared with every connection of the user: there may be very many.
    user: Arc<User>,
    role: Role,
    session: Option<SessionId>,
}

impl Caller {
    pub(crate) fn of(account: AccountRow, session: Option<SessionId>) -> Self {
        Self { key: account.key, user: Arc::new(account.user), role: account.role, session }
    }

    /// Their key inside the server.
    pub const fn key(&self) -> UserKey {
        self.key
    }

    /// How others see them.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The same, to be kept.
    pub fn shared_user(&self) -> Arc<User> {
        Arc::clone(&self.user)
    }

    /// Their role on the server.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The session they act in; none for a visitor of the simple protocol.
    pub const fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// What they may do on the server. `guests_open` says whether guests may open rooms there.
    pub fn may(&self, guests_open: bool) -> May {
        rights::on_server(self.role, guests_open)
    }

    /// # Errors
    /// `Forbidden`, with the reason, where they may not do this on the server.
    pub(crate) fn must(&self, verb: Verb, guests_open: bool) -> crate::error::Result<()> {
        rights::judge_on_server(verb, self.role, guests_open)
    }
}
