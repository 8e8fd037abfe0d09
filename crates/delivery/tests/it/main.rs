//! Stories about delivery, told over real sockets with a foreign WebSocket client.

mod bad_input;
mod beating;
mod catching_up;
mod closing;
mod compressing;
mod following;
mod handshake;
mod reading;
mod resuming;
mod slow_readers;
mod support;
