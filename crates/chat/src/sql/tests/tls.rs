//! TLS with PostgreSQL, and whom it makes out to be the server.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::PathBuf;
use testbed::Server;

/// A server with a certificate for `localhost`, its port, and the file of those who vouch for it.
fn with_certificate() -> (Server, u16, PathBuf) {
    let mut authority = CertificateParams::new([]).expect("an authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let certificate = certificate.signed_by(&key, &authority).expect("a certificate");
    let mut server = Server::temporary().expect("a server");
    let file = |name: &str, content: &str| server.file(name, content).expect("a file");
    let trusted = file("authority.pem", &authority.pem());
    for (setting, path) in [
        ("ssl_cert_file", file("certificate.pem", &certificate.pem())),
        ("ssl_key_file", file("key.pem", &key.serialize_pem())),
    ] {
        server.run(&format!("alter system set {setting} = '{}'", path.display())).expect("a setting");
    }
    server.run("alter system set ssl = on").expect("a setting");
    let port = server.listen().expect("a port");
    (server, port, trusted)
}

fn is_encrypted(url: &str) -> bool {
    let session = Postgres::connect(url).expect("a session");
    let text = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    Sql::from(&session).one(text, &[], |row| row.get("ssl")).expect("an answer").expect("a row")
}

#[test]
fn a_server_that_must_prove_who_it_is_does_or_is_refused() {
    let (_server, port, trusted) = with_certificate();
    let url = |host: &str, query: &str| format!("postgres://roomful@{host}:{port}/postgres?{query}");
    let trusted = trusted.to_string_lossy().replace('/', "%2F");
    for mode in ["require", "verify-full"] {
        assert!(is_encrypted(&url("localhost", &format!("sslmode={mode}&sslrootcert={trusted}"))));
    }
    // Where nothing is asked for, what the server offers is taken.
    assert!(is_encrypted(&url("127.0.0.1", "connect_timeout=10")));
    assert!(!is_encrypted(&url("127.0.0.1", "sslmode=disable")));
    // Not for this name, and by nobody that the system knows.
    for url in [
        url("127.0.0.1", &format!("sslmode=require&sslrootcert={trusted}")),
        url("localhost", "sslmode=require"),
    ] {
        let refused = Postgres::connect(&url).err().expect("a stranger");
        assert!(matches!(&refused, SqlError::Unfit(what) if what.contains("certificate")), "{refused}");
    }
    let missing = Postgres::connect(&url("localhost", "sslmode=require&sslrootcert=%2Fnot-there.pem")).err();
    assert!(matches!(missing, Some(SqlError::Address(_))), "{:?}", missing.map(|error| error.to_string()));
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let mut server = Server::temporary().expect("a server");
    let port = server.listen().expect("a port");
    assert!(!is_encrypted(&format!("postgres://roomful@127.0.0.1:{port}/postgres")));
    let refused = Postgres::connect(&format!("postgres://roomful@127.0.0.1:{port}/postgres?sslmode=require"));
    assert!(refused.err().expect("no TLS").to_string().contains("TLS"));
}
