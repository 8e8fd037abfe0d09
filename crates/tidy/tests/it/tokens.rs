//! Reads Rust and JavaScript just far enough to tell words, marks, texts and comments apart.

use crate::tree::{Source, none, our_files};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name or keyword.
    Word,
    Number,
    /// One character of punctuation.
    Mark,
    /// A literal: string, character, regular expression, or the text of a template between its holes.
    Text,
    Comment,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub kind: Kind,
    pub text: String,
    /// Counted from 1.
    pub line: usize,
}

impl Token {
    pub fn is(&self, text: &str) -> bool {
        self.kind != Kind::Text && self.text == text
    }

    pub fn is_word(&self) -> bool {
        self.kind == Kind::Word
    }

    /// The line on which it ends.
    pub fn last_line(&self) -> usize {
        self.line + self.text.matches('\n').count()
    }
}

/// A JavaScript file.
pub struct Script {
    pub tokens: Vec<Token>,
    pub templates: Vec<Template>,
}

/// A template literal, its holes told as `\0`.
pub struct Template {
    pub line: usize,
    /// The function before it, such as `html`.
    pub tag: String,
    pub text: String,
}

pub fn rust(text: &str) -> Vec<Token> {
    let mut reader = Reader::new(text);
    while let Some(first) = reader.rest.chars().next() {
        match rust_literal(reader.rest, first) {
            Some((kind, length)) => reader.take(kind, length),
            None => reader.take_plain(first),
        }
    }
    reader.tokens
}

pub fn script(text: &str) -> Script {
    let mut lexer = Lexer { reader: Reader::new(text), templates: Vec::new(), holes: Vec::new() };
    while let Some(first) = lexer.reader.rest.chars().next() {
        lexer.step(first);
    }
    Script { tokens: lexer.reader.tokens, templates: lexer.templates }
}

struct Lexer<'a> {
    reader: Reader<'a>,
    templates: Vec<Template>,
    /// The templates whose hole is being read, innermost last, each with the braces open in it.
    holes: Vec<(usize, usize)>,
}

impl Lexer<'_> {
    fn step(&mut self, first: char) {
        match (first, self.holes.last().copied()) {
            ('`', _) => self.open_template(),
            ('}', Some((template, 0))) => {
                self.holes.pop();
                self.reader.skip(1);
                self.template_text(template);
            }
            (_, _) => self.plain(first),
        }
    }

    fn open_template(&mut self) {
        let tag = self.reader.tokens.last().filter(|token| token.is_word()).map_or("", |token| &token.text);
        self.templates.push(Template { line: self.reader.line, tag: tag.to_owned(), text: String::new() });
        self.reader.skip(1);
        self.template_text(self.templates.len() - 1);
    }

    /// Reads up to the template's next hole or its end.
    fn template_text(&mut self, template: usize) {
        let (length, hole) = template_text(self.reader.rest);
        self.templates[template].text.push_str(&self.reader.rest[..length]);
        self.reader.take(Kind::Text, length);
        if hole {
            self.templates[template].text.push('\0');
            self.reader.skip(2);
            self.holes.push((template, 0));
        } else {
            self.reader.skip(1);
        }
    }

    fn plain(&mut self, first: char) {
        if let Some((_, braces)) = self.holes.last_mut() {
            match first {
                '{' => *braces += 1,
                '}' => *braces -= 1,
                _ => {}
            }
        }
        match script_literal(self.reader.rest, first, self.reader.tokens.last()) {
            Some((kind, length)) => self.reader.take(kind, length),
            None => self.reader.take_plain(first),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1, tokens: Vec::new() }
    }

    fn take(&mut self, kind: Kind, length: usize) {
        let text = self.rest[..length].to_owned();
        self.tokens.push(Token { kind, text, line: self.line });
        self.skip(length);
    }

    fn skip(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.line += gone.matches('\n').count();
        self.rest = rest;
    }

    /// Takes what is written alike in both languages: space, words, numbers and marks.
    fn take_plain(&mut self, first: char) {
        if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else if in_word(first) {
            let length = self.rest.find(|c| !in_word(c)).unwrap_or(self.rest.len());
            let kind = if first.is_ascii_digit() { Kind::Number } else { Kind::Word };
            self.take(kind, length);
        } else {
            self.take(Kind::Mark, first.len_utf8());
        }
    }
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn rust_literal(rest: &str, first: char) -> Option<(Kind, usize)> {
    match first {
        '/' => comment(rest),
        '"' => Some((Kind::Text, quoted(rest, '"'))),
        'b' | 'c' | 'r' => raw_string(rest).map(|length| (Kind::Text, length)),
        '\'' => character(rest).map(|length| (Kind::Text, length)),
        _ => None,
    }
}

fn script_literal(rest: &str, first: char, before: Option<&Token>) -> Option<(Kind, usize)> {
    match first {
        '/' => comment(rest).or_else(|| regular_expression(rest, before).map(|length| (Kind::Text, length))),
        '"' | '\'' => Some((Kind::Text, quoted(rest, first))),
        _ => None,
    }
}

fn comment(rest: &str) -> Option<(Kind, usize)> {
    if rest.starts_with("//") {
        return Some((Kind::Comment, rest.find('\n').unwrap_or(rest.len())));
    }
    let inside = rest.strip_prefix("/*")?;
    Some((Kind::Comment, inside.find("*/").map_or(rest.len(), |end| end + 4)))
}

/// The length of a string that begins with `quote` and may escape it.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let marked = rest.trim_start_matches(['b', 'c']).strip_prefix('r')?;
    let inside = marked.trim_start_matches('#');
    let fence = format!("\"{}", "#".repeat(marked.len() - inside.len()));
    let opening = rest.len() - inside.len() + 1;
    let end = inside.strip_prefix('"')?.find(&fence)?;
    Some(opening + end + fence.len())
}

/// The length of a character literal; nothing for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut inside = rest.char_indices().skip(1);
    let (_, first) = inside.next()?;
    if first == '\\' {
        inside.next()?;
        return inside.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    inside.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
}

/// A slash after a value divides; anywhere else it opens a regular expression.
fn regular_expression(rest: &str, before: Option<&Token>) -> Option<usize> {
    let after_value = before.is_some_and(|token| match token.kind {
        Kind::Word => {
            !["return", "typeof", "case", "in", "of", "await", "yield"].contains(&token.text.as_str())
        }
        Kind::Number | Kind::Text => true,
        Kind::Mark => [")", "]", "}"].contains(&token.text.as_str()),
        Kind::Comment => false,
    });
    if after_value {
        return None;
    }
    let (mut escaped, mut in_class) = (false, false);
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The length of a template's text, and whether a hole ends it.
fn template_text(rest: &str) -> (usize, bool) {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        if !escaped && (c == '`' || rest[at..].starts_with("${")) {
            return (at, c == '$');
        }
        escaped = c == '\\' && !escaped;
    }
    (rest.len(), false)
}

fn shown(tokens: &[Token], kind: Kind) -> Vec<&str> {
    tokens.iter().filter(|token| token.kind == kind).map(|token| token.text.as_str()).collect()
}

#[test]
fn rust_texts_and_comments_are_no_code() {
    let tokens = rust(
        r####"let a = "b \" c"; /* d */ let e = r#"f " g"#; let h = '\''; fn i<'j>(k: &'j str) {} // l"####,
    );
    assert_eq!(shown(&tokens, Kind::Text), [r#""b \" c""#, r##"r#"f " g"#"##, r"'\''"]);
    assert_eq!(shown(&tokens, Kind::Comment), ["/* d */", "// l"]);
    assert_eq!(
        shown(&tokens, Kind::Word),
        ["let", "a", "let", "e", "let", "h", "fn", "i", "j", "k", "j", "str"]
    );
}

#[test]
fn templates_are_read_through_their_holes() {
    let script =
        script("html`<p class=${a({b: 1})}>${c.map((d) => html`<b>${d}</b>`)} e</p>`; f = 'g'; h / i / j");
    let texts: Vec<_> = script.templates.iter().map(|template| template.text.as_str()).collect();
    assert_eq!(texts, ["<p class=\0>\0 e</p>", "<b>\0</b>"]);
    assert!(script.templates.iter().all(|template| template.tag == "html"));
    let words = ["html", "a", "b", "c", "map", "d", "html", "d", "f", "h", "i", "j"];
    assert_eq!(shown(&script.tokens, Kind::Word), words);
}

#[test]
fn regular_expressions_are_texts() {
    let tokens = script("const a = /[/'`]\\//g.test(b); return /c/; (d) / e").tokens;
    assert_eq!(shown(&tokens, Kind::Text), ["/[/'`]\\//", "/c/"]);
}

#[test]
fn brackets_pair_in_every_file_as_it_is_read() {
    let pairs = [("{", "}"), ("(", ")"), ("[", "]")];
    let misread = |file: &Source| {
        let code = file.code();
        let count = |mark: &str| code.iter().filter(|token| token.is(mark)).count();
        pairs.iter().any(|(open, close)| count(open) != count(close))
    };
    let faults = our_files().into_iter().filter(misread).map(|file| file.path);
    none(
        faults.collect(),
        "The rules misread these files; teach crates/tidy/tests/it/tokens.rs what they hold:",
    );
}
