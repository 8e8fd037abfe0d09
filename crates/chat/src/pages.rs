//! Pages: how much of a list is told at once, and where the next page goes on.

use crate::error::{Error, Result};
use crate::text::weight;
use protocol::Message;

/// The most items on a page.
pub const PAGE: u32 = 100;
/// A page of messages or events ends early beyond this many bytes, give or take those that stand around the texts: the
/// page waits in memory for a client that reads slowly.
pub(crate) const PAGE_BYTES: usize = 128 * 1024;

/// Cuts a page to `limit` messages and to `bytes`, never to less than one message. Whether something was cut.
pub(crate) fn bound(found: &mut Vec<Message>, limit: u32, bytes: usize) -> bool {
    let mut size = 0;
    let fit = found.iter().take_while(|message| {
        size += weight(&message.body.text);
        size <= bytes
    });
    let fit = fit.count().max(1).min(limit as usize);
    let more = found.len() > fit;
    found.truncate(fit);
    more
}

/// Where a page of a roster goes on: opaque to clients.
pub(crate) struct PageToken {
    pub(crate) name: String,
    pub(crate) key: i64,
}

impl PageToken {
    pub(crate) fn read(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Self { name: String::new(), key: 0 }) };
        let (key, name) = passable(text)?
            .split_once('.')
            .and_then(|(key, name)| Some((key.parse().ok()?, name)))
            .ok_or_else(unknown)?;
        Ok(Self { name: name.to_owned(), key })
    }

    pub(crate) fn write(name: &str, key: i64) -> String {
        format!("{key}.{name}")
    }
}

/// The name after which a page goes on, as a token of the page before says it; the first page without one.
///
/// # Errors
/// `Invalid` for what no page gave.
pub(crate) fn after(token: Option<&str>) -> Result<String> {
    passable(token.unwrap_or_default()).map(str::to_owned)
}

/// No name holds U+0000, and PostgreSQL takes no text that does.
fn passable(token: &str) -> Result<&str> {
    if token.contains('\0') { Err(unknown()) } else { Ok(token) }
}

fn unknown() -> Error {
    Error::invalid("cursor", "unknown", "Take the cursor from the page before as it is.")
}
