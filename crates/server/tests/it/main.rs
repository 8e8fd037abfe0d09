//! What the server promises to whoever reaches it, told over real sockets.

mod authorisation;
mod backups;
mod config;
mod doctor;
mod doors;
mod drain;
mod http_errors;
mod http_page;
mod http_rooms;
mod http_sessions;
mod limits;
mod load;
mod openapi;
mod operator;
mod setup;
mod stories;
mod support;
mod tls;
mod tunnel;

/// Whether the stories of this program are told on PostgreSQL.
const ON_POSTGRES: bool = false;
