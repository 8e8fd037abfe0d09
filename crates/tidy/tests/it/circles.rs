//! Which files know each other: few stand in a circle, and the store of `crates/chat` knows nothing of its nouns.

use crate::tokens::{Kind, Token};
use crate::tree::{Source, none, our_files};
use std::collections::{BTreeMap, BTreeSet};

/// Files that all know each other, directly or through others, can only be understood together. More than this many
/// are too many.
const MOST_IN_A_CIRCLE: usize = 3;

/// The files of one crate that ship.
struct Map<'a> {
    files: Vec<&'a Source>,
    /// The number of the file of each module. The root is the module without a name.
    modules: BTreeMap<Vec<String>, usize>,
}

impl<'a> Map<'a> {
    fn of(files: &'a [Source], krate: &str) -> Self {
        let folder = format!("crates/{krate}/src/");
        let ships = |file: &&Source| file.under(&folder) && file.is(".rs") && !file.is_test();
        let files: Vec<_> = files.iter().filter(ships).collect();
        let mut modules = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            // Of a crate that is a library and a program, the library is the root.
            if file.path == format!("{folder}lib.rs") {
                modules.insert(Vec::new(), number);
            } else {
                modules.entry(module(file)).or_insert(number);
            }
        }
        Self { files, modules }
    }

    /// Which files each file names in its imports and paths.
    fn edges(&self) -> Vec<BTreeSet<usize>> {
        let named = |(number, file): (usize, &&Source)| {
            let here = module(file);
            let paths = paths(&code(file));
            let mut named: BTreeSet<_> = paths.iter().filter_map(|path| self.meant(&here, path)).collect();
            named.remove(&number);
            named
        };
        self.files.iter().enumerate().map(named).collect()
    }

    /// The file that a path in the module `here` leads into; none when it leads out of the crate.
    fn meant(&self, here: &[String], path: &[String]) -> Option<usize> {
        let mut at = here.to_vec();
        let mut rest = path.iter().peekable();
        match rest.peek()?.as_str() {
            "crate" => at.clear(),
            "self" | "super" => {}
            child => {
                at.push(child.to_owned());
                let is_child = self.modules.contains_key(&at);
                at.pop();
                if !is_child {
                    return None;
                }
            }
        }
        for name in rest {
            match name.as_str() {
                "crate" | "self" => {}
                "super" => {
                    at.pop();
                }
                name => {
                    at.push(name.to_owned());
                    if !self.modules.contains_key(&at) {
                        at.pop();
                        break;
                    }
                }
            }
        }
        self.modules.get(&at).copied()
    }
}

/// The module that a file holds, from the root of its crate: `store::tx` for `crates/chat/src/store/tx.rs`.
fn module(file: &Source) -> Vec<String> {
    let (_, path) = file.path.split_once("/src/").unwrap_or(("", &file.path));
    let mut names: Vec<_> = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    names.pop_if(|last| last == "mod");
    if names.len() == 1 && (names[0] == "lib" || names[0] == "main") {
        names.clear();
    }
    names
}

/// What ships of a file, without comments.
fn code(file: &Source) -> Vec<Token> {
    let mut code = file.shipped();
    code.retain(|token| token.kind != Kind::Comment);
    code
}

/// Every path of two names or more that is imported, or that begins at the root, the module or its parent. `use a::{b,
/// c::d}` holds two of them. Two things are not counted: a call such as `child::go()` of a parent into a child that it
/// declares, and a visibility such as `pub(in crate::sql)`.
fn paths(code: &[Token]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if !code[at].is_word() {
            at += 1;
            continue;
        }
        let mut read = Vec::new();
        let start = at;
        let is_import = start > 0 && code[start - 1].is("use");
        at = path(code, at, &[], &mut read);
        // `$crate` is of the file in which a macro is used, and not of the one that defines it.
        let roots = ["crate", "self", "super"];
        let is_visibility = start > 1 && code[start - 1].is("in") && code[start - 2].is("(");
        read.retain(|path| !is_visibility && (is_import || roots.contains(&path[0].as_str())));
        found.append(&mut read);
    }
    found
}

/// Reads the path that begins `at`, behind the names before its group. Returns where it ends.
fn path(code: &[Token], mut at: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let is = |at: usize, text: &str| code.get(at).is_some_and(|token| token.is(text));
    let mut names = before.to_vec();
    while code.get(at).is_some_and(Token::is_word) {
        names.push(code[at].text.clone());
        at += 1;
        if !(is(at, ":") && is(at + 1, ":")) {
            break;
        }
        at += 2;
    }
    if is(at, "{") && is(at - 1, ":") {
        while at < code.len() && !is(at, "}") {
            let begins = is(at, "{") || is(at, ",");
            at += 1;
            if begins && code.get(at).is_some_and(Token::is_word) {
                at = path(code, at, &names, found);
            }
        }
        return at + 1;
    }
    if names.len() > 1 {
        found.push(names);
    }
    at
}

/// Every circle of files of a crate that has too many of them.
fn circles(files: &[Source], krate: &str) -> Vec<String> {
    let map = Map::of(files, krate);
    let edges = map.edges();
    let reached: Vec<_> = (0..edges.len()).map(|from| reachable(&edges, from)).collect();
    let circle = |one: usize| -> Vec<_> {
        reached[one].iter().copied().filter(|other| reached[*other].contains(&one)).collect()
    };
    let mut circles: Vec<_> = (0..edges.len()).map(circle).collect();
    circles.sort();
    circles.dedup();
    circles.retain(|circle| circle.len() > MOST_IN_A_CIRCLE);
    let named = |circle: &Vec<usize>| {
        let paths: Vec<_> = circle.iter().map(|file| map.files[*file].path.as_str()).collect();
        paths.join(", ")
    };
    circles.iter().map(named).collect()
}

/// The files to which some way leads from a file.
fn reachable(edges: &[BTreeSet<usize>], from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        let new = edges[file].iter().filter(|next| reached.insert(**next));
        open.extend(new);
    }
    reached
}

#[test]
fn no_more_than_three_files_stand_in_a_circle() {
    let samples = [
        Source::sample(
            "crates/a/src/c.rs",
            "mod d; pub use d::D; pub(in crate::g) fn c() { self::d::e::<u8>() }",
        ),
        Source::sample("crates/a/src/lib.rs", "mod b; mod c; mod f; pub use b::B;"),
        Source::sample("crates/a/src/b.rs", "use crate::{c::{self, C as Other}, f::F}; // crate::b::d"),
        Source::sample("crates/a/src/c/d.rs", "fn d() -> super::super::f::F { x::f::g() }"),
        Source::sample("crates/a/src/f.rs", "use crate::b::B;\n#[cfg(test)]\nmod tests { use crate::g; }"),
        Source::sample("crates/a/src/g.rs", "use crate::f::F;"),
    ];
    let circle = "crates/a/src/c.rs, crates/a/src/b.rs, crates/a/src/c/d.rs, crates/a/src/f.rs";
    assert_eq!(circles(&samples, "a"), [circle]);
    // Without `c.rs`, three remain in the circle.
    assert!(circles(&samples[1..], "a").is_empty());

    let files = our_files();
    let crates: BTreeSet<_> = files.iter().filter_map(Source::krate).collect();
    let faults = crates.into_iter().flat_map(|krate| circles(&files, krate));
    none(faults.collect(), "Move what these files need of each other into a file that needs none of them:");
}

/// Files of the store that import a file in which `Chat` has methods.
fn nouns_in_the_store(files: &[Source]) -> Vec<String> {
    let map = Map::of(files, "chat");
    let of_chat = |pair: &[Token]| pair[0].is("impl") && pair[1].is("Chat");
    let has_methods: Vec<_> = map.files.iter().map(|file| code(file).windows(2).any(of_chat)).collect();
    let mut faults = Vec::new();
    for (file, named) in map.files.iter().zip(map.edges()) {
        let nouns = named.iter().filter(|noun| has_methods[**noun]);
        if module(file).first().is_some_and(|name| name == "store") {
            faults.extend(nouns.map(|noun| format!("{} uses {}", file.path, map.files[*noun].path)));
        }
    }
    faults
}

#[test]
fn the_store_knows_no_noun() {
    let samples = [
        Source::sample("crates/chat/src/chat.rs", "struct Chat; impl Chat { fn new() {} }"),
        Source::sample("crates/chat/src/rooms.rs", "use crate::store::Store; impl Chat {}"),
        Source::sample("crates/chat/src/store.rs", "use crate::text::Name;"),
        Source::sample("crates/chat/src/store/tx.rs", "fn tx(room: crate::rooms::Room) { super::chat(); }"),
        Source::sample("crates/chat/src/text.rs", "use crate::chat::Chat;"),
    ];
    assert_eq!(nouns_in_the_store(&samples), ["crates/chat/src/store/tx.rs uses crates/chat/src/rooms.rs"]);
    none(nouns_in_the_store(&our_files()), "Move what the store needs to a file that has no `impl Chat`:");
}
