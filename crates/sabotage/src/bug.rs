//! Twelve bugs that chat servers have had. The fault harness proves itself by catching each.

/// The variable that chooses a bug by its name.
#[cfg(feature = "armed")]
const CHOSEN: &str = "ROOMFUL_BUG";

/// A bug that an armed build can be told to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The reply is sent before the commit.
    ReplyBeforeCommit,
    /// Commits are not synced to the disk (`synchronous = normal`).
    NormalSync,
    /// A nonce is unique for a connection, not for its author.
    NoncePerConnection,
    /// A resume begins with the event the client has, or skips the one after it.
    CursorOffByOne,
    /// An event is published before its commit.
    PublishBeforeCommit,
    /// A reader that falls behind loses frames and is not told.
    DropOnLag,
    /// A user who left a room goes on hearing it.
    StaleMembership,
    /// One counter gives the `seq` of all rooms.
    GlobalSeq,
    /// A restored database keeps its epoch.
    SameEpochOnRestore,
    /// A beat tells the heads of rooms that the connection follows, and not of those that the user is a member of.
    BeatFromFollows,
    /// A client tries again under a new nonce.
    RetryWithNewNonce,
    /// Posts to a room wait without a limit.
    UnboundedQueue,
}

impl Bug {
    /// Every bug there is.
    pub const ALL: [Self; 12] = [
        Self::ReplyBeforeCommit,
        Self::NormalSync,
        Self::NoncePerConnection,
        Self::CursorOffByOne,
        Self::PublishBeforeCommit,
        Self::DropOnLag,
        Self::StaleMembership,
        Self::GlobalSeq,
        Self::SameEpochOnRestore,
        Self::BeatFromFollows,
        Self::RetryWithNewNonce,
        Self::UnboundedQueue,
    ];

    /// Its name, as the variable has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReplyBeforeCommit => "reply_before_commit",
            Self::NormalSync => "normal_sync",
            Self::NoncePerConnection => "nonce_per_connection",
            Self::CursorOffByOne => "cursor_off_by_one",
            Self::PublishBeforeCommit => "publish_before_commit",
            Self::DropOnLag => "drop_on_lag",
            Self::StaleMembership => "stale_membership",
            Self::GlobalSeq => "global_seq",
            Self::SameEpochOnRestore => "same_epoch_on_restore",
            Self::BeatFromFollows => "beat_from_follows",
            Self::RetryWithNewNonce => "retry_with_new_nonce",
            Self::UnboundedQueue => "unbounded_queue",
        }
    }
}

/// Whether this process is to have `bug`.
#[cfg(not(feature = "armed"))]
#[inline(always)]
pub const fn has(_bug: Bug) -> bool {
    false
}

/// Whether this process is to have `bug`.
#[cfg(feature = "armed")]
pub fn has(bug: Bug) -> bool {
    use std::sync::OnceLock;

    static CHOSEN_BUG: OnceLock<Option<String>> = OnceLock::new();
    let chosen = CHOSEN_BUG.get_or_init(|| std::env::var(CHOSEN).ok());
    chosen.as_deref() == Some(bug.name())
}
