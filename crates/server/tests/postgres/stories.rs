//! The same people, devices and scripts, on a server whose database is PostgreSQL.

#[path = "../it/stories/bad_input.rs"]
mod bad_input;
#[allow(dead_code, reason = "only some of the stories are told here")]
#[path = "../it/stories/process.rs"]
pub mod process;
#[path = "../it/stories/raced_connects.rs"]
mod raced_connects;
#[path = "../it/stories/reading.rs"]
mod reading;
#[path = "../it/stories/removing.rs"]
mod removing;
#[path = "../it/stories/restarting.rs"]
mod restarting;
#[path = "../it/stories/resuming.rs"]
mod resuming;
#[allow(dead_code, reason = "only some of the stories are told here")]
#[path = "../it/stories/script.rs"]
pub mod script;
#[path = "../it/stories/simple.rs"]
mod simple;
#[allow(dead_code, reason = "only some of the stories are told here")]
#[path = "../it/stories/support.rs"]
pub mod support;
#[path = "../it/stories/talking.rs"]
mod talking;
#[allow(dead_code, reason = "only some of the stories are told here")]
#[path = "../it/stories/wire.rs"]
pub mod wire;
