//! What could not be done, as the wire tells it.

use protocol::{Error, ErrorCode};

/// A refusal as the wire tells it. What is not the caller's business goes to the server's log, once.
pub(crate) fn refusal(error: &chat::Error) -> Error {
    let refusal = error.wire();
    if refusal.code == ErrorCode::Internal {
        tracing::error!(%error, "something that was asked for failed");
    }
    refusal
}
