//! `roomful health`: whether the server that uses the data directory is ready, for whatever watches it.

use super::terminal::say;
use crate::config::{Config, Loaded};
use crate::directory::Directory;
use crate::tls;
use anyhow::{Context, Result, anyhow, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, Stream};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// More than this of an answer is not read.
const LONGEST: u64 = 16 * 1024;

pub(super) fn run(loaded: &Loaded) -> Result<()> {
    let directory = Directory::of(&loaded.config)?;
    let address = address(&directory, &loaded.config);
    ask(address, &loaded.config)?;
    say(&format!("The server at {address} is ready."))
}

/// Where the server listens: as it wrote into its lock, or else as the settings say.
pub(super) fn address(directory: &Directory, config: &Config) -> SocketAddr {
    let signed = directory.signed().and_then(|text| text.trim().rsplit(' ').next()?.parse().ok());
    let mut address: SocketAddr = signed.unwrap_or(config.listen);
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

/// Asks a server whether it is ready.
///
/// # Errors
/// When nobody answers in time, or the answer is no.
pub(super) fn ask(address: SocketAddr, config: &Config) -> Result<()> {
    let nobody = || format!("no server answers at {address}");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(nobody)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let status = match &config.tls_cert {
        None => status(&mut stream, address),
        Some(certificate) => {
            let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(OurOwn(tls::chain(certificate)?)))
                .with_no_client_auth();
            let name = ServerName::IpAddress(address.ip().into());
            let mut tls = ClientConnection::new(Arc::new(client), name)?;
            status(&mut Stream::new(&mut tls, &mut stream), address)
        }
    };
    match status.with_context(nobody)? {
        (200, _) => Ok(()),
        (503, Some(why)) => bail!("the server at {address} is not ready: {}", why.trim_end_matches('.')),
        (503, None) => bail!("the server at {address} is not ready"),
        (status, _) => bail!("the server at {address} answers {status} where Roomful would answer 200"),
    }
}

/// The status, and the message of the error that came with it.
fn status(stream: &mut (impl Read + Write), address: SocketAddr) -> Result<(u16, Option<String>)> {
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    // `HTTP/1.1 200`
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let status = std::str::from_utf8(&head).ok().and_then(|head| head.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| anyhow!("what answers is no web server"))?;
    let mut rest = Vec::new();
    // Without it the status still counts.
    let _ = stream.take(LONGEST).read_to_end(&mut rest);
    Ok((status, message(&rest)))
}

fn message(rest: &[u8]) -> Option<String> {
    let body = rest.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    Some(serde_json::from_slice::<protocol::Error>(&rest[body..]).ok()?.message)
}

/// Trusts the certificate that the server is set to show, whatever name it is for, and no other. A server that has not
/// read a new one yet shows the old one for a second.
#[derive(Debug)]
struct OurOwn(Vec<CertificateDer<'static>>);

fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

impl ServerCertVerifier for OurOwn {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.0.first().is_some_and(|ours| ours == shown) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General("it shows another certificate than tls_cert".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
