//! The HTTP interface against a peer that writes bytes.

use crate::peer::{Peer, fixture, within};
use client::Api;
use client::api::ApiError;
use protocol::ErrorCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Takes one request, answers it, and returns its head and its body.
async fn answer(peer: &Peer, status: &str, body: &str) -> (String, Value) {
    let mut stream = peer.accept_tcp().await;
    let mut request = Vec::new();
    let (head, length) = loop {
        assert_ne!(within(stream.read_buf(&mut request)).await.expect("a request"), 0);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            break (head.to_owned(), length.and_then(|length| length.parse().ok()).unwrap_or(0_usize));
        }
    };
    while request.len() < head.len() + 4 + length {
        assert_ne!(within(stream.read_buf(&mut request)).await.expect("a body"), 0);
    }
    let response = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(response.as_bytes()).await.expect("a listening client");
    (head.clone(), serde_json::from_slice(&request[head.len() + 4..]).unwrap_or(Value::Null))
}

#[tokio::test]
async fn signing_in_brings_a_token() {
    let peer = Peer::listen().await;
    let api = Api::new(&peer.address);
    let signed_in = fixture("http.signed_in").to_string();
    let (ben, (head, body)) =
        tokio::join!(api.sign_in("Ben", "correct horse"), answer(&peer, "200 OK", &signed_in));
    assert!(head.starts_with("POST /api/v1/session HTTP/1.1\r\n"), "{head}");
    assert_eq!(body, fixture("http.sign_in"));
    assert!(ben.expect("an answer").token.is_some());
}

#[tokio::test]
async fn a_token_is_shown_and_an_empty_answer_is_an_answer() {
    let peer = Peer::listen().await;
    let api = Api::new(&peer.address).with_token("t");
    let done = api.delete::<protocol::frame::Done>("/api/v1/session");
    let (done, (head, _)) = tokio::join!(done, answer(&peer, "204 No Content", ""));
    assert!(head.ends_with("\r\nAuthorization: Bearer t"), "{head}");
    assert!(done.is_ok());
}

#[tokio::test]
async fn a_refusal_comes_with_its_code() {
    let peer = Peer::listen().await;
    let api = Api::new(&peer.address);
    let refusal = fixture("http.error").to_string();
    let (refused, _) = tokio::join!(api.come_in("Dot"), answer(&peer, "409 Conflict", &refusal));
    let Err(ApiError::Refused { status: 409, body }) = refused else {
        unreachable!("expected a refusal, got {refused:?}");
    };
    assert_eq!(body.error.code, ErrorCode::NameTaken);
}

#[tokio::test]
async fn whoever_hangs_up_has_not_answered() {
    let peer = Peer::listen().await;
    let api = Api::new(&peer.address);
    let (unanswered, ()) = tokio::join!(api.session(), async { drop(peer.accept_tcp().await) });
    assert!(matches!(unanswered, Err(ApiError::Unreachable(_) | ApiError::Unreadable(_))), "{unanswered:?}");
}
