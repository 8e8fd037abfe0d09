//! What the doors promise about guests, origins, addresses and attempts.

use super::*;
use axum::http::{HeaderName, HeaderValue};

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
        !doors.admits_guest(&headers(&[("host", "chat.example"), ("origin", "https://evil.example")]), far)
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
