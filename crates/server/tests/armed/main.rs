//! A server that was built to be broken, as it breaks: what it promised before it did is there afterwards.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by ending")]

mod broken;
mod bugs;
mod process;
