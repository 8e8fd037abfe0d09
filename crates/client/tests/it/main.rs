//! The client against a foreign peer that speaks the fixtures, and its pure parts against the shared scenarios.

mod api;
mod coming_back;
mod conversation;
mod outbox;
mod peer;
mod scenarios;
mod simple;
