//! The words: which names say nothing, and whether CONTRIBUTING.md explains the ones we use.

use crate::sizes::Exceptions;
use crate::tokens::Token;
use crate::tree::{Source, file, none, our_files};

/// Words that fit everything and so name nothing, wherever in a name they stand.
const NOWHERE: [&str; 9] =
    ["manager", "handler", "handlers", "service", "services", "helper", "helpers", "util", "utils"];

/// Words that say nothing at the end of a type's name or as the whole name of a file.
const NOT_AS_A_KIND: [&str; 8] = ["common", "data", "dto", "entity", "info", "misc", "payload", "types"];

/// `RoomModel` is a `Room`. A file `model.rs` that holds them all, or the `Model` that a test compares with, is fine.
const NOT_AS_A_TYPE: [&str; 3] = ["impl", "model", "object"];

/// Every noun and verb the code, the protocol and the documents use for our things.
const OUR_WORDS: [&str; 50] = [
    "user",
    "guest",
    "session",
    "connection",
    "room",
    "member",
    "membership",
    "here",
    "role",
    "message",
    "draft",
    "seq",
    "nonce",
    "head",
    "rev",
    "read mark",
    "command",
    "reply",
    "event",
    "frame",
    "gateway",
    "tail",
    "shard",
    "follow",
    "bus",
    "node",
    "store",
    "timeline",
    "outbox",
    "invite",
    "epoch",
    "beat",
    "visitor",
    "provisional",
    "log",
    "page",
    "community",
    "join",
    "leave",
    "open",
    "remove",
    "post",
    "edit",
    "delete",
    "react",
    "mark_read",
    "publish",
    "deliver",
    "resume",
    "presence",
];

/// A name that a file declares.
struct Name {
    text: String,
    line: usize,
    is_type: bool,
}

fn names(file: &Source) -> Vec<Name> {
    let types: &[&str] =
        if file.is(".rs") { &["struct", "enum", "trait", "type", "union"] } else { &["class"] };
    let others: &[&str] = if file.is(".rs") {
        &["fn", "mod", "const", "static", "let"]
    } else {
        &["function", "const", "let", "var"]
    };
    let code = file.code();
    let pairs = code.windows(2).filter(|pair| pair[0].is_word() && pair[1].is_word());
    let named = pairs.filter_map(|pair: &[Token]| {
        let keyword = pair[0].text.as_str();
        let is_type = types.contains(&keyword);
        let declares = is_type || others.contains(&keyword);
        declares.then(|| Name { text: pair[1].text.clone(), line: pair[1].line, is_type })
    });
    named.collect()
}

/// `markRead`, `MarkRead` and `mark_read` are made of the words `mark` and `read`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The word a declared name should do without.
fn idle_word(name: &Name) -> Option<String> {
    let words = words(&name.text);
    let kind = words.last().filter(|word| {
        let word = word.as_str();
        let suffix = words.len() > 1 && NOT_AS_A_TYPE.contains(&word);
        name.is_type && (NOT_AS_A_KIND.contains(&word) || suffix)
    });
    words.iter().find(|word| NOWHERE.contains(&word.as_str())).or(kind).cloned()
}

fn idle_names(files: &[Source], exceptions: &mut Exceptions) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is(".rs") || file.is(".js")) {
        for name in names(file) {
            if let Some(word) = idle_word(&name).filter(|word| !exceptions.let_off("word", &file.path, word))
            {
                faults.push(format!("{}:{} {} is named with `{word}`", file.path, name.line, name.text));
            }
        }
        let stem = words(file.stem());
        let nowhere = stem.iter().find(|word| NOWHERE.contains(&word.as_str()));
        let whole = stem.first().filter(|word| stem.len() == 1 && NOT_AS_A_KIND.contains(&word.as_str()));
        faults.extend(nowhere.or(whole).map(|word| format!("{} is named with `{word}`", file.path)));
    }
    faults
}

#[test]
fn names_say_what_a_thing_is() {
    let samples = [
        Source::sample(
            "a.rs",
            "struct RoomManager; struct RoomData; fn write_data() {} impl tower::Service for A {}",
        ),
        Source::sample("utils.js", "class MessageModel {}"),
    ];
    assert_eq!(idle_names(&samples, &mut Exceptions::none()).len(), 4);
    let mut exceptions = Exceptions::read();
    none(
        idle_names(&our_files(), &mut exceptions),
        "Name it after what it is or does (CONTRIBUTING.md, Words):",
    );
    none(exceptions.unused("word"), "Nothing needs these exceptions any more; take them out:");
}

fn unexplained(table: &str) -> Vec<String> {
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with('|')).collect();
    let explained = |word: &str| rows.iter().any(|row| row.contains(&format!("**{word}**")));
    OUR_WORDS.iter().filter(|word| !explained(word)).map(|word| (*word).to_owned()).collect()
}

#[test]
fn every_word_of_ours_is_explained() {
    assert_eq!(unexplained("| **user** | an account |").len(), OUR_WORDS.len() - 1);
    let Some(contributing) = file("CONTRIBUTING.md") else { return };
    none(
        unexplained(&contributing.text),
        "Give the word a row `| **word** | what it means | … |` in CONTRIBUTING.md:",
    );
}

#[test]
fn names_fall_apart_into_words() {
    assert_eq!(words("markRead"), ["mark", "read"]);
    assert_eq!(words("HttpService2"), ["http", "service2"]);
    assert_eq!(words("mark_read"), ["mark", "read"]);
}
