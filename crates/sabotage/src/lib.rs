//! What breaks Roomful on purpose: the points where a process can be made to die, the twelve bugs that the fault harness
//! must catch, and the disk that fails. Must not know any crate of ours. Built without its feature `armed`, as in every
//! release, nothing is read, nothing is counted, and each question has a constant answer.

mod bug;
mod clock;
mod disk;
mod point;

pub use bug::{Bug, has};
pub use clock::ahead_ms;
pub use disk::mount;
pub use point::{Point, pass};

/// Whether this build can be broken on purpose.
pub const ARMED: bool = cfg!(feature = "armed");
