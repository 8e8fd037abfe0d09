//! The product told as stories: people, devices and scripts on real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on says so by ending")]

mod bad_input;
mod foreign_clients;
mod handing_over;
pub mod handshakes;
mod lossy_wires;
mod pacing;
mod process;
mod raced_connects;
mod reading;
mod removing;
mod restarting;
mod resuming;
pub mod script;
mod simple;
mod simple_crowds;
mod simple_doors;
mod slow_readers;
pub mod support;
mod talking;
pub mod wire;
