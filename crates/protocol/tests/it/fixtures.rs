//! Each fixture is read into its type and written back as the same JSON.

use crate::names::{self, CLOSE_CODES, ERROR_CODES};
use protocol::frame::{self, Reply};
use protocol::simple::{SimpleCommand, SimpleFrame, SimpleRooms};
use protocol::{ClientFrame, CloseCode, Command, ErrorCode, EventKind, ServerFrame, Unknown, http, model};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

pub fn text(name: &str) -> String {
    let path = folder().join(format!("{name}.json"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| {
        assert!(path.exists(), "{name} needs a fixture: {}", path.display());
        e.to_string()
    })
}

fn json(name: &str) -> Value {
    serde_json::from_str(&text(name)).expect(name)
}

/// Reads the fixture as a `T` and checks that writing it gives the fixture again.
fn both_ways<T: Serialize + DeserializeOwned>(name: &str) -> T {
    let read: T = serde_json::from_str(&text(name)).expect(name);
    assert_eq!(serde_json::to_value(&read).expect(name), json(name), "{name} changed on its way");
    read
}

fn decoded(name: &str) -> ServerFrame {
    let frame = ServerFrame::decode(&text(name)).expect(name);
    if !matches!(frame, ServerFrame::Unknown(_)) {
        assert_eq!(serde_json::to_value(&frame).expect(name), json(name), "{name} changed on its way");
    }
    frame
}

fn ok<T: Serialize + DeserializeOwned>(name: &str) {
    let name = format!("reply.{name}");
    let ServerFrame::Reply(Reply { ok: Some(ok), error: None, .. }) = decoded(&name) else {
        unreachable!("{name} is no reply with an `ok`");
    };
    let body: T = serde_json::from_value(ok.clone()).expect(&name);
    assert_eq!(serde_json::to_value(body).expect(&name), ok, "{name} changed on its way");
}

#[test]
fn every_command_has_an_example() {
    for name in Command::NAMES {
        let read: ClientFrame = both_ways(&format!("command.{name}"));
        assert_eq!(read.command.name(), *name);
    }
}

#[test]
fn every_frame_has_an_example() {
    for name in ServerFrame::NAMES {
        assert!(!matches!(decoded(&format!("frame.{name}")), ServerFrame::Unknown(_)), "{name}");
    }
}

#[test]
fn every_event_has_an_example() {
    for name in EventKind::NAMES {
        let ServerFrame::Event(event) = decoded(&format!("event.{name}")) else {
            unreachable!("{name} is no event");
        };
        assert_eq!(event.kind.name(), *name);
    }
}

#[test]
fn every_reply_has_an_example() {
    ok::<frame::Posted>("posted");
    ok::<frame::Revised>("revised");
    ok::<model::Reaction>("reaction");
    ok::<model::ReadMark>("read_mark");
    ok::<model::Room>("room");
    ok::<frame::Done>("done");
    ok::<frame::Resumed>("resumed");
    ok::<frame::RoomPage>("room_page");
    ok::<frame::MessagePage>("message_page");
    ok::<frame::MemberPage>("member_page");
    ok::<frame::UserPage>("user_page");
    ok::<frame::NewInvite>("new_invite");
    ok::<frame::InvitePage>("invite_page");
    let ServerFrame::Reply(Reply { ok: None, error: Some(error), .. }) = decoded("reply.error") else {
        unreachable!("reply.error is no refusal");
    };
    assert_eq!(error.code, ErrorCode::SlowDown);
}

#[test]
fn the_simple_protocol_has_an_example_of_everything() {
    for name in SimpleCommand::NAMES {
        let read: SimpleCommand = both_ways(&format!("simple.client.{name}"));
        assert_eq!(read.name(), *name);
    }
    for name in SimpleFrame::NAMES {
        let read: SimpleFrame = both_ways(&format!("simple.server.{name}"));
        assert_eq!(read.name(), *name);
    }
}

#[test]
fn every_http_body_has_an_example() {
    both_ways::<http::Session>("http.session");
    both_ways::<http::SetUp>("http.set_up");
    both_ways::<http::SignIn>("http.sign_in");
    both_ways::<http::ComeIn>("http.come_in");
    both_ways::<http::SignUp>("http.sign_up");
    both_ways::<http::SignedIn>("http.signed_in");
    both_ways::<http::InviteToken>("http.invite_token");
    both_ways::<http::InviteView>("http.invite_view");
    both_ways::<http::NewRoom>("http.new_room");
    both_ways::<http::NewMessage>("http.new_message");
    both_ways::<http::NewText>("http.new_text");
    both_ways::<model::NewReaction>("http.new_reaction");
    both_ways::<http::ReadTo>("http.read_to");
    both_ways::<http::NewInviteLink>("http.new_invite_link");
    both_ways::<http::ErrorBody>("http.error");
    both_ways::<frame::Whom>("http.whom");
    both_ways::<frame::EventPage>("http.event_page");
    both_ways::<SimpleRooms>("http.simple_rooms");
}

#[test]
fn every_error_code_is_listed() {
    assert_eq!(json("error_codes"), json!(ERROR_CODES));
    for code in both_ways::<Vec<ErrorCode>>("error_codes") {
        assert_eq!(json!(code), json!(names::error_code(&code)));
    }
}

#[test]
fn every_close_code_is_listed() {
    let listed: Vec<Value> = CLOSE_CODES
        .iter()
        .map(|(code, name)| {
            assert_eq!(names::close_code(*code), *name);
            let number = code.number();
            json!({"code": number, "name": name, "comes_back": CloseCode::comes_back(number)})
        })
        .collect();
    assert_eq!(json("close_codes"), Value::Array(listed));
}

#[test]
fn a_client_comes_back_after_every_code_but_two() {
    let stays_away: Vec<u16> = (0..=u16::MAX).filter(|number| !CloseCode::comes_back(*number)).collect();
    assert_eq!(stays_away, [4401, 4403]);
}

#[test]
fn no_fixture_is_left_over() {
    let named =
        |prefix: &str, names: &[&str]| names.iter().map(|n| format!("{prefix}.{n}")).collect::<Vec<_>>();
    let mut known: BTreeSet<String> = [
        named("command", Command::NAMES),
        named("frame", ServerFrame::NAMES),
        named("event", EventKind::NAMES),
        named("simple.client", SimpleCommand::NAMES),
        named("simple.server", SimpleFrame::NAMES),
        vec!["error_codes".into(), "close_codes".into(), "frame.unknown".into()],
    ]
    .concat()
    .into_iter()
    .collect();
    for entry in std::fs::read_dir(folder()).expect("the fixtures' folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name in UTF-8");
        let Some(stem) = name.strip_suffix(".json") else { continue };
        let elsewhere = stem.starts_with("reply.") || stem.starts_with("http.");
        assert!(elsewhere || known.remove(stem), "{name} belongs to nothing");
    }
}

#[test]
fn fields_from_a_later_version_are_ignored() {
    let with_more = |name: &str| {
        let mut value = json(name);
        value["from_a_later_version"] = json!({"deep": [1, 2, 3]});
        value.to_string()
    };
    for name in Command::NAMES {
        let name = format!("command.{name}");
        let read: ClientFrame = serde_json::from_str(&with_more(&name)).expect(&name);
        assert_eq!(serde_json::to_value(read).expect(&name), json(&name));
    }
    let frames = ServerFrame::NAMES.iter().map(|n| format!("frame.{n}"));
    for name in frames.chain(EventKind::NAMES.iter().map(|n| format!("event.{n}"))) {
        let read = ServerFrame::decode(&with_more(&name)).expect(&name);
        assert_eq!(serde_json::to_value(read).expect(&name), json(&name));
    }
}

#[test]
fn a_frame_of_an_unknown_type_keeps_its_place() {
    let room = json("frame.unknown")["room"].as_str().and_then(|id| id.parse().ok());
    assert_eq!(decoded("frame.unknown"), ServerFrame::Unknown(Unknown { room, seq: Some(15) }));
    let placeless = ServerFrame::decode(r#"{"type":"fireworks","colour":"green"}"#).expect("a frame");
    assert_eq!(placeless, ServerFrame::Unknown(Unknown::default()));
    let other =
        ServerFrame::decode(r#"{"type":"room_renamed","room":{"id":"x"},"seq":"7"}"#).expect("a frame");
    assert_eq!(
        other,
        ServerFrame::Unknown(Unknown::default()),
        "`room` and `seq` may come to mean something else"
    );
}
