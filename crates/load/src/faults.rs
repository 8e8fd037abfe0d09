//! Faults on purpose: a real server, people over real sockets, and something that breaks under them. Whatever was
//! acknowledged must be there afterwards, once, in order, and only for those who may see it.
//!
//! A round is one data directory: people talk while faults come, the faults stop, everybody comes to agree, and then
//! the [`verdict`] judges what each of them has in the [`journal`] against the log. All chance comes from one seed.

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
mod proxy;
mod round;
mod verdict;
mod victim;

pub use arguments::FaultArguments;
pub use campaign::run as run_faults;
