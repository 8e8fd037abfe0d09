//! The same stories as in `tests/it`, told on PostgreSQL: a difference is a bug.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by ending")]

mod keeping;
mod losing;

#[path = "../it/accounts.rs"]
mod accounts;
#[path = "../it/consuming.rs"]
mod consuming;
#[path = "../it/invites.rs"]
mod invites;
#[path = "../it/membership.rs"]
mod membership;
#[path = "../it/posting.rs"]
mod posting;
#[path = "../it/reacting.rs"]
mod reacting;
#[path = "../it/reading.rs"]
mod reading;
#[path = "../it/rebuilding.rs"]
mod rebuilding;
#[path = "../it/replaying.rs"]
mod replaying;
#[path = "../it/support.rs"]
mod support;
#[path = "../it/visitors.rs"]
mod visitors;

/// Whether the stories of this program are told on PostgreSQL.
const ON_POSTGRES: bool = true;
