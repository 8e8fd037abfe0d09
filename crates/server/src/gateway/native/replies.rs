//! Replies to native clients.

use crate::live::native;
use delivery::Frame;
use protocol::frame::Reply;
use protocol::{Error, ServerFrame};
use serde::Serialize;

/// What [`Reply`] says to a command that was done. Not made of it: there `ok` is a JSON value, which would be built for
/// every reply and written at once.
#[derive(Serialize)]
#[serde(tag = "type", rename = "reply")]
struct Done<'a, T> {
    id: u64,
    ok: &'a T,
}

/// The reply to the command with this id.
pub(super) fn reply(id: u64, came: Result<impl Serialize, Error>) -> Frame {
    match came {
        // The types of the protocol have string keys and no floats, so they always have a JSON form.
        Ok(ok) => Frame::text(serde_json::to_vec(&Done { id, ok: &ok }).unwrap_or_default()),
        Err(error) => refused(Some(id), error),
    }
}

/// The reply to what was refused; without an id where none was readable.
pub(super) fn refused(id: Option<u64>, error: Error) -> Frame {
    native(&ServerFrame::Reply(Reply { id, ok: None, error: Some(error) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::answer;
    use protocol::Nonce;
    use protocol::frame::Posted;

    #[test]
    fn a_reply_says_the_same_whether_its_body_is_ready_for_the_wire_or_not() {
        let posted = Posted { seq: 3, n: 2, at: 4, nonce: Nonce::new("n").unwrap() };
        let expected = Reply { id: Some(7), ok: serde_json::to_value(&posted).ok(), error: None };
        for text in [
            serde_json::to_string(&Done { id: 7, ok: &posted }),
            serde_json::to_string(&Done { id: 7, ok: &answer(Ok(posted)).unwrap() }),
        ] {
            assert_eq!(ServerFrame::decode(&text.unwrap()).unwrap(), ServerFrame::Reply(expected.clone()));
        }
    }
}
