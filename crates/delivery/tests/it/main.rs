//! Stories about delivery, told over real sockets with a foreign WebSocket client.

#![expect(clippy::duplicate_mod, reason = "stories are told twice, over TCP and over TLS")]

mod allowances;
mod bad_input;
mod beating;
mod catching_up;
mod closing;
mod compressing;
mod following;
mod handshake;
mod line;
mod milestones;
mod over_tls;
mod reading;
mod resuming;
mod slow_readers;
mod support;
