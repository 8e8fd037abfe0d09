//! The doors: which requests may bring in a guest, which come from our own pages, from which address they really come, and
//! how often an address may try.

#[cfg(test)]
mod door_tests;
mod machine;

pub(crate) use machine::{host, is_at_this_machine};

use crate::config::{Config, Guests, PublicUrl, without_default_port};
use axum::http::HeaderMap;
use axum::http::header::ORIGIN;
use governor::clock::{Clock, MonotonicClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;
use machine::{is_forwarded, is_loopback, is_loopback_host};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Seconds' worth of requests that may come at once.
const BURST: u32 = 10;

type Rate = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, MonotonicClock>;

/// What `Origin` says of where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginVerdict {
    /// Nothing: no browser, or one that had no reason to say.
    Absent,
    /// From our own pages.
    Ours,
    /// From somebody else's page.
    Foreign,
}

/// Decides about requests before the server looks at what they ask for.
pub struct Doors {
    guests: Guests,
    listener: SocketAddr,
    tls: bool,
    public_url: Option<PublicUrl>,
    trusted_proxies: Vec<IpNet>,
    attempts: Rate,
    requests: Rate,
    warned: AtomicBool,
}

impl Doors {
    /// The doors of a server that listens at `listener`.
    pub fn new(config: &Config, listener: SocketAddr) -> Self {
        let a_second = config.limits.requests_per_second;
        let at_once = a_second.saturating_mul(NonZero::new(BURST).unwrap_or(NonZero::<u32>::MIN));
        Self {
            guests: config.guests,
            listener,
            tls: config.tls_cert.is_some(),
            public_url: config.public_url.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
            attempts: rate(Quota::per_minute(config.limits.attempts_per_minute)),
            requests: rate(Quota::per_second(a_second).allow_burst(at_once)),
            warned: AtomicBool::new(false),
        }
    }

    /// Whether the client that sends a request may come in as a guest.
    pub fn admits_guest(&self, headers: &HeaderMap, peer: SocketAddr) -> bool {
        match self.guests {
            Guests::Off => false,
            Guests::On => self.origin_is_ours(headers, peer) != OriginVerdict::Foreign,
            Guests::Auto => {
                self.public_url.is_none()
                    && is_loopback(self.listener.ip())
                    && is_loopback(peer.ip())
                    && host(headers).is_some_and(is_loopback_host)
                    && !is_forwarded(headers)
                    && self.origin_is_ours(headers, peer) != OriginVerdict::Foreign
            }
        }
    }

    /// Who is admitted as a guest and why, for people.
    pub fn guests_shown(&self) -> &'static str {
        match self.guests {
            Guests::On => "admitted (guests = on)",
            Guests::Off => "not admitted (guests = off)",
            Guests::Auto if self.public_url.is_some() => {
                "not admitted (guests = auto, and public_url is set)"
            }
            Guests::Auto if !is_loopback(self.listener.ip()) => {
                "not admitted (guests = auto, and the server listens beyond this machine)"
            }
            Guests::Auto => "admitted from this machine only (guests = auto)",
        }
    }

    /// Whether a request comes from our own pages: those under `public_url`, or without one those under the `Host` that
    /// was asked for, by the scheme that was spoken.
    pub fn origin_is_ours(&self, headers: &HeaderMap, peer: SocketAddr) -> OriginVerdict {
        let mut origins = headers.get_all(ORIGIN).into_iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else {
            return if headers.contains_key(ORIGIN) { OriginVerdict::Foreign } else { OriginVerdict::Absent };
        };
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        let ours = match &self.public_url {
            Some(url) => origin == url.origin(),
            None => origin.split_once("://").is_some_and(|(scheme, authority)| {
                scheme == self.scheme(headers, peer)
                    && host(headers).is_some_and(|host| without_default_port(scheme, host) == authority)
            }),
        };
        if ours { OriginVerdict::Ours } else { OriginVerdict::Foreign }
    }

    /// By which scheme the browser asked: ours, or the one that a trusted proxy says was spoken with it.
    fn scheme(&self, headers: &HeaderMap, peer: SocketAddr) -> &'static str {
        let said = headers.get(X_FORWARDED_PROTO).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let proxied = said.eq_ignore_ascii_case("https") && self.trusts(peer.ip().to_canonical());
        if self.tls || proxied { "https" } else { "http" }
    }

    /// The address a request comes from: the peer's, or behind trusted proxies the last one they vouch for.
    pub fn client_address(&self, headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
        let mut address = peer.ip().to_canonical();
        if !self.trusts(address) {
            self.warn_once(headers, address);
            return address;
        }
        let values = headers.get_all(X_FORWARDED_FOR).into_iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        for hop in hops.into_iter().rev() {
            let Ok(next) = hop.parse::<IpAddr>() else { break };
            address = next.to_canonical();
            if !self.trusts(address) {
                break;
            }
        }
        address
    }

    /// Counts an attempt to get in. Somebody at this machine may try as often as they like.
    ///
    /// # Errors
    /// How long to wait after too many.
    pub fn try_door(&self, headers: &HeaderMap, peer: SocketAddr) -> Result<(), Duration> {
        self.check(&self.attempts, headers, peer)
    }

    /// Counts a request. Somebody at this machine may ask as often as they like.
    ///
    /// # Errors
    /// How long to wait after too many.
    pub fn try_request(&self, headers: &HeaderMap, peer: SocketAddr) -> Result<(), Duration> {
        self.check(&self.requests, headers, peer)
    }

    fn check(&self, rate: &Rate, headers: &HeaderMap, peer: SocketAddr) -> Result<(), Duration> {
        if is_at_this_machine(headers, peer) {
            return Ok(());
        }
        let address = self.counted_address(headers, peer);
        rate.check_key(&address).map_err(|not_until| not_until.wait_time_from(MonotonicClock.now()))
    }

    /// What counts as one address of the client that sends a request.
    pub fn counted_address(&self, headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
        network_of(self.client_address(headers, peer))
    }

    /// What counts as one address of a peer; none for a peer that may be a proxy.
    pub fn counted_peer(&self, peer: SocketAddr) -> Option<IpAddr> {
        let address = peer.ip().to_canonical();
        (!address.is_loopback() && !self.trusts(address)).then(|| network_of(address))
    }

    /// Forgets addresses that could try again anyway.
    pub fn forget(&self) {
        for rate in [&self.attempts, &self.requests] {
            rate.retain_recent();
            rate.shrink_to_fit();
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    fn warn_once(&self, headers: &HeaderMap, peer: IpAddr) {
        if headers.contains_key(X_FORWARDED_FOR) && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(%peer, "a proxy says where requests come from, but is not in trusted_proxies");
        }
    }
}

fn rate(quota: Quota) -> Rate {
    RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock)
}

/// What counts as one address: of IPv6 a whole /64, since a client with one address of it has all of them.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => IpAddr::V6(Ipv6Addr::from_bits(long.to_bits() & !u128::from(u64::MAX))),
    }
}
