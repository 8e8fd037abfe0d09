//! How much of the server one may use.

use std::num::NonZero;
use std::time::Duration;

/// Bounds on what comes from outside. To a client at this machine that comes without a proxy, only `connections`,
/// `handshake` and `header_bytes` apply.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a TLS handshake and the head of a request may take, and a connection idle between requests.
    pub handshake: Duration,
    /// The head of a request, in bytes.
    pub header_bytes: u32,
    /// Connections at once; 0 means as many as the system lets the process open files.
    pub connections: u32,
    /// Connections at once from one address.
    pub connections_per_address: u32,
    /// WebSockets at once of one user.
    pub connections_per_user: u32,
    /// Frames a second on one WebSocket; ten seconds' worth may come at once.
    pub frames_per_second: NonZero<u32>,
    /// Bytes a second on one WebSocket; ten seconds' worth may come at once.
    pub bytes_per_second: NonZero<u32>,
    /// Requests a second from one address; ten seconds' worth may come at once.
    pub requests_per_second: NonZero<u32>,
    /// Attempts to get in, from one address, a minute.
    pub attempts_per_minute: NonZero<u32>,
}

const fn at_least_one(number: u32) -> NonZero<u32> {
    match NonZero::new(number) {
        Some(number) => number,
        None => NonZero::<u32>::MIN,
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            header_bytes: 16 * 1024,
            connections: 0,
            connections_per_address: 500,
            connections_per_user: 100,
            frames_per_second: at_least_one(100),
            bytes_per_second: at_least_one(256 * 1024),
            requests_per_second: at_least_one(50),
            attempts_per_minute: at_least_one(10),
        }
    }
}
