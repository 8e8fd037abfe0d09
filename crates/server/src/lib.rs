//! How Roomful is reached: HTTP, WebSocket gateways, the web client's files, settings, and the command line.
//!
//! This crate alone knows both what happens (`chat`) and how it reaches every socket (`delivery`).
//!
//! Must not know: SQL, product rules. A handler parses, calls `chat`, answers.

pub mod activation;
pub mod app;
mod archive;
pub mod assets;
pub mod claim;
mod complaint;
pub mod config;
pub mod directory;
mod door;
pub mod doors;
pub mod gateway;
pub mod handover;
pub mod http;
mod listener;
pub mod live;
pub mod logging;
pub mod openapi;
pub mod operator;
mod owners;
pub mod pacing;
mod refusal;
pub mod seats;
pub mod serve;
pub mod setup;
mod thrift;
pub mod tls;
