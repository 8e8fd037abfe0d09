//! The doors: who may come in as a guest, whose origin is ours, where a request really comes from, and how often
//! somebody may try.

use crate::config::{Config, Guests, PublicUrl, without_default_port};
use axum::http::header::{FORWARDED, HOST, ORIGIN, VIA};
use axum::http::{HeaderMap, HeaderName};
use governor::clock::{Clock, MonotonicClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_PROTO: &str = "x-forwarded-proto";
/// What proxies add: with any of these a loopback peer is not somebody at this machine.
const FORWARDING: [HeaderName; 3] = [FORWARDED, VIA, HeaderName::from_static("x-real-ip")];
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

/// Decides about requests before anybody looks at what they ask for.
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

    /// Whether whoever sends a request may come in as a guest.
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

    /// What counts as one address of whoever sends a request.
    pub fn counted_address(&self, headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
        network_of(self.client_address(headers, peer))
    }

    /// What counts as one address of a peer who is known to be no proxy; none for one that may be.
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

/// Whether a request comes from this machine itself: limits are for everybody else.
pub(crate) fn is_at_this_machine(headers: &HeaderMap, peer: SocketAddr) -> bool {
    is_loopback(peer.ip()) && !is_forwarded(headers)
}

/// Whether some proxy has left its mark.
fn is_forwarded(headers: &HeaderMap) -> bool {
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

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether a `Host` names this machine. Any other name might be somebody's who lets it point here (DNS rebinding).
fn is_loopback_host(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return is_loopback(address.ip());
    }
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(is_loopback)
}

/// Whoever has one IPv6 address has a whole /64 of them.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => IpAddr::V6(Ipv6Addr::from_bits(long.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 3000);

    fn doors(change: impl FnOnce(&mut Config)) -> Doors {
        let mut config = Config::default();
        change(&mut config);
        Doors::new(&config, HERE)
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn peer(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 40_000)
    }

    #[test]
    fn a_guest_at_this_machine_is_admitted() {
        let doors = doors(|_| {});
        for host in ["localhost:3000", "127.0.0.1:3000", "[::1]:3000", "LOCALHOST", "127.8.9.1", "[::1]"] {
            assert!(doors.admits_guest(&headers(&[("host", host)]), HERE), "{host}");
        }
        let from_our_page = headers(&[("host", "localhost:3000"), ("origin", "http://localhost:3000")]);
        assert!(doors.admits_guest(&from_our_page, HERE));
    }

    #[test]
    fn a_guest_is_refused_behind_a_proxy_on_another_name_or_from_another_page() {
        let doors = doors(|_| {});
        for more in [
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", "localhost"),
            ("via", "1.1 proxy"),
            ("origin", "http://localhost:3001"),
            ("origin", "null"),
        ] {
            assert!(!doors.admits_guest(&headers(&[("host", "localhost:3000"), more]), HERE), "{more:?}");
        }
        for host in ["chat.example", "localhost.evil.example", "127.0.0.1.evil.example:3000", ""] {
            assert!(!doors.admits_guest(&headers(&[("host", host)]), HERE), "{host}");
        }
        assert!(!doors.admits_guest(&headers(&[("host", "localhost")]), peer("192.0.2.1")));
        assert!(!doors.admits_guest(&HeaderMap::new(), HERE));
    }

    #[test]
    fn guests_auto_means_nobody_once_there_is_a_public_url() {
        let doors = doors(|config| config.public_url = Some("https://chat.example".parse().unwrap()));
        assert!(!doors.admits_guest(&headers(&[("host", "localhost:3000")]), HERE));
    }

    #[test]
    fn with_guests_on_only_a_foreign_page_is_refused() {
        let doors = doors(|config| config.guests = Guests::On);
        let far = peer("192.0.2.1");
        assert!(doors.admits_guest(&headers(&[("host", "chat.example"), ("via", "x")]), far));
        assert!(
            !doors
                .admits_guest(&headers(&[("host", "chat.example"), ("origin", "https://evil.example")]), far)
        );
    }

    #[test]
    fn the_origin_is_compared_with_the_public_url_or_the_host() {
        let verdict = |doors: &Doors, pairs: &[_]| doors.origin_is_ours(&headers(pairs), peer("10.0.0.8"));
        let plain = doors(|_| {});
        assert_eq!(verdict(&plain, &[("host", "a.example")]), OriginVerdict::Absent);
        assert_eq!(
            verdict(&plain, &[("host", "A.example:80"), ("origin", "http://a.example")]),
            OriginVerdict::Ours
        );
        assert_eq!(
            verdict(&plain, &[("host", "a.example"), ("origin", "http://b.example")]),
            OriginVerdict::Foreign
        );
        assert_eq!(
            verdict(&plain, &[("host", "a.example"), ("origin", "ftp://a.example")]),
            OriginVerdict::Foreign
        );
        let public = doors(|config| config.public_url = Some("https://Chat.example:443/".parse().unwrap()));
        let pairs = [("host", "127.0.0.1:3000"), ("origin", "https://chat.example")];
        assert_eq!(verdict(&public, &pairs), OriginVerdict::Ours);
        let pairs = [("host", "chat.example"), ("origin", "http://chat.example")];
        assert_eq!(verdict(&public, &pairs), OriginVerdict::Foreign);
    }

    #[test]
    fn https_is_our_scheme_only_where_it_is_spoken() {
        let page = [("host", "a.example"), ("origin", "https://a.example")];
        let proxied = [page[0], page[1], ("x-forwarded-proto", "https")];
        let verdict = |doors: &Doors, pairs: &[_]| doors.origin_is_ours(&headers(pairs), peer("10.0.0.8"));
        assert_eq!(verdict(&doors(|_| {}), &page), OriginVerdict::Foreign);
        assert_eq!(verdict(&doors(|_| {}), &proxied), OriginVerdict::Foreign, "nobody trusts this proxy");
        let trusting = doors(|config| config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(verdict(&trusting, &page), OriginVerdict::Foreign);
        assert_eq!(verdict(&trusting, &proxied), OriginVerdict::Ours);
        let tls = doors(|config| config.tls_cert = Some("cert.pem".into()));
        assert_eq!(verdict(&tls, &page), OriginVerdict::Ours);
        let plain = [page[0], ("origin", "http://a.example")];
        assert_eq!(verdict(&tls, &plain), OriginVerdict::Foreign);
    }

    #[test]
    fn an_address_is_believed_only_from_a_trusted_proxy() {
        let proxied = headers(&[("x-forwarded-for", "6.6.6.6, 192.0.2.9, 10.0.0.7")]);
        let plain = doors(|_| {});
        assert_eq!(plain.client_address(&proxied, peer("10.0.0.8")), peer("10.0.0.8").ip());
        let trusting = doors(|config| config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(trusting.client_address(&proxied, peer("10.0.0.8")), peer("192.0.2.9").ip());
        assert_eq!(trusting.client_address(&proxied, peer("::ffff:10.0.0.8")), peer("192.0.2.9").ip());
        assert_eq!(trusting.client_address(&proxied, peer("203.0.113.1")), peer("203.0.113.1").ip());
        let nonsense = headers(&[("x-forwarded-for", "6.6.6.6, unknown")]);
        assert_eq!(trusting.client_address(&nonsense, peer("10.0.0.8")), peer("10.0.0.8").ip());
    }

    #[test]
    fn an_address_has_ten_attempts_a_minute_and_a_neighbour_has_their_own() {
        let doors = doors(|_| {});
        let none = HeaderMap::new();
        for _ in 0..10 {
            assert!(doors.try_door(&none, peer("2001:db8::1")).is_ok());
        }
        assert!(doors.try_door(&none, peer("2001:db8::2")).is_err(), "the same /64");
        assert!(doors.try_door(&none, peer("192.0.2.1")).is_ok());
    }

    #[test]
    fn somebody_at_this_machine_may_try_for_ever() {
        let doors = doors(|_| {});
        assert!((0..50).all(|_| doors.try_door(&HeaderMap::new(), HERE).is_ok()));
        let proxied = headers(&[("x-forwarded-for", "192.0.2.1")]);
        assert_eq!((0..50).filter(|_| doors.try_door(&proxied, HERE).is_ok()).count(), 10);
    }
}
