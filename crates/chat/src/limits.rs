//! How much there may be of what people make.

/// The most rooms that an account is in: each is read and sent whenever they connect.
pub const ROOMS: u64 = 1_000;
/// The most rooms that a guest is in, of whom anybody may have any number.
pub const ROOMS_OF_GUEST: u64 = 100;
/// The name of the room that everybody is in from the start.
pub const LOBBY: &str = "lobby";
/// More missed events than this are not sent one by one: the client starts afresh from the newest page.
pub const RESUME_EVENTS: u64 = 1_000;
