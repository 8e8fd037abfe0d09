//! What must not be left behind: sleeping tests, notes to self, unproven unwraps, places of one machine.

use crate::tokens::Kind;
use crate::tree::{Source, none, our_files};

/// Written in two pieces each, so that this file does not hold them.
const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Where somebody happened to work is nobody else's business, and breaks on the next machine.
const PLACES: [&str; 8] = [
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("bash_", "jobs"),
    concat!(".lib", "rary"),
    concat!("arti", "factory"),
    concat!("registry.", "npmjs"),
];

fn sleeping_tests(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        // A measurement of a quiet time has to wait for it.
        if (!file.is_test() && !file.is(".rs")) || file.path.contains("/benches/") {
            continue;
        }
        let shipped = file.shipped().len();
        let in_tests = file.tokens().into_iter().skip(shipped);
        let sleeps = in_tests.filter(|token| token.is("sleep") || token.is("sleep_until"));
        faults.extend(
            sleeps.filter(|token| token.is_word()).map(|token| format!("{}:{}", file.path, token.line)),
        );
    }
    faults
}

#[test]
fn tests_wait_for_what_happens_and_never_sleep() {
    let samples = [
        Source::sample("crates/a/tests/it/b.rs", "fn c() { sleep(d) }"),
        Source::sample(
            "crates/a/src/e.rs",
            "fn f() { sleep(g) }\n#[cfg(test)]\nmod tests { fn h() { sleep(i) } }",
        ),
        Source::sample("web/test/j.test.js", "await sleep(5)"),
    ];
    assert_eq!(sleeping_tests(&samples).len(), 3);
    none(
        sleeping_tests(&our_files()),
        "Wait for the reply, the frame or the file itself; a test that sleeps is slow or wrong:",
    );
}

fn notes(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| !file.is(".md")) {
        let is_code = file.is(".rs") || file.is(".js");
        let noted = |text: &str| NOTES.iter().any(|note| text.contains(note));
        let comments =
            file.tokens().into_iter().filter(|token| token.kind == Kind::Comment && noted(&token.text));
        faults.extend(comments.map(|token| format!("{}:{}", file.path, token.line)));
        let lines = file.text.lines().enumerate().filter(|(_, line)| !is_code && noted(line));
        faults.extend(lines.map(|(at, _)| format!("{}:{}", file.path, at + 1)));
        let code = file.code();
        let macros = code.windows(2).filter(|pair| {
            file.is(".rs")
                && ["todo", "unimplemented", "dbg"].iter().any(|name| pair[0].is(name))
                && pair[1].is("!")
        });
        faults.extend(macros.map(|pair| format!("{}:{} {}!", file.path, pair[0].line, pair[0].text)));
    }
    faults
}

#[test]
fn nothing_is_left_to_do_in_the_code() {
    let note = format!("// {}: later\nfn a() {{ todo!() }}", NOTES[0]);
    assert_eq!(notes(&[Source::sample("a.rs", &note), Source::sample("b.css", NOTES[1])]).len(), 3);
    none(notes(&our_files()), "Do it, or open an issue and take the note out:");
}

fn unproven(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is(".rs") && file.path.contains("/src/")) {
        let shipped = file.shipped();
        let comments: Vec<_> = shipped.iter().filter(|token| token.kind == Kind::Comment).collect();
        let proven = |line| comments.iter().any(|comment| (line - 1..=line).contains(&comment.last_line()));
        let unwraps =
            shipped.windows(3).filter(|three| three[0].is(".") && three[1].is("unwrap") && three[2].is("("));
        let faulty = unwraps.map(|three| three[1].line).filter(|line| !proven(*line));
        faults.extend(faulty.map(|line| format!("{}:{line}", file.path)));
    }
    faults
}

#[test]
fn an_unwrap_is_proven_where_it_stands() {
    let text = "a.unwrap();\n// Never empty: made with one item above.\nb.unwrap();\n\n#[cfg(test)]\nmod tests { c.unwrap(); }";
    assert_eq!(unproven(&[Source::sample("crates/a/src/b.rs", text)]), ["crates/a/src/b.rs:1"]);
    none(
        unproven(&our_files()),
        "Return an error, or say in a comment on the line before why it cannot fail:",
    );
}

fn places(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        for (at, line) in file.text.lines().enumerate() {
            let found = PLACES.iter().find(|place| line.contains(*place));
            faults.extend(found.map(|place| format!("{}:{} {place}", file.path, at + 1)));
        }
    }
    faults
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    assert_eq!(places(&[Source::sample("a.md", &format!("see {}b", PLACES[0]))]).len(), 1);
    none(
        places(&our_files()),
        "Use a path relative to the repository, or a temporary folder made for the purpose:",
    );
}
