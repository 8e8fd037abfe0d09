//! Offers, taken and left.

use super::*;

const TAKEN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const TAKEN_SMALL: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12";

fn answer(values: &[&str]) -> Result<Option<&'static str>, Malformed> {
    let values = values.iter().map(|value| value.as_bytes());
    Deflate::negotiate(values).map(|agreed| agreed.map(Deflate::answer))
}

#[test]
fn the_answer_is_the_one_of_the_rfc() {
    let answer = accept_key("dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(answer.as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

#[test]
fn what_is_no_key_is_not_answered() {
    for key in [
        "",
        "hello",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZSE=",
        "????????????????????????",
    ] {
        assert_eq!(accept_key(key), None, "{key}");
    }
}

#[test]
fn what_browsers_and_libraries_offer_is_taken() {
    for (offer, taken) in [
        ("permessage-deflate", TAKEN),
        ("permessage-deflate; client_max_window_bits", TAKEN),
        ("permessage-deflate; client_max_window_bits=15; server_max_window_bits=15", TAKEN_SMALL),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", TAKEN),
        ("permessage-deflate;server_max_window_bits=12", TAKEN_SMALL),
        ("permessage-deflate ; server_max_window_bits = \"13\"\t; client_max_window_bits=8", TAKEN_SMALL),
        ("permessage-deflate; server_max_window_bits=\"1\\5\"", TAKEN_SMALL),
        ("x-webkit-deflate-frame, permessage-deflate", TAKEN),
        (", permessage-deflate ,", TAKEN),
    ] {
        assert_eq!(answer(&[offer]), Ok(Some(taken)), "{offer}");
    }
}

#[test]
fn an_offer_we_cannot_keep_is_left() {
    for offer in [
        "",
        "permessage-bzip2",
        "Permessage-Deflate",
        "permessage-deflate; server_max_window_bits=11",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=012",
        "permessage-deflate; server_max_window_bits=+12",
        "permessage-deflate; server_max_window_bits=999999999999",
        "permessage-deflate; server_max_window_bits=twelve",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=08",
        "permessage-deflate; client_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover=true",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=15",
        "permessage-deflate; mux",
    ] {
        assert_eq!(answer(&[offer]), Ok(None), "{offer}");
    }
}

#[test]
fn of_several_offers_the_first_that_can_be_kept_is_taken() {
    let (small, any) =
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; client_max_window_bits");
    assert_eq!(answer(&[&format!("{small}, {any}")]), Ok(Some(TAKEN)));
    assert_eq!(answer(&[small, any]), Ok(Some(TAKEN)));
    assert_eq!(answer(&["permessage-deflate; server_max_window_bits=14", any]), Ok(Some(TAKEN_SMALL)));
    assert_eq!(answer(&[small, small]), Ok(None));
}

#[test]
fn what_breaks_the_grammar_fails_the_handshake() {
    for value in [
        ";",
        "=",
        "permessage-deflate;",
        "permessage-deflate; =12",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=\"12",
        "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=\" 12\"",
        "permessage-deflate; server_max_window_bits=\"12\\",
        "permessage-deflate; server_max_window_bits=12 13",
        "permessage-deflate x",
        "permessage-deflate=12",
        "perm\u{e9}ssage",
        "permessage-deflate, \"quoted\"",
        "permessage-deflate\nx",
    ] {
        assert_eq!(answer(&[value]), Err(Malformed), "{value}");
    }
}

#[test]
fn subprotocols_are_read_in_the_order_of_the_client() {
    let read = |value: &'static str| subprotocols([value.as_bytes()]);
    assert_eq!(read("roomful.v2, roomful.v1"), Ok(vec!["roomful.v2", "roomful.v1"]));
    assert_eq!(read(" ,, roomful.v1\t,"), Ok(vec!["roomful.v1"]));
    assert_eq!(read(""), Ok(vec![]));
    assert_eq!(read("room ful"), Err(Malformed));
    assert_eq!(read("roomful/1"), Err(Malformed));
    assert_eq!(read("roomful;v=1"), Err(Malformed));
}
