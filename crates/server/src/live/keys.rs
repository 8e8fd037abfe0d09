//! How rooms, users and wire protocols are named to delivery.

use chat::{RoomKey, UserKey};
use delivery::{Encoding, Key};

/// The native protocol.
pub const NATIVE: Encoding = Encoding(0);
/// The simple protocol.
pub const SIMPLE: Encoding = Encoding(1);

/// The key of what is published in a room.
pub(super) const fn room_key(room: RoomKey) -> Key {
    Key((room.number() as u64) << 1)
}

/// The key of what every native connection of a user follows.
pub(super) const fn user_key(user: UserKey) -> Key {
    Key(((user.number() as u64) << 1) | 1)
}

/// Whether a key is a room's: the others are users'.
pub(crate) const fn is_room(key: Key) -> bool {
    key.0 & 1 == 0
}
