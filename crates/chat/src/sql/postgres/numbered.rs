//! The parameters of a statement as PostgreSQL numbers them.

/// The text with `$1` for `?1`, except within quotes and comments. Other question marks stay.
pub(super) fn numbered(text: &str) -> String {
    let mut numbered = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['?', '\'', '"', '-', '/']) {
        numbered.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match rest.as_bytes() {
            [b'?', b'0'..=b'9', ..] => {
                numbered.push('$');
                rest = &rest[1..];
                0
            }
            // A doubled quote is one quote that ends and one that begins.
            [quote @ (b'\'' | b'"'), ..] => through(rest, 1, char::from(*quote).encode_utf8(&mut [0; 4])),
            [b'-', b'-', ..] => through(rest, 2, "\n"),
            [b'/', b'*', ..] => through(rest, 2, "*/"),
            _ => 1,
        };
        numbered.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    numbered.push_str(rest);
    numbered
}

/// How much of `text` is up to the end of the first `end` behind its first `begin` bytes: all of it, if there is none.
fn through(text: &str, begin: usize, end: &str) -> usize {
    text[begin..].find(end).map_or(text.len(), |at| begin + at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_as_postgresql_does() {
        assert_eq!(numbered("select ?1, ?12 + ?1"), "select $1, $12 + $1");
        assert_eq!(numbered("select 1"), "select 1");
        assert_eq!(numbered("?1"), "$1");
        assert_eq!(numbered("a ? b ?"), "a ? b ?");
    }

    #[test]
    fn quotes_and_comments_stay_as_they_are() {
        let same = ["'?1'", "'it''s ?1'", "\"?1\"", "-- ?1\n", "/* ?1 */", "-- ?1", "'?1", "'é?1'"];
        for text in same {
            assert_eq!(numbered(text), text);
        }
        assert_eq!(numbered("'?1' || ?1 -- ?2\n, ?2 - 1 / ?3"), "'?1' || $1 -- ?2\n, $2 - 1 / $3");
        assert_eq!(numbered("'' || ?1 || 'a'"), "'' || $1 || 'a'");
        assert_eq!(numbered("/* ' */ ?1 /* ' */"), "/* ' */ $1 /* ' */");
    }
}
