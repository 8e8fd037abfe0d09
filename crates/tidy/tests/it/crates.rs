//! The crates: what each says of itself, the arrows between them, and what must stay where.

use crate::tokens::Token;
use crate::tree::{Source, file, none, our_files};
use std::collections::BTreeSet;

/// A crate, and the crates of ours it depends on: exactly these, no others.
const ARROWS: [(&str, &[&str]); 10] = [
    ("protocol", &[]),
    ("chat", &["protocol", "sabotage"]),
    ("delivery", &["sabotage"]),
    ("server", &["chat", "delivery", "heap", "protocol", "sabotage"]),
    ("client", &["protocol"]),
    ("load", &["client", "protocol", "sabotage", "testbed"]),
    ("sabotage", &[]),
    ("heap", &[]),
    ("testbed", &[]),
    ("tidy", &[]),
];

/// What tests may use beyond that.
const ARROWS_OF_TESTS: [(&str, &[&str]); 3] =
    [("chat", &["testbed"]), ("client", &["delivery"]), ("server", &["client", "load", "testbed"])];

/// `protocol` is for everybody, so it brings nobody a runtime, a clock or a socket.
const PROTOCOL_MAY_USE: [&str; 4] = ["serde", "serde_json", "utoipa", "uuid"];

/// A word of code that belongs behind a border, and where it may stand.
const BORDERS: [(&str, &[&str]); 4] = [
    ("tokio_postgres", &["crates/chat/src/sql", "crates/server/benches/"]),
    (
        "rusqlite",
        &[
            "crates/chat/src/sql",
            "crates/chat/src/store",
            "crates/chat/tests/",
            "crates/chat/benches/",
            "crates/sabotage/src/disk/vfs.rs",
            "crates/sabotage/tests/",
            "crates/server/benches/",
            // Damages a database, to see what a backup says.
            "crates/server/tests/it/backups.rs",
        ],
    ),
    ("axum", &["crates/server/", "crates/load/src/textbook"]),
    ("mio", &["crates/delivery/", "crates/load/src/lower_bound", "crates/load/src/swarm"]),
];

/// Where the environment and the arguments are read: once, at the edge.
const READS_ENVIRONMENT: [&str; 6] = [
    "crates/server/src/main.rs",
    "crates/server/src/config",
    "crates/server/src/cli",
    "crates/load/src/main.rs",
    "crates/sabotage/src",
    "crates/sabotage/tests/it/writing.rs",
];

/// Words that would mean `chat` knows how it is reached.
const NOT_IN_CHAT: [&str; 4] = ["axum", "hyper", "tungstenite", "tower_http"];

fn without_a_header(files: &[Source]) -> Vec<String> {
    let rust = files.iter().filter(|file| file.is(".rs"));
    rust.filter(|file| !file.text.starts_with("//! ")).map(|file| file.path.clone()).collect()
}

#[test]
fn every_rust_file_says_what_it_is() {
    let faults = without_a_header(&[Source::sample("a.rs", "use b;"), Source::sample("c.rs", "//! Is c.\n")]);
    assert_eq!(faults, ["a.rs"]);
    none(without_a_header(&our_files()), "Begin the file with a `//!` line that says what is in it:");
}

fn without_a_border(roots: &[Source]) -> Vec<String> {
    let says = |file: &Source| {
        let header: String = file.text.lines().take_while(|line| line.starts_with("//!")).collect();
        header.contains("ust not know") || header.contains("oes not know")
    };
    roots.iter().filter(|file| !says(file)).map(|file| file.path.clone()).collect()
}

#[test]
fn every_crate_says_what_it_must_not_know() {
    assert_eq!(without_a_border(&[Source::sample("lib.rs", "//! Is a crate.\n")]), ["lib.rs"]);
    let roots: Vec<_> = ARROWS.iter().filter_map(|(name, _)| crate_root(name)).collect();
    none(without_a_border(&roots), "Say in the `//!` lines what the crate must not know:");
}

fn crate_root(name: &str) -> Option<Source> {
    file(&format!("crates/{name}/src/lib.rs")).or_else(|| file(&format!("crates/{name}/src/main.rs")))
}

#[test]
fn the_arrows_between_crates_point_one_way() {
    let mut faults = Vec::new();
    for (name, arrows) in ARROWS {
        let Some(manifest) = file(&format!("crates/{name}/Cargo.toml")) else { continue };
        let tests = ARROWS_OF_TESTS.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, extra)| extra);
        faults.extend(wrong_arrows(name, &manifest.text, arrows, tests));
    }
    none(
        faults,
        "Dependencies between our crates are decided in ARCHITECTURE.md; changing them needs an ADR:",
    );
}

fn wrong_arrows(name: &str, manifest: &str, arrows: &[&str], tests: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let ours = our_dependencies(manifest, &["dependencies", "build-dependencies"]);
    let expected: BTreeSet<String> = arrows.iter().map(|arrow| (*arrow).to_owned()).collect();
    if ours != expected {
        faults.push(format!("{name} depends on {ours:?}, not on {expected:?}"));
    }
    for dependency in our_dependencies(manifest, &["dev-dependencies"]) {
        if !expected.contains(&dependency) && !tests.contains(&dependency.as_str()) {
            faults.push(format!("the tests of {name} depend on {dependency}"));
        }
    }
    faults
}

fn our_dependencies(manifest: &str, sections: &[&str]) -> BTreeSet<String> {
    let names = dependencies(manifest, sections).into_iter();
    let plain = names.map(|name| name.trim_start_matches("roomful-").to_owned());
    plain.filter(|name| ARROWS.iter().any(|(known, _)| known == name)).collect()
}

/// The names of all dependencies in `sections`, those for one platform too.
fn dependencies(manifest: &str, sections: &[&str]) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().expect("cargo has read this manifest");
    let platforms = manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten();
    let tables = platforms.filter_map(|(_, table)| table.as_table()).chain([&manifest]);
    let mut names = Vec::new();
    for table in tables {
        for section in sections {
            let named = table.get(*section).and_then(toml::Value::as_table).into_iter().flatten();
            names.extend(named.map(|(name, _)| name.clone()));
        }
    }
    names
}

#[test]
fn a_wrong_arrow_is_noticed() {
    let chat =
        "[dependencies]\nprotocol.workspace = true\n[target.'cfg(unix)'.dependencies]\nroomful-server = '1'";
    assert_eq!(wrong_arrows("chat", chat, &["protocol"], &[]).len(), 1);
    assert_eq!(wrong_arrows("chat", "[dev-dependencies]\nclient = '1'", &[], &[]).len(), 1);
    assert!(wrong_arrows("server", "[dev-dependencies]\nclient = '1'", &[], &["client"]).is_empty());
}

#[test]
fn every_crate_has_its_arrows() {
    let known = |name: &str| ARROWS.iter().any(|(known, _)| *known == name);
    let present: BTreeSet<_> =
        our_files().iter().filter_map(|file| file.krate().map(str::to_owned)).collect();
    let strangers = present.iter().filter(|name| !known(name)).map(|name| format!("crates/{name} is new"));
    let absent = ARROWS
        .iter()
        .filter(|(name, _)| !present.contains(*name))
        .map(|(name, _)| format!("no crates/{name}"));
    none(
        strangers.chain(absent).collect(),
        "ARCHITECTURE.md and ARROWS in this test list the crates we have:",
    );
}

#[test]
fn the_protocol_brings_nothing_along() {
    let Some(manifest) = file("crates/protocol/Cargo.toml") else { return };
    let used = dependencies(&manifest.text, &["dependencies", "build-dependencies"]);
    let faults = used.into_iter().filter(|name| !PROTOCOL_MAY_USE.contains(&name.as_str()));
    none(faults.collect(), "crates/protocol is serde alone; do this in the crate that needs it:");
}

fn across_borders(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is(".rs") && !file.under("crates/tidy/")) {
        for (word, places) in BORDERS {
            if !places.iter().any(|place| file.under(place)) {
                let found = file.code().into_iter().find(|token| token.is(word));
                faults.extend(found.map(|token| format!("{}:{} {word}", file.path, token.line)));
            }
        }
    }
    faults
}

#[test]
fn sql_http_and_epoll_stay_where_they_belong() {
    let samples = ["crates/chat/src/store.rs", "crates/chat/src/rooms.rs"];
    let faults = across_borders(&samples.map(|path| Source::sample(path, "use rusqlite::Row; // axum")));
    assert_eq!(faults, ["crates/chat/src/rooms.rs:1 rusqlite"]);
    none(across_borders(&our_files()), "Move it to where BORDERS in this test says it belongs:");
}

fn reads_of_the_environment(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    let in_src = files.iter().filter(|file| file.is(".rs") && file.path.contains("/src/"));
    for file in in_src.filter(|file| !READS_ENVIRONMENT.iter().any(|place| file.under(place))) {
        let read = |four: &[Token]| {
            let reads =
                ["var", "vars", "var_os", "vars_os", "args", "args_os"].contains(&four[3].text.as_str());
            four[0].is("env") && four[1].is(":") && four[2].is(":") && reads
        };
        let found = file.code().windows(4).find(|four| read(four)).map(|four| four[0].line);
        faults.extend(found.map(|line| format!("{}:{line}", file.path)));
    }
    faults
}

#[test]
fn the_environment_is_read_at_the_edge() {
    let deep = Source::sample("crates/chat/src/a.rs", "let a = std::env::var(\"A\");");
    assert_eq!(reads_of_the_environment(&[deep]), ["crates/chat/src/a.rs:1"]);
    none(reads_of_the_environment(&our_files()), "Read it in the server's config and pass it on as a value:");
}

fn network_in_chat(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.under("crates/chat/src/") && file.is(".rs")) {
        let code = file.code();
        // `protocol::http` holds bodies, not the network.
        let path_of_http = |at: usize| {
            let begins = at == 0 || !code[at - 1].is(":");
            begins && code[at].is("http") && code.get(at + 1).is_some_and(|next| next.is(":"))
        };
        for (at, token) in code.iter().enumerate().filter(|(_, token)| token.is_word()) {
            let cookie = token.text.to_lowercase().contains("cookie");
            if NOT_IN_CHAT.contains(&token.text.as_str()) || cookie || path_of_http(at) {
                faults.push(format!("{}:{} {}", file.path, token.line, token.text));
            }
        }
    }
    faults
}

#[test]
fn chat_does_not_know_the_network() {
    let file = Source::sample(
        "crates/chat/src/a.rs",
        "use http::StatusCode; use protocol::http::SignIn; struct Cookie;",
    );
    assert_eq!(network_in_chat(&[file]).len(), 2);
    none(network_in_chat(&our_files()), "What is said on the network belongs to crates/server:");
}
