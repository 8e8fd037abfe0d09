//! The wire: every command, frame, event and code of `crates/protocol` has an example and a description.

use crate::tokens::{Kind, Token};
use crate::tree::{Source, file, none, our_files};
use serde_json::Value;
use std::collections::BTreeSet;

/// A file with a list of `type`s on the wire, the words that open the list, and what the names of the fixtures begin
/// with.
const TAGGED: [(&str, [&str; 3], &str); 5] = [
    ("command.rs", ["enum", "Command", "{"], "command"),
    ("event.rs", ["enum", "EventKind", "{"], "event"),
    ("frame.rs", ["server_frames", "!", "{"], "frame"),
    ("simple.rs", ["enum", "SimpleCommand", "{"], "simple.client"),
    ("simple.rs", ["enum", "SimpleFrame", "{"], "simple.server"),
];

/// The names in a list such as `"leave" => Leave {},` that the words of `opening` open.
fn names(code: &[Token], opening: [&str; 3]) -> Vec<String> {
    let opens = |three: &[Token]| three.iter().zip(opening).all(|(token, word)| token.is(word));
    let Some(start) = code.windows(3).position(opens) else {
        return Vec::new();
    };
    let list = inside(&code[start + 2..]);
    let named = list.windows(3).filter(|three| three[0].0 == 1 && three[1].1.is("=") && three[2].1.is(">"));
    let literals = named.map(|three| three[0].1).filter(|token| token.kind == Kind::Text);
    literals.map(|token| token.text.trim_matches('"').to_owned()).collect()
}

/// What stands between the bracket that code begins with and the one that closes it, each token with the number of
/// brackets that are open there.
fn inside(code: &[Token]) -> Vec<(u32, &Token)> {
    let mut found = Vec::new();
    let mut depth = 0_u32;
    for token in code {
        depth += u32::from(["{", "(", "["].iter().any(|mark| token.is(mark)));
        depth -= u32::from(["}", ")", "]"].iter().any(|mark| token.is(mark)));
        if depth == 0 {
            break;
        }
        found.push((depth, token));
    }
    found
}

/// The variants of an enum in Rust code without comments.
fn variants(code: &[Token], name: &str) -> Vec<String> {
    let Some(start) = code.windows(2).position(|pair| pair[0].is("enum") && pair[1].is(name)) else {
        return Vec::new();
    };
    let list = inside(&code[start + 2..]);
    let begins = |token: &Token| [",", "{", "]"].iter().any(|mark| token.is(mark));
    let variants = list.windows(2).filter(|pair| pair[1].0 == 1 && begins(pair[0].1) && pair[1].1.is_word());
    variants.map(|pair| pair[1].1.text.clone()).collect()
}

/// `MessagePosted` as serde writes it.
fn on_the_wire(variant: &str) -> String {
    let mut name = String::new();
    for c in variant.chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

fn protocol(name: &str) -> Option<Vec<Token>> {
    Some(file(&format!("crates/protocol/src/{name}"))?.code())
}

/// Every `type` a frame may have, behind the beginning of its fixture's name.
fn types() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (path, opening, begins) in TAGGED {
        let Some(code) = protocol(path) else { continue };
        let names = names(&code, opening);
        let opening = opening.join(" ");
        assert!(
            !names.is_empty(),
            "no list `{opening}` with names in crates/protocol/src/{path}: bring TAGGED up to date"
        );
        found.extend(names.into_iter().map(|name| (begins, name)));
    }
    found
}

/// Every value of a field `type`, however deep.
fn shown(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("type").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| shown(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| shown(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn without_a_fixture(types: &[(&str, String)], fixtures: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for (begins, name) in types {
        let path = format!("crates/protocol/fixtures/{begins}.{name}.json");
        let mut examples = BTreeSet::new();
        if let Some(fixture) = fixtures.iter().find(|fixture| fixture.path == path) {
            shown(&serde_json::from_str(&fixture.text).expect("a fixture is JSON"), &mut examples);
        }
        if !examples.contains(name) {
            faults.push(path);
        }
    }
    faults
}

#[test]
fn every_frame_has_a_fixture() {
    let samples = [
        Source::sample("crates/protocol/fixtures/command.resume.json", r#"{"type": "resume"}"#),
        Source::sample("crates/protocol/fixtures/frame.beat.json", r#"{"type": "reply"}"#),
    ];
    let types_of_samples = [("command", "resume".to_owned()), ("frame", "beat".to_owned())];
    assert_eq!(without_a_fixture(&types_of_samples, &samples), ["crates/protocol/fixtures/frame.beat.json"]);
    let faults = without_a_fixture(&types(), &our_files());
    none(faults, "Give the frame an example under this name, with its `type`:");
}

fn undescribed(names: &[String], reference: &str) -> Vec<String> {
    let described = |name: &str| {
        let whole = |before: Option<char>, after: Option<char>| {
            [before, after].iter().flatten().all(|c| !c.is_alphanumeric() && *c != '_')
        };
        reference.match_indices(name).any(|(at, _)| {
            whole(reference[..at].chars().next_back(), reference[at + name.len()..].chars().next())
        })
    };
    names.iter().filter(|name| !described(name)).cloned().collect()
}

#[test]
fn the_reference_names_every_frame_and_code() {
    let names = ["chat", "leave_room"].map(str::to_owned);
    assert_eq!(undescribed(&names, "`chat_room`, `leave_room`"), ["chat"]);
    let Some(reference) = file("docs/protocol.md") else { return };
    let mut names: Vec<_> = types().into_iter().map(|(_, name)| name).collect();
    names.extend(error_codes());
    names.extend(close_codes());
    none(undescribed(&names, &reference.text), "Describe it in docs/protocol.md:");
}

fn error_codes() -> Vec<String> {
    let code = protocol("error_code.rs").unwrap_or_default();
    variants(&code, "ErrorCode").iter().map(|variant| on_the_wire(variant)).collect()
}

/// The numbers to the right of the arrows in `CloseCode::number`.
fn close_codes() -> Vec<String> {
    let code = protocol("close_code.rs").unwrap_or_default();
    let arrows = code.windows(3).filter(|three| three[0].is("=") && three[1].is(">"));
    let numbers = arrows.map(|three| three[2].text.clone());
    numbers.filter(|text| text.parse::<u16>().is_ok()).collect()
}

#[test]
fn names_on_the_wire_are_found_in_the_code() {
    let code =
        crate::tokens::rust("#[a] enum B { #[c(d)] Eff(E), GeeH { i: u8 }, J {}, #[k] L = 1 } enum M { N }");
    assert_eq!(variants(&code, "B"), ["Eff", "GeeH", "J", "L"]);
    assert_eq!(on_the_wire("MessagePosted"), "message_posted");

    let code = crate::tokens::rust(
        r#"macro_rules! list { ("not" => A,) => {} }
        list! { "one" => One, #[b = "nor"] "two_more" => TwoMore { #[c("nor" => d)] e: u8 }, }
        family! { enum F { "three" => Three(G), } } enum H { "four" => Four, }"#,
    );
    assert_eq!(names(&code, ["list", "!", "{"]), ["one", "two_more"]);
    assert_eq!(names(&code, ["enum", "F", "{"]), ["three"]);
    assert!(names(&code, ["enum", "I", "{"]).is_empty());

    if file("crates/protocol/src/error_code.rs").is_some() {
        assert!(error_codes().contains(&"slow_down".to_owned()));
        assert!(close_codes().contains(&"4401".to_owned()));
        let types = types();
        let known = [("command", "react"), ("event", "message_posted"), ("frame", "hello")];
        assert!(known.iter().all(|(begins, name)| types.contains(&(*begins, (*name).to_owned()))));
    }
}
