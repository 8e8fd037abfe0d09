//! What names, messages and passwords must be like. Pure.

use crate::error::{Error, Result};
use protocol::Body;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// The longest name of a room or user, in characters.
pub const NAME_CHARS: usize = 64;
/// The longest message, in characters.
pub const TEXT_CHARS: usize = 10_000;
/// The shortest password, in characters.
pub const PASSWORD_MIN: usize = 8;
/// The longest password, in bytes: more would only make hashing dear.
const PASSWORD_MAX: usize = 1024;

/// A name fit for a room or a user: 1 to [`NAME_CHARS`] characters after normalisation, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    shown: String,
    folded: String,
}

impl Name {
    /// Takes `text` as a name: normalised (NFC), white space collapsed.
    ///
    /// # Errors
    /// `invalid` when nothing is left, it is too long, or it holds control or bidirectional formatting characters,
    /// which would let one name pose as another.
    pub fn new(field: &'static str, text: &str) -> Result<Self> {
        // A name that is too long by far is not worth normalising.
        if text.chars().take(16 * NAME_CHARS + 1).count() > 16 * NAME_CHARS {
            return Err(too_long(field));
        }
        if text.chars().any(|c| is_formatting(c) || (c.is_control() && !c.is_whitespace())) {
            return Err(Error::invalid(
                field,
                "control",
                "Names cannot hold control or text-direction characters. Remove them.",
            ));
        }
        let shown = text.nfc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
        let folded = fold(&shown);
        if shown.is_empty() || folded.is_empty() {
            let message = format!("{} needs at least one visible character.", called(field));
            return Err(Error::invalid(field, "empty", message));
        }
        if shown.chars().count() > NAME_CHARS {
            return Err(too_long(field));
        }
        Ok(Self { shown, folded })
    }

    /// The name as people see it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The name as uniqueness sees it: compatibility-normalised and case-folded (NFKC, UAX #44).
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

/// Folds `text` for comparison: equal for names that people would read as the same letters.
pub fn fold(text: &str) -> String {
    let folded: String = caseless::default_case_fold_str(&text.nfkc().collect::<String>());
    // No name holds U+0000, and PostgreSQL takes no text that does.
    folded.nfkc().filter(|c| !is_invisible(*c) && *c != '\0').collect::<String>().trim().to_owned()
}

/// What a text weighs on a page, in bytes of JSON with what stands around it.
pub(crate) fn weight(text: &str) -> usize {
    let escaped = text.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\t'));
    256 + text.len() + escaped.count()
}

/// A message fit to be posted, not posted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    body: Body,
}

impl Draft {
    /// Takes what an author says as a message; white space at both ends of the text is dropped.
    ///
    /// # Errors
    /// `invalid` when nothing visible is left, it is longer than [`TEXT_CHARS`], or holds control characters other
    /// than line breaks and tabs.
    pub fn new(body: Body) -> Result<Self> {
        let text = body.text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if text.is_empty() || text.chars().all(|c| is_invisible(c) || c.is_whitespace()) {
            return Err(Error::invalid("text", "empty", "There is nothing to post: the message is empty."));
        }
        if text.chars().nth(TEXT_CHARS).is_some() {
            return Err(Error::Invalid {
                field: "text",
                rule: "length",
                max: Some(TEXT_CHARS as u64),
                message: format!(
                    "A message holds up to {TEXT_CHARS} characters. Shorten it or post it in parts."
                ),
            });
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')) {
            return Err(Error::invalid(
                "text",
                "control",
                "Messages cannot hold control characters. Remove them.",
            ));
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        Ok(Self { body: Body { text } })
    }

    /// What it says.
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.body.text
    }

    /// Whether it is a text and nothing else: then no statement that stores it can fail by its input.
    pub(crate) const fn is_plain(&self) -> bool {
        // A field that joins a body must be thought of here.
        let Body { text: _ } = &self.body;
        true
    }

    /// Tells two drafts apart without keeping either: the first 128 bits of SHA-256 over the room and all of the body.
    pub(crate) fn digest(&self, room: protocol::RoomId) -> [u8; 16] {
        // A field that joins a body must be hashed here, where it is there.
        let Body { text } = &self.body;
        let mut hash = Sha256::new();
        hash.update(room.uuid().as_bytes());
        hash.update(text.as_bytes());
        let mut digest = [0; 16];
        digest.copy_from_slice(&hash.finalize()[..16]);
        digest
    }
}

/// Checks a new password.
///
/// # Errors
/// `invalid` when it is too short or too long. Nothing else is asked of a password (NIST SP 800-63B §5.1.1.2).
pub(crate) fn check_password(password: &str) -> Result<()> {
    if password.chars().count() < PASSWORD_MIN {
        return Err(Error::Invalid {
            field: "password",
            rule: "short",
            max: Some(PASSWORD_MIN as u64),
            message: format!("A password needs at least {PASSWORD_MIN} characters."),
        });
    }
    if password.len() > PASSWORD_MAX {
        return Err(Error::invalid("password", "length", "A password can have up to 1024 bytes."));
    }
    Ok(())
}

/// What people call the field.
fn called(field: &'static str) -> &'static str {
    match field {
        "room" => "A room's name",
        "username" => "A username",
        _ => "A name",
    }
}

fn too_long(field: &'static str) -> Error {
    Error::Invalid {
        field,
        rule: "length",
        max: Some(NAME_CHARS as u64),
        message: format!("{} has up to {NAME_CHARS} characters. Shorten it.", called(field)),
    }
}

/// Characters that steer the direction of text (UAX #9) or tag it: they let one name look like another.
fn is_formatting(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Characters that take no room on the screen.
fn is_invisible(c: char) -> bool {
    is_formatting(c)
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}'
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_normalised_and_its_spaces_collapsed() {
        let name = Name::new("name", "  Ana \t Lovelace  ").unwrap();
        assert_eq!(name.shown(), "Ana Lovelace");
        assert_eq!(name.folded(), "ana lovelace");
    }

    #[test]
    fn names_that_read_the_same_fold_the_same() {
        for (one, other) in
            [("Ana", "ANA"), ("Straße", "STRASSE"), ("ﬁn", "FIN"), ("e\u{301}", "É"), ("ａｎａ", "Ana")]
        {
            assert_eq!(Name::new("name", one).unwrap().folded(), Name::new("name", other).unwrap().folded());
        }
        assert_eq!(fold("an\u{200b}a"), "ana");
    }

    #[test]
    fn a_name_with_control_or_direction_characters_is_refused() {
        for name in ["an\u{0}a", "\u{202e}ana", "ana\u{2066}", "a\u{7}b", "\u{200f}x"] {
            assert!(
                matches!(Name::new("name", name), Err(Error::Invalid { rule: "control", .. })),
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_name_has_one_to_sixty_four_characters() {
        assert!(Name::new("name", &"ä".repeat(64)).is_ok());
        assert!(matches!(Name::new("name", &"a".repeat(65)), Err(Error::Invalid { rule: "length", .. })));
        assert!(matches!(
            Name::new("name", &"a".repeat(1 << 20)),
            Err(Error::Invalid { rule: "length", .. })
        ));
        for empty in ["", "   ", "\u{200b}\u{200b}", "\n"] {
            assert!(
                matches!(Name::new("name", empty), Err(Error::Invalid { rule: "empty", .. })),
                "{empty:?}"
            );
        }
    }

    #[test]
    fn a_draft_needs_something_to_see_and_ends_somewhere() {
        assert_eq!(Draft::new("  hi\r\nthere ".into()).unwrap().text(), "hi\nthere");
        assert!(Draft::new(" \n\u{200b} ".into()).is_err());
        assert!(Draft::new("x".repeat(TEXT_CHARS).as_str().into()).is_ok());
        assert!(Draft::new("x".repeat(TEXT_CHARS + 1).as_str().into()).is_err());
        assert!(Draft::new("a\u{0}b".into()).is_err());
        assert!(Draft::new("שלום \u{202b}x".into()).is_ok());
    }
}
