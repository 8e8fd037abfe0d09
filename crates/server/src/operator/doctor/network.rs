//! What the doctor finds about the settings, and about how the server is reached.

use super::{Finding, Patient};
use crate::config::Guests;
use crate::operator::terminal::time;
use crate::tls::{self, Certificate};
use chat::Clock;
use std::net::IpAddr;
use std::path::Path;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// How long before its end a certificate should have been renewed.
const RENEWED: i64 = 14 * 24 * 60 * 60 * 1_000;
/// Proxies commonly cut connections that are silent for a minute.
const SILENCE: u64 = 60;

pub(super) fn settings(patient: &Patient<'_>) -> Finding {
    let (loaded, config) = (patient.loaded, &patient.loaded.config);
    let mut odd = loaded.notes.clone();
    if config.public_url.is_some() && config.heartbeat.as_secs() >= SILENCE {
        odd.push(format!(
            "heartbeat_s is {}, and proxies often cut what is silent for 60 s",
            config.heartbeat.as_secs()
        ));
    }
    if odd.is_empty() {
        return Finding::ok(format!("The settings are right. Config file: {}.", loaded.file_shown()));
    }
    Finding::warn(odd.join("\n"), "roomful config print --origin shows what counts, and where it stands.")
}

pub(super) fn exposure(patient: &Patient<'_>) -> Finding {
    let config = &patient.loaded.config;
    let is_local = config.listen.ip().is_loopback();
    let is_secure = config.tls_cert.is_some();
    let url_is_secure = config.public_url.as_ref().is_none_or(|url| url.is_secure());
    let behind_a_proxy = config.public_url.is_some() && !config.trusted_proxies.is_empty();
    if !url_is_secure {
        return Finding::warn(
            "public_url begins with http://, so passwords travel where others can read them.",
            "Let the proxy speak TLS, and write https:// into public_url.",
        );
    }
    if !is_local && !is_secure && !behind_a_proxy {
        return Finding::warn(
            format!(
                "The server listens on {} without TLS: passwords travel where others can read them.",
                config.listen
            ),
            "Set tls_cert and tls_key; or listen on 127.0.0.1 behind a proxy that speaks TLS.",
        );
    }
    if config.public_url.is_some() && !is_secure && config.trusted_proxies.is_empty() {
        return Finding::warn(
            "A proxy stands in front and is not trusted: limits take everybody for one address.",
            "Put the proxy's address into trusted_proxies, often [\"127.0.0.1\"].",
        );
    }
    if config.guests == Guests::On && !is_local {
        return Finding::ok("Passwords are safe. Guests are admitted from anywhere (guests = on).");
    }
    Finding::ok("Passwords do not travel where others can read them.")
}

pub(super) fn certificate(patient: &Patient<'_>) -> Finding {
    let config = &patient.loaded.config;
    let (Some(certificate), Some(key)) = (&config.tls_cert, &config.tls_key) else {
        return Finding::ok("The server speaks no TLS itself.");
    };
    if let Err(error) = Certificate::open(certificate, key) {
        return Finding::fail(
            format!("{error:#}."),
            "Put the right files there; a running server keeps the old ones.",
        );
    }
    let host = config.public_url.as_ref().and_then(|url| {
        let host = url.origin().split_once("://")?.1;
        host.parse::<axum::http::uri::Authority>().ok().map(|authority| authority.host().to_owned())
    });
    match read(certificate, host.as_deref()) {
        Ok((starts, ends, fits)) => {
            judge(starts, ends, fits, Clock::system().now(), host.unwrap_or_default())
        }
        Err(error) => Finding::fail(format!("{error:#}."), "Put the right file there."),
    }
}

/// When a certificate begins and ends, in milliseconds since 1970 UTC, and whether it is for `host`.
fn read(certificate: &Path, host: Option<&str>) -> anyhow::Result<(i64, i64, bool)> {
    let chain = tls::chain(certificate)?;
    let (_, parsed) = X509Certificate::from_der(&chain[0]).map_err(|error| {
        anyhow::anyhow!("the certificate {} cannot be read: {error}", certificate.display())
    })?;
    let names = parsed.subject_alternative_name().ok().flatten().map(|names| &names.value.general_names);
    let fits = |host: &str| names.is_some_and(|names| names.iter().any(|name| is_for(name, host)));
    let valid = parsed.validity();
    Ok((valid.not_before.timestamp() * 1_000, valid.not_after.timestamp() * 1_000, host.is_none_or(fits)))
}

fn is_for(name: &GeneralName<'_>, host: &str) -> bool {
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    match (name, address) {
        (GeneralName::DNSName(name), None) => match name.strip_prefix("*.") {
            // A `*` stands for one label, and no more.
            Some(rest) => host.split_once('.').is_some_and(|(_, under)| under.eq_ignore_ascii_case(rest)),
            None => name.eq_ignore_ascii_case(host),
        },
        (GeneralName::IPAddress(bytes), Some(IpAddr::V4(address))) => *bytes == address.octets(),
        (GeneralName::IPAddress(bytes), Some(IpAddr::V6(address))) => *bytes == address.octets(),
        _ => false,
    }
}

fn judge(starts: i64, ends: i64, fits: bool, now: i64, host: String) -> Finding {
    let renew =
        "Renew it, and find out why nothing renewed it in time. The server takes the new files by itself.";
    if now > ends {
        return Finding::fail(format!("The certificate ended at {}.", time(ends)), renew);
    }
    if now < starts {
        let advice = "Look at the clock of this machine first, then at the certificate.";
        return Finding::fail(format!("The certificate begins at {}.", time(starts)), advice);
    }
    if !fits {
        return Finding::fail(
            format!("The certificate is not for {host}, which public_url names: browsers refuse it."),
            "Get one for that name, or correct public_url.",
        );
    }
    let what = format!("The certificate ends at {}.", time(ends));
    if ends - now < RENEWED { Finding::warn(what, renew) } else { Finding::ok(what) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::doctor::Verdict;

    #[test]
    fn a_certificate_is_judged_by_its_days_and_its_names() {
        const DAY: i64 = 24 * 60 * 60 * 1_000;
        let judged = |starts, ends, fits| judge(starts, ends, fits, 100 * DAY, String::new()).verdict;
        assert_eq!(judged(0, 200 * DAY, true), Verdict::Ok);
        assert_eq!(judged(0, 110 * DAY, true), Verdict::Warn);
        assert_eq!(judged(0, 99 * DAY, true), Verdict::Fail);
        assert_eq!(judged(101 * DAY, 200 * DAY, true), Verdict::Fail);
        assert_eq!(judged(0, 200 * DAY, false), Verdict::Fail);
    }

    #[test]
    fn names_fit_as_browsers_judge_them() {
        let dns = |name| GeneralName::DNSName(name);
        for (name, host, fits) in [
            (dns("chat.example"), "Chat.Example", true),
            (dns("*.example"), "chat.example", true),
            (dns("*.example"), "a.chat.example", false),
            (dns("*.example"), "example", false),
            (dns("127.0.0.1"), "127.0.0.1", false),
            (GeneralName::IPAddress(&[127, 0, 0, 1]), "127.0.0.1", true),
        ] {
            assert_eq!(is_for(&name, host), fits, "{name:?} {host}");
        }
    }
}
