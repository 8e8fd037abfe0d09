//! What breaks Roomful on purpose: points at which a process can be made to die, the twelve bugs that the fault
//! harness must catch, and a disk that fails. Must not know any crate of ours. Without its feature `armed`, as in
//! every release, it reads nothing, counts nothing, and gives each question a constant answer.

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
