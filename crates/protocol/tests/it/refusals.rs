//! What is not a frame, an id or a nonce is refused, never guessed.

use crate::fixtures::text;
use protocol::{ClientFrame, Nonce, RoomId, ServerFrame};
use serde_json::{Value, json};

#[test]
fn a_nonce_is_1_to_64_visible_ascii_characters() {
    for good in ["a", "0192f0c2-0000-7000-8000-000000000001", "~!{}\"", &"n".repeat(64)] {
        assert!(Nonce::new(good).is_ok(), "{good:?}");
        assert!(serde_json::from_value::<Nonce>(json!(good)).is_ok(), "{good:?}");
    }
    for bad in ["", " ", "a b", "tab\t", "é", "\u{7f}", "nul\0", &"n".repeat(65)] {
        assert!(Nonce::new(bad).is_err(), "{bad:?}");
        assert!(serde_json::from_value::<Nonce>(json!(bad)).is_err(), "{bad:?}");
    }
    assert!(serde_json::from_value::<Nonce>(json!(7)).is_err());
}

#[test]
fn an_id_is_a_uuid() {
    for bad in ["", "lobby", "0192f0c1", "0192f0c1-0001-7000-8000-00000000000g", "' or 1=1 --"] {
        assert!(bad.parse::<RoomId>().is_err(), "{bad:?}");
        assert!(serde_json::from_value::<RoomId>(json!(bad)).is_err(), "{bad:?}");
    }
}

#[test]
fn an_id_is_written_as_it_was_read() {
    let id = "0192f0c1-0001-7000-8000-000000000001";
    assert_eq!(id.parse::<RoomId>().expect("a UUID").to_string(), id);
}

#[test]
fn a_command_without_a_field_or_with_another_type_of_value_is_refused() {
    let whole: Value = serde_json::from_str(&text("command.post_message")).expect("the fixture");
    for field in ["id", "type", "room", "text", "nonce"] {
        let mut without = whole.clone();
        without.as_object_mut().expect("an object").remove(field);
        assert!(serde_json::from_value::<ClientFrame>(without).is_err(), "without {field}");
        let mut other = whole.clone();
        other[field] = json!([true]);
        assert!(serde_json::from_value::<ClientFrame>(other).is_err(), "{field} is a list");
    }
}

#[test]
fn places_are_whole_and_not_negative() {
    for seq in [json!(-1), json!(1.5), json!("12"), json!(1e300), Value::Null] {
        let frame =
            json!({"id": 1, "type": "resume", "room": "0192f0c1-0001-7000-8000-000000000001", "after": seq});
        assert!(serde_json::from_value::<ClientFrame>(frame).is_err(), "{seq}");
    }
}

#[test]
fn what_is_no_frame_is_an_error_and_no_panic() {
    for text in [
        "",
        "null",
        "[]",
        "7",
        "{",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"hello"}"#,
        r#"{"type":"beat","heads":[]}"#,
    ] {
        assert!(ServerFrame::decode(text).is_err(), "{text}");
    }
}

#[test]
fn deeply_nested_text_is_an_error_and_no_overflow() {
    let deep = format!("{{\"type\":\"x\",\"y\":{}", "[".repeat(200_000));
    assert!(ServerFrame::decode(&deep).is_err());
    assert!(serde_json::from_str::<ClientFrame>(&deep).is_err());
}
