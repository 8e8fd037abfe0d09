//! The files of this repository, what must be among them, and how a rule reports.

use crate::tokens::{self, Kind, Token};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Without these the rules below would pass for want of anything to look at.
const MUST_EXIST: [&str; 23] = [
    ".ci/run",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "config.example.toml",
    "crates/chat/src/lib.rs",
    "crates/client/src/lib.rs",
    "crates/delivery/src/lib.rs",
    "crates/protocol/src/lib.rs",
    "crates/server/src/main.rs",
    "crates/tidy/src/lib.rs",
    "docs/operating.md",
    "docs/protocol.md",
    "scripts/test",
    "web/app.js",
    "web/fonts/lock.json",
    "web/index.html",
    "web/vendor/lock.json",
];

/// What no rule looks into: what git keeps, and what builds and servers leave behind.
const NOT_OURS: [&str; 5] = [".git", "target", "node_modules", "roomful-data", "shots"];

/// A text file of the repository.
pub struct Source {
    /// Its path from the root, with `/`.
    pub path: String,
    pub text: String,
}

impl Source {
    /// A text made up to try a rule on.
    pub fn sample(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub fn is(&self, ending: &str) -> bool {
        self.path.ends_with(ending)
    }

    pub fn under(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// The file's name without folder and endings.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').next().unwrap_or(name)
    }

    /// The name of the crate the file belongs to.
    pub fn krate(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Rust or JavaScript without its comments; nothing for other languages.
    pub fn code(&self) -> Vec<Token> {
        let mut all = self.tokens();
        all.retain(|token| token.kind != Kind::Comment);
        all
    }

    pub fn tokens(&self) -> Vec<Token> {
        if self.is(".rs") {
            tokens::rust(&self.text)
        } else if self.is(".js") {
            tokens::script(&self.text).tokens
        } else {
            Vec::new()
        }
    }

    /// Whether all of the file is there for tests alone.
    pub fn is_test(&self) -> bool {
        let folders = ["/tests/", "/test/", "/benches/"];
        folders.iter().any(|folder| self.path.contains(folder)) || self.stem().ends_with("tests")
    }

    /// The part of a Rust file that ships: all before its unit tests, which stand last.
    pub fn shipped(&self) -> Vec<Token> {
        if self.is_test() {
            return Vec::new();
        }
        let mut all = self.tokens();
        let marks = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
        let begins = |ten: &[Token]| ten.iter().map(|token| &token.text).take(8).eq(marks) && ten[9].is("{");
        let tests = all.windows(10).position(begins);
        all.truncate(tests.unwrap_or(all.len()));
        all
    }
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text file of the repository that nobody else wrote, by path.
pub fn our_files() -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root(), "", &mut found).expect("the repository can be read");
    found.retain(|file| !file.under("web/vendor/"));
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// One file by its path; nothing while it does not exist.
pub fn file(path: &str) -> Option<Source> {
    let text = fs::read_to_string(root().join(path)).ok()?;
    Some(Source::sample(path, &text))
}

/// Fails with every fault there is, and with what to do about them.
#[track_caller]
pub fn none(faults: Vec<String>, what_to_do: &str) {
    assert!(faults.is_empty(), "{what_to_do}\n  {}\n", faults.join("\n  "));
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<Source>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            found.push(Source { path, text });
        }
    }
    Ok(())
}

#[test]
fn everything_the_rules_look_at_is_there() {
    let missing =
        MUST_EXIST.iter().filter(|path| !root().join(path).is_file()).map(|path| (*path).to_owned());
    none(missing.collect(), "These files are part of the house; rules would be empty without them:");
}

#[test]
fn unit_tests_do_not_ship() {
    let file = Source::sample(
        "a.rs",
        "#[cfg(test)]\nmod a_tests;\nfn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }",
    );
    assert!(file.shipped().iter().any(|token| token.text == "a"));
    assert!(file.shipped().iter().all(|token| token.text != "b"));
}
