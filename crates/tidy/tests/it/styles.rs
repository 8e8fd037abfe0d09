//! The style sheets: they mirror for right-to-left languages by themselves, and each is served.

use crate::sizes::Exceptions;
use crate::tree::{Source, file, none, our_files};
use std::collections::BTreeSet;

/// Parts of a property's name that tie it to a side of the screen, and what to write.
const PHYSICAL: [(&str, &str); 12] = [
    ("left", "inset-inline-start"),
    ("right", "inset-inline-end"),
    ("top", "inset-block-start"),
    ("bottom", "inset-block-end"),
    ("width", "inline-size"),
    ("height", "block-size"),
    ("-left", "-inline-start"),
    ("-right", "-inline-end"),
    ("-top", "-block-start"),
    ("-bottom", "-block-end"),
    ("-width", "-inline-size"),
    ("-height", "-block-size"),
];

/// Families of which the parts with a dash above are physical; others, such as `border-width`, are not.
const FAMILIES: [&str; 6] = ["margin", "padding", "border", "min", "max", "scroll-margin"];

/// Names and values of the declarations in a style sheet, with their lines.
fn declarations(css: &str) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    let (mut line, mut start, mut piece) = (1, 1, String::new());
    let bare = without_comments(css);
    for c in bare.chars() {
        if piece.trim().is_empty() {
            start = line;
        }
        line += usize::from(c == '\n');
        match c {
            // What ends with an opening brace is a selector or an at-rule: `(width < 40rem)` may stand there.
            '{' => piece.clear(),
            ';' | '}' => {
                let declared = piece.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
                found.extend(declared.map(|(name, value)| (start, name.to_owned(), value.to_owned())));
                piece.clear();
            }
            c => piece.push(c),
        }
    }
    found
}

/// Comments become as many line ends as they hold.
fn without_comments(css: &str) -> String {
    let mut bare = String::new();
    let mut rest = css;
    while let Some((before, comment)) = rest.split_once("/*") {
        let (comment, after) = comment.split_once("*/").unwrap_or((comment, ""));
        bare.push_str(before);
        bare.push_str(&"\n".repeat(comment.matches('\n').count()));
        rest = after;
    }
    bare.push_str(rest);
    bare
}

/// What to write in place of a physical property or value.
fn logical(name: &str, value: &str) -> Option<&'static str> {
    let aligns = ["text-align", "float", "clear"].contains(&name) && ["left", "right"].contains(&value);
    if aligns {
        return Some("start, end");
    }
    let whole = PHYSICAL.iter().find(|(part, _)| *part == name);
    let family = FAMILIES.iter().find_map(|family| name.strip_prefix(family));
    let part = family.filter(|part| *part != "-width" || !name.starts_with("border"));
    let side = part.and_then(|part| {
        PHYSICAL.iter().find(|(side, _)| *side == part || part.starts_with(&format!("{side}-")))
    });
    whole.or(side.filter(|(side, _)| side.starts_with('-'))).map(|(_, write)| *write)
}

fn physical(files: &[Source], exceptions: &mut Exceptions) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.under("web/") && file.is(".css")) {
        for (line, name, value) in declarations(&file.text) {
            if let Some(write) =
                logical(&name, &value).filter(|_| !exceptions.let_off("style", &file.path, &name))
            {
                faults.push(format!("{}:{line} {name}: {value} → {write}", file.path));
            }
        }
    }
    faults
}

#[test]
fn style_sheets_mirror_by_themselves() {
    let caught = "a {\n  margin-left: 1px;\n  & b { width: 2px; text-align: right }\n  border-top-left-radius: 3px;\n}";
    assert_eq!(physical(&[Source::sample("web/a.css", caught)], &mut Exceptions::none()).len(), 4);
    let fine = "@media (width < 40rem) { a { border-width: 1px; transition: width 1s; --left: 2px } } /* left: 0; */";
    assert!(physical(&[Source::sample("web/a.css", fine)], &mut Exceptions::none()).is_empty());
    let mut exceptions = Exceptions::read();
    none(
        physical(&our_files(), &mut exceptions),
        "Use the logical property, or give exceptions.toml a reason:",
    );
    none(exceptions.unused("style"), "Nothing needs these exceptions any more; take them out:");
}

#[test]
fn every_style_sheet_is_served_once() {
    let Some(order) = file("web/styles/order.txt") else { return };
    let named: Vec<_> = order.text.lines().filter(|line| !line.is_empty()).collect();
    let unique: BTreeSet<_> = named.iter().copied().collect();
    let all = our_files();
    let sheets = all.iter().filter_map(|file| file.path.strip_prefix("web/styles/"));
    let present: BTreeSet<_> = sheets.filter(|name| name.ends_with(".css")).collect();
    let absent = unique.difference(&present).filter(|name| **name != "*").map(|name| (*name).to_owned());
    let twice = (named.len() > unique.len()).then(|| "a name stands twice".to_owned());
    let rest = (!unique.contains("*")).then(|| "no * for the sheets that it does not name".to_owned());
    none(
        absent.chain(twice).chain(rest).collect(),
        "web/styles/order.txt names sheets that are there, and * for all others, in the order of the cascade:",
    );
}
