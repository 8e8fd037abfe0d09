//! Faults on purpose: a real server, people over real sockets, and something that breaks under them. What was
//! acknowledged must be there afterwards, once, in order, and only for users who may see it.
//!
//! A round is one data directory. People talk while faults come; then the faults stop and everybody comes to agree.
//! Then the [`verdict`] compares each [`journal`], which holds what one person did and saw, with the log. One seed
//! decides all chance.

mod arguments;
mod bugs;
mod campaign;
mod community;
mod injection;
mod journal;
mod kind;
mod page;
mod person;
mod phases;
mod postgres;
mod proxy;
mod round;
mod verdict;
mod victim;

pub use arguments::FaultArguments;
pub use campaign::run as run_faults;
