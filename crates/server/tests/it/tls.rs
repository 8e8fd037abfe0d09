//! TLS: both protocols through it, certificates that change, and what is said to those who come without.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use crate::stories::script::Script;
use crate::stories::support::{client, everyone_agrees, in_time, options, room};
use crate::support::{Ask, PASSWORD, Server};
use crate::tunnel::{Pair, connect};
use chat::Clock;
use client::{Address, Api, Client, ConnectError, Simple};
use protocol::Role;
use protocol::simple::SimpleFrame;
use rustls::pki_types::CertificateDer;
use serde_json::json;
use server::config::{Config, Sources};
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use tempfile::TempDir;

#[tokio::test]
async fn both_protocols_meet_in_the_same_room_over_tls() {
    let server = Server::start_over_tls().await;
    let ana = client(&server.ana().await).await;
    let mut dot = Script::in_room(&server, "lobby", "Dot").await;
    let lobby = room(&ana, "lobby");

    ana.post(lobby, "hello from the app").await.unwrap();
    dot.hears_of("hello from the app").await;
    dot.chat("hello from a script").await;
    ana.hears("hello from a script").await.unwrap();

    everyone_agrees(&server, &[&ana]).await;
}

/// Somebody's client, straight to a server over TLS, and signed in over it.
async fn encrypted(address: &Address, name: &str) -> Client {
    let token = Api::new(address).sign_in(name, PASSWORD).await.unwrap().token.unwrap();
    Client::connect_with(address, token, options()).await.unwrap()
}

#[tokio::test]
async fn ana_and_ben_talk_over_wss_with_a_server_whose_certificate_they_were_given() {
    let server = Server::start_over_tls().await;
    for (name, role) in [("Ana", Role::Owner), ("Ben", Role::Member)] {
        server.running.app().chat.add_user(name, PASSWORD, role).await.unwrap();
    }
    let (port, file) = (server.running.address().port(), server.data.path().join("cert.pem"));
    // By the name in it, and by another, under which only a certificate that was given itself is believed.
    let [by_name, by_number] = [format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}")]
        .map(|address| Address::from(address).trusting(&file).unwrap());

    let (ana, ben) = (encrypted(&by_name, "Ana").await, encrypted(&by_number, "Ben").await);
    let lobby = room(&ana, "lobby");
    ana.post(lobby, "nobody listens in").await.unwrap();
    ben.hears("nobody listens in").await.unwrap();
    ben.disconnect().await;
    ana.post(lobby, "while you were away").await.unwrap();
    ben.reconnect().await.unwrap();
    ben.hears("while you were away").await.unwrap();
    let mut dot = Simple::connect_to(&by_name, "/ws/lobby?username=Dot", None).await.unwrap();
    in_time("the welcome", dot.until(|frame| matches!(frame, SimpleFrame::Welcome { .. }))).await.unwrap();
    ben.post(lobby, "hello, script").await.unwrap();
    assert!(in_time("the chat", dot.hears("hello, script")).await);

    everyone_agrees(&server, &[&ana, &ben]).await;
}

#[tokio::test]
async fn a_server_that_shows_another_certificate_is_not_believed() {
    let server = Server::start_over_tls().await;
    let folder = TempDir::new().unwrap();
    let strange = Pair::made_in(folder.path());
    let address = Address::from(format!("https://localhost:{}", server.running.address().port()));
    let believes = async |address: Address| match Client::connect(address, "token").await {
        Ok(_) => true,
        Err(ConnectError::Unreachable(error)) => !error.to_string().contains("certificate"),
        Err(_) => true,
    };

    assert!(!believes(address.clone().trusting(&strange.certificate).unwrap()).await);
    assert!(believes(address.clone().trusting(&server.data.path().join("cert.pem")).unwrap()).await);
    assert!(address.clone().trusting(&strange.key).is_err() && address.trusting(folder.path()).is_err());
}

#[tokio::test]
async fn over_tls_cookies_and_origins_are_https() {
    let server = Server::start_over_tls().await;
    server.running.app().chat.add_user("Ben", PASSWORD, Role::Member).await.unwrap();
    let host = server.address();
    let sign_in = |origin: String| {
        let ask = server.ask("POST", "/api/v1/session").header("origin", &origin);
        async move { ask.json(&json!({ "name": "Ben", "password": PASSWORD })).await }
    };

    let signed_in = sign_in(format!("https://{host}")).await;
    let cookie = signed_in.header("set-cookie");
    assert!(cookie.starts_with("__Host-roomful=") && cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(sign_in(format!("http://{host}")).await.refused(403), "forbidden");

    let loaded = Sources::default().load().unwrap();
    let address = format!("https://{}", server.running.address());
    assert!(server.running.banner(&loaded).contains(&address));
}

#[tokio::test]
async fn plain_http_at_a_tls_port_is_led_or_told_where_to_go() {
    let server = Server::start_over_tls().await;
    let plain = server.running.address();

    let page = Ask::new(plain, "GET", "/rooms?a=b").header("host", "chat.example").send().await;
    assert_eq!((page.status.as_u16(), page.header("location")), (308, "https://chat.example/rooms?a=b"));
    let post = Ask::new(plain, "POST", "/api/v1/session").json(&json!({})).await;
    assert_eq!(post.refused(400), "bad_request");
    let socket = Ask::new(plain, "GET", "/ws").header("connection", "upgrade").header("upgrade", "websocket");
    let socket = socket.send().await;
    assert_eq!(socket.refused(400), "bad_request");
    assert!(socket.text().contains("wss://"));
}

/// The certificate that a new connection is shown.
async fn shown(server: SocketAddr, trusted: &[CertificateDer<'static>]) -> CertificateDer<'static> {
    let stream = connect(server, trusted).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

async fn comes_to_show(server: SocketAddr, old: &CertificateDer<'static>, new: &CertificateDer<'static>) {
    let both = [old.clone(), new.clone()];
    in_time("the new certificate", async {
        while shown(server, &both).await != *new {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_the_old_ones_live_on() {
    let server = Server::start_over_tls().await;
    let folder = server.data.path();
    let pair = Pair { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    let (ana, ben) = (client(&server.ana().await).await, client(&server.ben().await).await);
    let first = pair.shown();

    pair.renew();
    comes_to_show(server.running.address(), &first, &pair.shown()).await;

    ana.post(room(&ana, "lobby"), "still here").await.unwrap();
    ben.hears("still here").await.unwrap();
    let hellos = ben.recorded().iter().filter(|text| text.contains("\"type\":\"hello\"")).count();
    assert_eq!(hellos, 1, "nobody had to come back");
}

/// What stands in the way of a start with these files.
async fn fault(change: impl FnOnce(&Pair)) -> String {
    let data = TempDir::new().unwrap();
    let pair = Pair::made_in(data.path());
    change(&pair);
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: data.path().join("data"),
        tls_cert: Some(pair.certificate),
        tls_key: Some(pair.key),
        ..Config::default()
    };
    match server::serve::Server::start(&config, Clock::system()).await {
        Ok(_) => "it started".to_owned(),
        Err(error) => format!("{error:#}").replace(&data.path().display().to_string(), ""),
    }
}

#[tokio::test]
async fn files_that_are_no_certificate_are_refused_at_the_start_by_name() {
    let missing = fault(|pair| fs::remove_file(&pair.certificate).unwrap()).await;
    assert!(missing.starts_with("the certificate /cert.pem: No such file"), "{missing}");
    let garbage = fault(|pair| fs::write(&pair.certificate, "garbage").unwrap()).await;
    assert_eq!(garbage, "the certificate /cert.pem is not a certificate in PEM form");
    let keyless = fault(|pair| fs::copy(&pair.certificate, &pair.key).map(drop).unwrap()).await;
    assert_eq!(keyless, "the private key /key.pem is not a private key in PEM form");
    let other = Arc::new(TempDir::new().unwrap());
    let strange = Pair::made_in(other.path());
    let strange = fault(|pair| fs::copy(&strange.key, &pair.key).map(drop).unwrap()).await;
    assert_eq!(strange, "the private key /key.pem is not the key of the certificate /cert.pem");
}
