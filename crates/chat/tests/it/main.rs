//! Stories about the product, told without a network.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by ending")]

mod accounts;
mod checking;
mod damage;
mod folding;
mod invites;
mod keeping;
mod membership;
mod posting;
mod reading;
mod replaying;
mod support;
mod visitors;
mod wal;
