//! Reading what a native client says: a command, or what is wrong with the frame.

use crate::complaint::complaint;
use protocol::{Body, ClientFrame, Command, Error, ErrorCode, MAX_INTEGER, Nonce, RoomId};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The commonest command.
const POST: &str = "post_message";

const BAD_ID: &str = "`id` must be a whole number, not below 0 and below 2^53.";

/// A frame that is no command: its id, if it has one, and what is wrong with it.
pub(super) type Wrong = Box<(Option<u64>, Error)>;

/// What [`ClientFrame`] says of a post. Not made of it, nor of [`Body`]: a command is found by its `type`, and a body is
/// flattened into it, so all of it is read into values before, which for the commonest command costs twice as much.
#[derive(Deserialize)]
struct PostFrame<'a> {
    id: u64,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    room: RoomId,
    text: String,
    nonce: Nonce,
}

/// The id of a frame that is not valid JSON as a whole, such as one with half a surrogate pair. The parser passes over
/// the other fields and does not look into them.
#[derive(Deserialize)]
struct Asked {
    id: u64,
}

/// Reads a frame.
pub(super) fn read(text: &str) -> Result<ClientFrame, Wrong> {
    if text.contains(POST)
        && let Ok(PostFrame { id, kind, room, text, nonce }) = serde_json::from_str(text)
        && kind == POST
        && id <= MAX_INTEGER
    {
        let body = Body { text };
        return Ok(ClientFrame { id, command: Command::PostMessage { room, body, nonce } });
    }
    match serde_json::from_str::<ClientFrame>(text) {
        Ok(frame) if frame.id <= MAX_INTEGER => Ok(frame),
        Ok(_) => Err((None, bad(ErrorCode::BadRequest, BAD_ID)).into()),
        Err(why) => Err(wrong(text, &why).into()),
    }
}

/// Something that is wrong with a frame as a whole.
pub(super) fn bad(code: ErrorCode, message: &str) -> Error {
    Error { code, params: Map::new(), message: message.to_owned(), retry_after_ms: None }
}

/// What is wrong with a frame, `why` being what the parser says.
fn wrong(text: &str, why: &serde_json::Error) -> (Option<u64>, Error) {
    let parsed = serde_json::from_str(text);
    let Ok(Value::Object(frame)) = parsed else {
        let message = match parsed {
            Ok(_) => "A command is a JSON object.".to_owned(),
            Err(why) => format!("Not a JSON object: {}.", complaint(&why)),
        };
        let asked = text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok()).flatten();
        let id = asked.map(|Asked { id }| id).filter(|id| *id <= MAX_INTEGER);
        return (id, bad(ErrorCode::BadRequest, &message));
    };
    let id = frame.get("id").and_then(Value::as_u64).filter(|id| *id <= MAX_INTEGER);
    let error = match (id, frame.get("type")) {
        (None, _) if frame.contains_key("id") => bad(ErrorCode::BadRequest, BAD_ID),
        (None, _) => bad(ErrorCode::BadRequest, "Every command needs an `id`, a whole number below 2^53."),
        (_, Some(Value::String(name))) if !Command::NAMES.contains(&name.as_str()) => {
            let mut error =
                bad(ErrorCode::UnknownCommand, "No command has this name. The protocol's page lists them.");
            error.params.insert("type".into(), Value::String(name.chars().take(64).collect()));
            error
        }
        (_, Some(Value::String(_))) => {
            bad(ErrorCode::BadRequest, &format!("This command cannot be read: {}.", complaint(why)))
        }
        (_, _) => bad(ErrorCode::BadRequest, "Every command needs a `type`, the name of the command."),
    };
    (id, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_id_is_not_called_a_missing_one() {
        for (frame, says) in [
            (r#"{"id":-1,"type":"list_rooms"}"#, "`id` must be a whole number"),
            (r#"{"id":9007199254740992,"type":"list_rooms"}"#, "`id` must be a whole number"),
            (r#"{"id":"7","type":"list_rooms"}"#, "`id` must be a whole number"),
            (r#"{"type":"list_rooms"}"#, "Every command needs an `id`"),
            ("[]", "A command is a JSON object."),
        ] {
            let wrong = read(frame).err();
            assert!(wrong.as_ref().is_some_and(|wrong| wrong.1.message.starts_with(says)), "{wrong:?}");
        }
    }

    #[test]
    fn a_post_is_read_as_every_other_command_is() {
        let post = r#"{"id":7,"type":"post_message","room":"0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f","text":"h\u00e9","nonce":"n","more":1}"#;
        let frame: ClientFrame = serde_json::from_str(post).unwrap();
        assert_eq!(read(post).ok(), Some(frame));
        assert!(Command::NAMES.contains(&POST), "the short way is taken for a command that there is");
    }
}
