//! How long files and functions may be, and the list of what is let off.

use crate::functions::{in_rust, in_script};
use crate::tree::{Source, file, none, our_files};

/// More than this nobody reads in one go.
const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 60;

/// Languages whose files are written by hand.
const MEASURED: [&str; 6] = [".rs", ".js", ".css", ".html", ".sql", ".sh"];

/// `crates/tidy/exceptions.toml`: what is let off, and which entries something needed.
pub struct Exceptions {
    entries: Vec<Exception>,
}

struct Exception {
    /// `file`, `function`, `word` or `style`.
    rule: String,
    path: String,
    /// A function's name, a word or a CSS property; empty for a file.
    what: String,
    /// Up to how many lines.
    lines: usize,
    used: bool,
}

impl Exceptions {
    pub fn none() -> Self {
        Self { entries: Vec::new() }
    }

    pub fn read() -> Self {
        let list =
            file("crates/tidy/exceptions.toml").expect("the list of exceptions stands beside the rules");
        Self::parse(&list.text)
    }

    fn parse(list: &str) -> Self {
        let table: toml::Table = list.parse().expect("exceptions.toml is TOML");
        let mut entries = Vec::new();
        for (rule, list) in &table {
            for entry in list.as_array().expect("each exception is a [[table]]") {
                let text = |field: &str| {
                    entry.get(field).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
                };
                assert!(!text("reason").is_empty(), "exceptions.toml: {rule} {} has no reason", text("path"));
                let what = ["name", "word", "property"].map(text).concat();
                let lines = entry.get("lines").and_then(toml::Value::as_integer).unwrap_or(0);
                let lines = usize::try_from(lines).unwrap_or(0);
                entries.push(Exception { rule: rule.clone(), path: text("path"), what, lines, used: false });
            }
        }
        Self { entries }
    }

    /// Whether `what` at `path` is let off from `rule`.
    pub fn let_off(&mut self, rule: &str, path: &str, what: &str) -> bool {
        self.lines_for(rule, path, what).is_some()
    }

    fn lines_for(&mut self, rule: &str, path: &str, what: &str) -> Option<usize> {
        let mut entries = self.entries.iter_mut();
        let entry = entries.find(|entry| entry.rule == rule && entry.path == path && entry.what == what)?;
        entry.used = true;
        Some(entry.lines)
    }

    /// The entries of `rule` that nothing asked for.
    pub fn unused(&self, rule: &str) -> Vec<String> {
        let unused = self.entries.iter().filter(|entry| entry.rule == rule && !entry.used);
        unused.map(|entry| format!("{rule} {} {}", entry.path, entry.what)).collect()
    }
}

fn long_files(files: &[Source], exceptions: &mut Exceptions) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| MEASURED.iter().any(|ending| file.is(ending))) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES && lines > exceptions.lines_for("file", &file.path, "").unwrap_or(0) {
            faults.push(format!("{} has {lines} lines", file.path));
        }
    }
    faults
}

fn long_functions(files: &[Source], exceptions: &mut Exceptions) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        let functions = if file.is(".rs") { in_rust(&file.code()) } else { in_script(&file.code()) };
        for function in functions.into_iter().filter(|function| function.lines > FUNCTION_LINES) {
            let allowed = exceptions.lines_for("function", &file.path, &function.name).unwrap_or(0);
            if function.lines > allowed {
                let crate::functions::Function { name, line, lines } = function;
                faults.push(format!("{}:{line} {name} has {lines} lines", file.path));
            }
        }
    }
    faults
}

#[test]
fn files_fit_in_a_head() {
    let long = [Source::sample("a.rs", &"\n".repeat(501))];
    assert_eq!(long_files(&long, &mut Exceptions::none()).len(), 1);
    let mut exceptions = Exceptions::read();
    let faults = long_files(&our_files(), &mut exceptions);
    none(faults, "Split it by noun, or give crates/tidy/exceptions.toml a reason (limit: 500 lines):");
    none(exceptions.unused("file"), "Nothing needs these exceptions any more; take them out:");
}

#[test]
fn functions_fit_on_a_screen() {
    let long = [Source::sample("a.rs", &format!("fn a() {{{}}}", "\n".repeat(60)))];
    assert_eq!(long_functions(&long, &mut Exceptions::none()), ["a.rs:1 a has 61 lines"]);
    let mut exceptions = Exceptions::read();
    let faults = long_functions(&our_files(), &mut exceptions);
    none(faults, "Give its parts names, or crates/tidy/exceptions.toml a reason (limit: 60 lines):");
    none(exceptions.unused("function"), "Nothing needs these exceptions any more; take them out:");
}

#[test]
fn an_exception_holds_up_to_its_number_and_is_missed_when_unused() {
    let list = "[[file]]\npath = 'a.rs'\nlines = 502\nreason = 'one table'\n";
    let file = |lines| [Source::sample("a.rs", &"\n".repeat(lines))];
    assert!(long_files(&file(502), &mut Exceptions::parse(list)).is_empty());
    assert_eq!(long_files(&file(503), &mut Exceptions::parse(list)).len(), 1);
    assert_eq!(Exceptions::parse(list).unused("file").len(), 1);
}
