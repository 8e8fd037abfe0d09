//! What is wrong with JSON that cannot be read, in the protocol's words.

/// The longest complaint that is told: it quotes what was read.
const LONGEST: usize = 200;
/// What the parser calls things, and what the protocol calls them.
const WORDS: [(&str, &str); 6] = [
    ("expected u64", "expected a whole number, not below 0"),
    ("expected u32", "expected a whole number, not below 0"),
    ("expected a sequence", "expected an array"),
    ("unknown variant", "unknown value"),
    ("invalid type: map", "invalid type: object"),
    ("invalid type: sequence", "invalid type: array"),
];
/// Words of the parser in front of a name that one of our types has in the program.
const NAMED: [&str; 4] =
    ["expected struct ", "expected internally tagged enum ", "expected enum ", "expected tuple struct "];

/// A parser's complaint, without the names that things have in the program, and short.
pub(crate) fn complaint(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    for named in NAMED {
        if let Some((before, after)) = text.split_once(named) {
            let end = after.find(|c: char| !c.is_alphanumeric()).unwrap_or(after.len());
            text = format!("{before}expected an object{}", &after[end..]);
        }
    }
    for (from, to) in WORDS {
        text = text.replacen(from, to, 1);
    }
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ClientFrame;
    use protocol::simple::SimpleCommand;

    #[test]
    fn a_complaint_names_nothing_of_the_program() {
        let frames = [
            "[]",
            "7",
            r#"{"id":1,"type":"list_messages","room":7}"#,
            r#"{"id":1,"type":"mark_read","room":"0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f","seq":-1}"#,
            r#"{"id":1,"type":"open_room","name":"x","kind":"wide","nonce":"n"}"#,
            r#"{"id":1,"type":"open_room","name":{},"kind":[],"nonce":"n"}"#,
        ];
        let native = frames.map(|text| serde_json::from_str::<ClientFrame>(text).map(drop));
        let simple = ["[]", "7", "\"x\"", r#"{"type":"chat"}"#, r#"{"type":"x"}"#]
            .map(|text| serde_json::from_str::<SimpleCommand>(text).map(drop));
        for wrong in native.into_iter().chain(simple) {
            let said = complaint(&wrong.expect_err("none of them is a command"));
            for word in ["struct", "enum", "Frame", "Command", "u64", "variant", "map", "sequence"] {
                assert!(!said.contains(word), "{said}");
            }
        }
    }

    #[test]
    fn a_complaint_is_short_however_long_what_it_quotes() {
        let long = format!(r#"{{"type":"{}"}}"#, "é".repeat(30_000));
        let wrong = serde_json::from_str::<SimpleCommand>(&long).expect_err("no such command");
        assert_eq!(complaint(&wrong).chars().count(), LONGEST);
    }
}
