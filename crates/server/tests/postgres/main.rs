//! The stories of `tests/it` that are about what is kept, told on PostgreSQL: a difference is a bug. And what only a server
//! on PostgreSQL promises.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by ending")]

mod away;
mod operating;
mod stories;

#[path = "../it/http_rooms.rs"]
mod http_rooms;
#[path = "../it/http_sessions.rs"]
mod http_sessions;
#[allow(dead_code, reason = "only some of the stories are told here")]
#[path = "../it/support.rs"]
mod support;
#[allow(dead_code, reason = "only some of the stories are told here")]
#[path = "../it/tunnel.rs"]
mod tunnel;

/// Whether the stories of this program are told on PostgreSQL.
const ON_POSTGRES: bool = true;
