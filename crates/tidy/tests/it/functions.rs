//! Finds the functions of a Rust or JavaScript file and how long they are.

use crate::tokens::Token;

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// `=>` for one without a name.
    pub name: String,
    /// Where it begins, counted from 1.
    pub line: usize,
    /// From its first line to its closing brace.
    pub lines: usize,
}

/// The functions in the code (no comments) of a Rust file.
pub fn in_rust(code: &[Token]) -> Vec<Function> {
    let starts = code.windows(2).enumerate().filter(|(_, pair)| pair[0].is("fn") && pair[1].is_word());
    starts.filter_map(|(at, pair)| function(code, &pair[1].text, at, rust_body(code, at)?)).collect()
}

/// The functions in the code (no comments) of a JavaScript file: declarations, methods and arrows with a body.
pub fn in_script(code: &[Token]) -> Vec<Function> {
    let mut found = Vec::new();
    for at in (1..code.len()).filter(|at| code[*at].is("{")) {
        let named = code[at - 1].is(")").then(|| named_before(code, at - 1)).flatten();
        let arrow = (at > 2 && code[at - 1].is(">") && code[at - 2].is("=")).then(|| (at - 2, "=>"));
        let Some((start, name)) = named.or(arrow) else { continue };
        let holds_tests = code[at..=close(code, at).unwrap_or(at)].windows(2).any(is_test);
        if name != "=>" || !holds_tests {
            found.extend(function(code, name, start, at));
        }
    }
    found
}

/// `name (…) {`: the name before the parentheses that end at `last`, if what follows is a function's body.
fn named_before(code: &[Token], last: usize) -> Option<(usize, &str)> {
    const NOT_NAMES: [&str; 6] = ["if", "for", "while", "switch", "catch", "with"];
    let at = open(code, last)?.checked_sub(1)?;
    let name = &code[at];
    (name.is_word() && !NOT_NAMES.contains(&name.text.as_str())).then_some((at, name.text.as_str()))
}

/// A group of tests may be as long as it has tests.
fn is_test(pair: &[Token]) -> bool {
    (pair[0].is("test") || pair[0].is("it")) && pair[1].is("(")
}

fn function(code: &[Token], name: &str, start: usize, body: usize) -> Option<Function> {
    let end = &code[close(code, body)?];
    let line = code[start].line;
    Some(Function { name: name.to_owned(), line, lines: end.line - line + 1 })
}

/// Where the body of the Rust function at `start` opens; nothing for a declaration.
fn rust_body(code: &[Token], start: usize) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, token) in code.iter().enumerate().skip(start) {
        match token.text.as_str() {
            "(" | "[" if !token.is_word() => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            ";" if depth == 0 => return None,
            "{" if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// Where the brace or parenthesis that opens at `start` closes.
fn close(code: &[Token], start: usize) -> Option<usize> {
    let (opening, closing) = if code[start].is("{") { ("{", "}") } else { ("(", ")") };
    let mut depth = 0_u32;
    for (at, token) in code.iter().enumerate().skip(start) {
        depth += u32::from(token.is(opening));
        depth -= u32::from(token.is(closing));
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Where the parenthesis that closes at `end` opens.
fn open(code: &[Token], end: usize) -> Option<usize> {
    let mut depth = 0_u32;
    for at in (0..=end).rev() {
        depth += u32::from(code[at].is(")"));
        depth -= u32::from(code[at].is("("));
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn lengths(functions: &[Function]) -> Vec<(&str, usize)> {
    functions.iter().map(|function| (function.name.as_str(), function.lines)).collect()
}

#[test]
fn rust_functions_are_measured_with_their_signature() {
    let code = crate::tokens::rust(
        "trait T { fn a(&self); }\nfn b(\n  c: [u8; 4],\n) {\n  if d { e() }\n}\nfn f() {}",
    );
    assert_eq!(lengths(&in_rust(&code)), [("b", 5), ("f", 1)]);
}

#[test]
fn script_functions_are_declarations_methods_and_arrows() {
    let text = "class A {\n  b(c) {\n    if (d) {\n    }\n  }\n}\nfunction e() {\n}\nconst f = (g) => {\n};";
    assert_eq!(lengths(&in_script(&crate::tokens::script(text).tokens)), [("b", 4), ("e", 2), ("=>", 2)]);
}
