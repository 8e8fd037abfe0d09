//! Events as bytes, once for each wire protocol.

use delivery::Frame;
use protocol::simple::SimpleFrame;
use protocol::{Event, ServerFrame};
use serde::Serialize;

/// A frame of the native protocol.
pub(crate) fn native(said: &ServerFrame) -> Frame {
    frame(said)
}

/// A frame of the simple protocol.
pub(crate) fn plain(said: &SimpleFrame) -> Frame {
    frame(said)
}

/// A WebSocket text frame around a value of the protocol.
fn frame(value: &impl Serialize) -> Frame {
    // The types of the protocol have string keys and no floats, so they always have a JSON form.
    Frame::text(serde_json::to_vec(value).unwrap_or_default())
}

/// An event as the native protocol tells it.
pub(super) fn event(event: Event) -> Frame {
    native(&ServerFrame::Event(event))
}

/// An event as the simple protocol tells it; nothing where it does not tell such events.
pub(super) fn simple_event(room: &str, event: &Event) -> Option<Frame> {
    SimpleFrame::of(room, event).as_ref().map(plain)
}
