//! Clients that others wrote, each with and without compression. They come from npm and PyPI, by `scripts/test`; beside
//! them, tokio-tungstenite speaks in every other story and Chromium in the browser tests.

use super::support::{in_time, nothing_broke};
use crate::support::Server;
use serde::Deserialize;
use serde_json::json;
use std::process::Command;
use tokio::task::spawn_blocking;

const MISSING: &str = "is not set: run scripts/test, which installs what the foreign clients need";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign");

const TAKEOVER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const TAKEOVER_SMALL: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12";

/// What a foreign client prints when it is done.
#[derive(Deserialize)]
struct Heard {
    agreed: String,
    heard: Vec<String>,
    code: u16,
}

/// A short text; one that deflates well; and one that repeats itself only beyond a window of 12 bits, so that whoever
/// asked for a small window and keeps to it could not read a reference that reaches farther.
fn texts() -> Vec<String> {
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 28) as u8)
    });
    vec!["hello".to_owned(), "grüß dich!".repeat(50), noise.take(4_700).collect::<String>().repeat(2)]
}

/// Runs a client, which ends by itself when it waits in vain.
async fn talks(program: &str, arguments: &[&str]) -> Heard {
    let mut command = Command::new(program);
    command.args(arguments).args(texts());
    let talk = spawn_blocking(move || command.output());
    let output = in_time("the foreign client", talk).await.unwrap().expect("it starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {complaint}"))
}

fn installed(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} {MISSING}"))
}

async fn node(server: &Server, options: &serde_json::Value) -> Heard {
    let (script, url) = (format!("{FOLDER}/ws.mjs"), format!("ws://{}/ws", server.address()));
    talks("node", &[&script, &installed("ROOMFUL_WS"), &url, &options.to_string()]).await
}

async fn python(server: &Server, options: &serde_json::Value) -> Heard {
    let (script, url) = (format!("{FOLDER}/websockets_client.py"), format!("ws://{}/ws", server.address()));
    talks(&installed("ROOMFUL_PYTHON"), &[&script, &url, &options.to_string()]).await
}

fn deflates(server: &Server) -> u64 {
    server.running.app().delivery.stats().deflates
}

/// Compares an agreement without regard to blanks.
fn heard_all(heard: Heard, agreed: &str) {
    assert!(heard.heard == texts(), "heard other texts: {:?}", heard.heard);
    assert_eq!((heard.agreed.replace(' ', ""), heard.code), (agreed.replace(' ', ""), 1000));
}

#[tokio::test]
async fn ws_of_node_talks_with_and_without_compression() {
    let server = Server::start().await;
    let plain = node(&server, &json!({ "perMessageDeflate": false })).await;
    heard_all(plain, "");
    assert_eq!(deflates(&server), 0);
    for options in [
        json!({ "perMessageDeflate": { "threshold": 0 } }),
        json!({ "perMessageDeflate": { "threshold": 0, "clientMaxWindowBits": 9, "serverNoContextTakeover": true } }),
    ] {
        let before = deflates(&server);
        let heard = node(&server, &options).await;
        assert_eq!(heard.agreed, "permessage-deflate", "ws names no parameters");
        heard_all(heard, "permessage-deflate");
        assert_eq!(deflates(&server) - before, 2, "two of the texts are long enough");
    }
    let small = json!({ "perMessageDeflate": { "threshold": 0, "serverMaxWindowBits": 12 } });
    heard_all(node(&server, &small).await, "permessage-deflate");
    let too_small = json!({ "perMessageDeflate": { "threshold": 0, "serverMaxWindowBits": 9 } });
    heard_all(node(&server, &too_small).await, "");
    nothing_broke(&server);
}

#[tokio::test]
async fn websockets_of_python_talks_with_and_without_compression() {
    let server = Server::start().await;
    heard_all(python(&server, &json!(null)).await, "");
    assert_eq!(deflates(&server), 0);
    for (options, agreed) in [
        (json!({}), TAKEOVER),
        (json!({ "client_max_window_bits": 9 }), TAKEOVER),
        (json!({ "server_no_context_takeover": true, "client_no_context_takeover": true }), TAKEOVER),
        (json!({ "server_max_window_bits": 12 }), TAKEOVER_SMALL),
        (json!({ "server_max_window_bits": 15, "client_max_window_bits": 15 }), TAKEOVER_SMALL),
    ] {
        let before = deflates(&server);
        heard_all(python(&server, &options).await, agreed);
        assert_eq!(deflates(&server) - before, 2, "two of the texts are long enough");
    }
    heard_all(python(&server, &json!({ "server_max_window_bits": 11 })).await, "");
    nothing_broke(&server);
}

#[tokio::test]
async fn an_operator_can_do_without_compression() {
    let server = Server::start_with(|config| config.compression = false).await;
    heard_all(python(&server, &json!({})).await, "");
    assert_eq!(deflates(&server), 0);
    nothing_broke(&server);
}
