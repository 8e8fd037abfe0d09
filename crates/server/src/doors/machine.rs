//! Whether a client is at this machine, as far as its request tells.

use axum::http::header::{FORWARDED, HOST, VIA};
use axum::http::{HeaderMap, HeaderName};
use std::net::{IpAddr, SocketAddr};

/// Headers that proxies add. A request with one of these comes from elsewhere, even if its peer is at this machine.
const FORWARDING: [HeaderName; 3] = [FORWARDED, VIA, HeaderName::from_static("x-real-ip")];

/// Whether a request comes from this machine itself: limits are for everybody else.
pub(crate) fn is_at_this_machine(headers: &HeaderMap, peer: SocketAddr) -> bool {
    is_loopback(peer.ip()) && !is_forwarded(headers)
}

/// Whether some proxy has left its mark.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| FORWARDING.contains(name) || name.as_str().starts_with("x-forwarded-"))
}

/// The `Host` that was asked for, if it is clear which.
pub(crate) fn host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).into_iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether a `Host` names this machine. The owner of any other name might let it point here (DNS rebinding).
pub(super) fn is_loopback_host(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return is_loopback(address.ip());
    }
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(is_loopback)
}
