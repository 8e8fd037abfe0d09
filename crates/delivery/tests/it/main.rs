//! Stories about delivery, told over real sockets with a foreign WebSocket client.

mod beating;
mod catching_up;
mod closing;
mod compressing;
mod following;
mod handshake;
mod milestones;
mod reading;
mod resuming;
mod slow_readers;
mod support;
