//! Stories about the product, told without a network, on an embedded database.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by ending")]

mod accounts;
mod checking;
mod consuming;
mod damage;
mod file;
mod invites;
mod keeping;
mod membership;
mod posting;
mod reacting;
mod reading;
mod rebuilding;
mod replaying;
mod support;
mod visitors;
mod wal;

/// Whether the stories of this program are told on PostgreSQL.
const ON_POSTGRES: bool = false;
