//! `docs/protocol.md` leaves nothing out and shows the fixtures as they are.

use crate::fixtures;
use crate::names::{CLOSE_CODES, ERROR_CODES};
use protocol::simple::{SimpleCommand, SimpleFrame};
use protocol::{Command, EventKind, ServerFrame};
use serde_json::Value;
use std::path::Path;

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md");
    std::fs::read_to_string(path).expect("docs/protocol.md")
}

#[test]
fn the_document_names_everything_that_may_be_said() {
    let document = document();
    let lists = [
        Command::NAMES,
        EventKind::NAMES,
        ServerFrame::NAMES,
        SimpleCommand::NAMES,
        SimpleFrame::NAMES,
        ERROR_CODES,
    ];
    for name in lists.concat() {
        assert!(document.contains(&format!("`{name}`")), "docs/protocol.md does not name `{name}`");
    }
    for (code, name) in CLOSE_CODES {
        let number = code.number();
        assert!(
            document.contains(&format!("| {number} |")),
            "docs/protocol.md has no row for {number} ({name})"
        );
    }
}

/// The JSON texts of the document's ```json blocks, each after a line `<!-- fixture: NAME -->`.
fn shown(document: &str) -> Vec<(String, Value)> {
    let mut shown = Vec::new();
    for part in document.split("<!-- fixture: ").skip(1) {
        let (name, rest) = part.split_once(" -->").expect("a closed comment");
        let block = rest.split("```json\n").nth(1).and_then(|block| block.split("```").next());
        let value = serde_json::from_str(block.expect("a block of JSON")).expect(name);
        shown.push((name.to_owned(), value));
    }
    shown
}

#[test]
fn the_examples_in_the_document_are_the_fixtures() {
    let shown = shown(&document());
    for (name, value) in &shown {
        let fixture: Value = serde_json::from_str(&fixtures::text(name)).expect(name);
        assert_eq!(*value, fixture, "docs/protocol.md shows another {name}");
    }
    let is_shown = |name: &str| shown.iter().any(|(shown, _)| shown == name);
    for name in Command::NAMES {
        assert!(is_shown(&format!("command.{name}")), "docs/protocol.md shows no example of {name}");
    }
    for name in EventKind::NAMES {
        assert!(is_shown(&format!("event.{name}")), "docs/protocol.md shows no example of {name}");
    }
}
