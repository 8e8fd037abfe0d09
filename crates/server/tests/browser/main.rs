//! What people see, told by the real binary and real browsers: every story runs `roomful` on a data directory of its
//! own and drives Debian's Chromium. `scripts/test` installs what this needs.
//!
//! Every test asks for a runtime of several threads: a browser that is dropped waits for chromedriver's goodbye, which a
//! runtime of one thread would not hear while it waits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by ending")]

mod account;
mod axe;
mod chromedriver;
mod person;
mod server;

mod accessibility;
mod coming_in;
mod figures;
mod injection;
mod keyboard;
mod losing;
mod phone;
mod picture;
mod reacting;
mod reading;
mod talking;
mod theme;
