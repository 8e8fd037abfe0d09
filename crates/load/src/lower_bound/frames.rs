//! Frames with the bytes that Roomful sends, made without its protocol's types: the fields are cut out of the post.

use crate::wire;

const BY: &str = r#"{"id":"0192f0c1-0000-7000-8000-00000000000a","name":"Guest 12345 0"}"#;
/// A time: only its length counts.
const AT: u64 = 1_767_225_612_000;

/// A string in the JSON object `text`. Escapes are not undone: the load sends none.
pub fn field<'a>(text: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(text).ok()?;
    let rest = text.split_once(&format!("\"{name}\":\""))?.1;
    rest.split_once('"').map(|(value, _)| value)
}

/// Appends the native frame of a post.
pub fn native(buffer: &mut Vec<u8>, room: &str, seq: u64, post: &[u8]) {
    let (text, nonce) = (field(post, "text").unwrap_or_default(), field(post, "nonce").unwrap_or_default());
    let frame = format!(
        r#"{{"room":"{room}","seq":{seq},"at":{AT},"by":{BY},"type":"message_posted","n":{seq},"text":"{text}","nonce":"{nonce}","rev":{seq}}}"#
    );
    wire::push_unmasked(buffer, frame.as_bytes());
}

/// The greeting of a native connection in a room that has come as far as `seq`.
pub fn hello(room: &str, seq: u64) -> String {
    format!(r#"{{"type":"hello","rooms":[{{"id":"{room}","head":{seq}}}]}}"#)
}

/// The reply to a native post.
pub fn reply(seq: u64, post: &[u8]) -> String {
    let nonce = field(post, "nonce").unwrap_or_default();
    let id = memchr::memmem::find(post, b"\"id\":").and_then(|at| crate::mark::number(&post[at + 5..]));
    let id = id.map_or(0, |(id, _)| id);
    format!(r#"{{"type":"reply","id":{id},"ok":{{"seq":{seq},"n":{seq},"at":{AT},"nonce":"{nonce}"}}}}"#)
}

/// Appends the simple frame of a chat.
pub fn simple(buffer: &mut Vec<u8>, room: &str, name: &str, seq: u64, chat: &[u8]) {
    let text = field(chat, "text").unwrap_or_default();
    let frame = format!(
        r#"{{"type":"chat","room":"{room}","username":"{name}","text":"{text}","ts":{AT},"seq":{seq}}}"#
    );
    wire::push_unmasked(buffer, frame.as_bytes());
}
