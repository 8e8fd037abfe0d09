//! The documents: short enough to be read, linked without holes, and true of the files they name.

use crate::tree::{Source, file, none, our_files, root};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// What a newcomer reads in one go.
const LINES: [(&str, usize); 3] = [("README.md", 60), ("ARCHITECTURE.md", 300), ("CONTRIBUTING.md", 170)];

/// The parts of a decision record.
const PARTS_OF_A_DECISION: [&str; 4] =
    ["## Situation", "## Decision", "## What follows", "## What would change our mind"];

#[test]
fn what_a_newcomer_reads_stays_short() {
    let mut faults = Vec::new();
    for (path, limit) in LINES {
        let lines = file(path).map_or(0, |file| file.text.lines().count());
        if lines > limit {
            faults.push(format!("{path} has {lines} lines; {limit} is the limit"));
        }
    }
    none(faults, "Say less, or move it to a page under docs/:");
}

/// The text of a page without its code.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let outside_ticks = line.split('`').step_by(2);
            prose.extend(outside_ticks.chain(["\n"]));
        }
    }
    prose
}

/// The targets of `[text](target)`.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    targets.map(str::to_owned).collect()
}

/// The path a link means, without `.` and `..`.
fn target(page: &str, link: &str) -> PathBuf {
    let mut path = PathBuf::new();
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    for part in folder.join(link).components() {
        if part == Component::ParentDir {
            path.pop();
        } else if part != Component::CurDir {
            path.push(part);
        }
    }
    path
}

fn broken_links(pages: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for page in pages.iter().filter(|page| page.is(".md")) {
        for link in links(&page.text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let to = if path.is_empty() { PathBuf::from(&page.path) } else { target(&page.path, path) };
            let there = page.path == to.to_string_lossy() || root().join(&to).exists();
            let text = if path.is_empty() {
                Some(page.text.clone())
            } else {
                file(&to.to_string_lossy()).map(|f| f.text)
            };
            let found = heading.is_empty() || text.is_some_and(|text| headings(&text).contains(heading));
            if !there || !found {
                faults.push(format!("{} → {link}", page.path));
            }
        }
    }
    faults
}

/// The anchors of a page's headings, as forges make them.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        title.chars().filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect()
    };
    lines.map(anchor).collect()
}

#[test]
fn links_between_our_pages_lead_somewhere() {
    let page = "# A page\n[a](#a-page) [b](#gone) [c](../Cargo.toml) [d](gone.md) `[e](x)`\n```\n[f](x)\n```";
    assert_eq!(
        broken_links(&[Source::sample("docs/a.md", page)]),
        ["docs/a.md → #gone", "docs/a.md → gone.md"]
    );
    none(broken_links(&our_files()), "Mend the link or write what it promises:");
}

/// Paths in backticks that look like files of ours and are not there.
fn unknown_files(page: &Source) -> Vec<String> {
    let top = ["crates/", "docs/", "scripts/", "web/"];
    let ticked = page.text.split('`').skip(1).step_by(2);
    let paths = ticked.filter(|text| top.iter().any(|folder| text.starts_with(folder)));
    let plain = paths.filter(|path| !path.contains(['*', '<', '{', ' ', '…', '\n']));
    plain
        .filter(|path| !root().join(path).exists())
        .map(|path| format!("{} names {path}", page.path))
        .collect()
}

#[test]
fn files_that_the_documents_name_are_there() {
    assert_eq!(unknown_files(&Source::sample("a.md", "see `crates/gone.rs` and `crates/*/src`")).len(), 1);
    let pages = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"];
    let faults = pages.iter().filter_map(|path| file(path)).flat_map(|page| unknown_files(&page));
    none(faults.collect(), "The file was renamed or is missing; bring the page up to date:");
}

#[test]
fn decisions_are_numbered_and_complete() {
    let mut records: Vec<_> =
        our_files().into_iter().filter(|file| file.under("docs/adr/") && file.is(".md")).collect();
    records.sort_by(|a, b| a.path.cmp(&b.path));
    let mut faults = Vec::new();
    for (at, record) in records.iter().enumerate() {
        if !record.path.starts_with(&format!("docs/adr/{:04}-", at + 1)) {
            faults.push(format!("{} should be number {}", record.path, at + 1));
        }
        let missing = PARTS_OF_A_DECISION.iter().filter(|part| !record.text.contains(*part));
        faults.extend(missing.map(|part| format!("{} has no `{part}`", record.path)));
    }
    none(faults, "A decision record has the next number and four parts (docs/adr/0001-…):");
}

#[test]
fn the_example_configuration_is_toml() {
    let Some(example) = file("config.example.toml") else { return };
    let parsed = example.text.parse::<toml::Table>();
    assert!(parsed.is_ok(), "config.example.toml: {parsed:?}");
}
