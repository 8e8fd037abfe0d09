//! The web client: rings with arrows one way, no markup from strings, every text by key, lines that fit on a screen.

use crate::tokens::{self, Kind, Template, Token};
use crate::tree::{Source, none, our_files};

/// A folder under `web/`, and the folders its modules may import from. `app.js` alone knows all.
const RINGS: [(&str, &[&str]); 6] = [
    ("state", &["state"]),
    ("net", &["net", "state"]),
    ("actions", &["actions", "net", "state"]),
    ("views", &["views", "strings", "vendor"]),
    ("strings", &["strings"]),
    ("test", &["actions", "app.js", "net", "state", "strings", "test", "vendor", "views"]),
];

/// Ways to make markup or code of a string.
const MARKUP_FROM_STRINGS: [&str; 9] = [
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "createContextualFragment",
    "dangerouslySetInnerHTML",
    "setHTMLUnsafe",
    "srcdoc",
    "eval",
    "Function",
];

/// What `state/` is given as arguments in place of taking it from the world.
const WORLD: [&str; 14] = [
    "document",
    "window",
    "globalThis",
    "navigator",
    "localStorage",
    "sessionStorage",
    "WebSocket",
    "fetch",
    "performance",
    "crypto",
    "setTimeout",
    "setInterval",
    "requestAnimationFrame",
    "queueMicrotask",
];

/// Attributes whose value a person reads or hears.
const SPOKEN: [&str; 5] = ["alt", "aria-description", "aria-label", "placeholder", "title"];

fn scripts(files: &[Source]) -> impl Iterator<Item = &Source> {
    files.iter().filter(|file| file.under("web/") && file.is(".js"))
}

/// What a module imports, with the line: static, dynamic and re-exported.
fn imports(code: &[Token]) -> Vec<(usize, String)> {
    let texts = code.iter().enumerate().filter(|(_, token)| token.kind == Kind::Text);
    let imported = texts.filter(|(at, _)| is_static(code, *at) || is_dynamic(code, *at));
    imported.map(|(_, token)| (token.line, module_name(token))).collect()
}

fn is_static(code: &[Token], at: usize) -> bool {
    follows(code, at, &["from"]) || follows(code, at, &["import"])
}

fn is_dynamic(code: &[Token], at: usize) -> bool {
    follows(code, at, &["(", "import"])
}

/// Whether `words` stand before the token at `at`, the nearest first.
fn follows(code: &[Token], at: usize, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(back, word)| at > back && code[at - back - 1].is(word))
}

fn module_name(token: &Token) -> String {
    token.text.trim_matches(['"', '\'']).to_owned()
}

/// The path under `web/` that `name` means in the module at `path`; nothing when it leads out of it.
fn imported(path: &str, name: &str) -> Option<String> {
    let mut folders: Vec<&str> = path.split('/').skip(1).collect();
    folders.pop();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => {
                folders.pop()?;
            }
            part => folders.push(part),
        }
    }
    Some(folders.join("/"))
}

fn wrong_imports(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in scripts(files) {
        let ring = file.path.split('/').nth(1).unwrap_or_default();
        let allowed = RINGS.iter().find(|(name, _)| *name == ring).map(|(_, allowed)| *allowed);
        if allowed.is_none() && ring != "app.js" {
            faults.push(format!("{} stands in no ring", file.path));
        }
        for (line, name) in imports(&file.code()) {
            if ring == "test" && name.starts_with("node:") {
                continue;
            }
            let target =
                imported(&file.path, &name).filter(|_| name.starts_with('.') && name.contains(".js"));
            let known = target.is_some_and(|target| {
                let folder = target.split('/').next().unwrap_or_default();
                allowed.is_none_or(|allowed| allowed.contains(&folder))
            });
            if !known {
                faults.push(format!("{}:{line} imports {name}", file.path));
            }
        }
    }
    faults
}

#[test]
fn the_rings_of_the_web_client_keep_their_order() {
    let samples = [
        Source::sample("web/state/a.js", "import { b } from '../net/b.js'; import './c.js';"),
        Source::sample("web/views/d.js", "const e = await import('../state/e.js'); export * from 'preact';"),
        Source::sample("web/loose.js", ""),
        Source::sample("web/app.js", "import './net/f.js'; import './views/g.js';"),
        Source::sample("web/test/h.test.js", "import test from 'node:test'; import '../state/i.js';"),
    ];
    assert_eq!(wrong_imports(&samples).len(), 4);
    let what_to_do = "state/ imports state/; net/ also state/; actions/ both; views/ vendor/ and strings/; by relative path:";
    none(wrong_imports(&our_files()), what_to_do);
}

/// What fetches the first view: the page's script, and the view that it draws.
const FIRST: [&str; 2] = ["web/app.js", "web/views/shell.js"];

/// Modules that the first view imports and `index.html` does not fetch ahead, and the other way round.
fn wrong_preloads(files: &[Source]) -> Vec<String> {
    let mut needed: Vec<String> = FIRST.map(str::to_owned).to_vec();
    let mut at = 0;
    while let Some(path) = needed.get(at).cloned() {
        at += 1;
        let Some(file) = files.iter().find(|file| file.path == path) else { continue };
        let code = file.code();
        let names = (0..code.len()).filter(|at| code[*at].kind == Kind::Text && is_static(&code, *at));
        let targets = names.filter_map(|at| imported(&path, &module_name(&code[at])));
        for target in targets.map(|target| format!("web/{target}")) {
            if !needed.contains(&target) {
                needed.push(target);
            }
        }
    }
    let page = files.iter().find(|file| file.path == "web/index.html").map_or("", |file| file.text.as_str());
    let links = page.split("rel=\"modulepreload\" href=\"/assets/{{build}}/").skip(1);
    let fetched: Vec<String> =
        links.filter_map(|rest| rest.split('"').next()).map(|path| format!("web/{path}")).collect();
    let missing = needed.iter().filter(|path| *path != "web/app.js" && !fetched.contains(path));
    let unneeded = fetched.iter().filter(|path| !needed.contains(path));
    let missing = missing.map(|path| format!("{path} is not fetched ahead"));
    missing.chain(unneeded.map(|path| format!("{path} is not needed at first"))).collect()
}

#[test]
fn the_page_fetches_ahead_exactly_what_its_first_view_imports() {
    let samples = [
        Source::sample("web/app.js", "import './a.js'; await import('./views/shell.js');"),
        Source::sample("web/a.js", "import './b.js'; import('./c.js');"),
        Source::sample(
            "web/index.html",
            "<link rel=\"modulepreload\" href=\"/assets/{{build}}/a.js\"><link rel=\"modulepreload\" \
             href=\"/assets/{{build}}/c.js\"><link rel=\"modulepreload\" href=\"/assets/{{build}}/views/shell.js\">",
        ),
    ];
    let faults = wrong_preloads(&samples);
    assert_eq!(faults, ["web/b.js is not fetched ahead", "web/c.js is not needed at first"]);
    none(wrong_preloads(&our_files()), "Bring the preloads of web/index.html up to date:");
}

/// The most characters that a line of a script has.
const LINE_CHARS: usize = 120;

fn long_lines(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.under("web/") && (file.is(".js") || file.is(".d.ts"))) {
        let lines = file.text.lines().map(|line| line.chars().count()).enumerate();
        let long = lines.filter(|(_, chars)| *chars > LINE_CHARS);
        faults.extend(long.map(|(at, chars)| format!("{}:{} has {chars} characters", file.path, at + 1)));
    }
    faults
}

#[test]
fn lines_of_scripts_fit_on_a_screen() {
    let long = format!("a;\n{}\n{}", "b".repeat(121), "c".repeat(120));
    assert_eq!(long_lines(&[Source::sample("web/a.js", &long)]), ["web/a.js:2 has 121 characters"]);
    none(long_lines(&our_files()), "Wrap them, or give a part a name (limit: 120 characters):");
}

fn markup_from_strings(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in scripts(files).filter(|file| !file.under("web/test/")) {
        let code = file.code();
        for (at, token) in code.iter().enumerate().filter(|(_, token)| token.is_word()) {
            let writes = token.is("document")
                && code.get(at + 2).is_some_and(|call| ["write", "writeln"].contains(&call.text.as_str()));
            if writes || MARKUP_FROM_STRINGS.contains(&token.text.as_str()) {
                faults.push(format!("{}:{} {}", file.path, token.line, token.text));
            }
        }
    }
    faults
}

#[test]
fn no_markup_is_made_of_strings() {
    let file = Source::sample("web/views/a.js", "b.innerHTML = c; document.write(d); // outerHTML");
    assert_eq!(markup_from_strings(&[file]).len(), 2);
    none(markup_from_strings(&our_files()), "Text is set as text and elements are made as elements:");
}

fn world_in_state(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in scripts(files).filter(|file| file.under("web/state/")) {
        let code = file.code();
        for (at, token) in code.iter().enumerate().filter(|(_, token)| token.is_word()) {
            let property = at > 0 && code[at - 1].is(".");
            let key = code.get(at + 1).is_some_and(|next| next.is(":"));
            let then = |back: usize, word: &str| code.get(at + back).is_some_and(|next| next.is(word));
            let clock = token.is("Date") && (then(2, "now") || (then(1, "(") && then(2, ")")));
            let chance = token.is("Math") && then(2, "random");
            if (WORLD.contains(&token.text.as_str()) && !property && !key) || clock || chance {
                faults.push(format!("{}:{} {}", file.path, token.line, token.text));
            }
        }
    }
    faults
}

#[test]
fn state_is_pure() {
    let file =
        Source::sample("web/state/a.js", "window.b; new Date(); Math.random(); new Date(at); c.document;");
    assert_eq!(world_in_state(&[file]).len(), 3);
    none(world_in_state(&our_files()), "Give state/ the time, chance or element's content as an argument:");
}

/// Words between tags, or in attributes that people read, that do not come through a hole.
fn literal_texts(template: &Template) -> Vec<String> {
    let mut found = Vec::new();
    let (mut tag, mut text, mut in_tag, mut quote) = (String::new(), String::new(), false, None);
    for c in template.text.chars() {
        match (in_tag, quote, c) {
            (false, _, '<') => in_tag = true,
            (false, _, c) => text.push(c),
            (true, Some(open), c) => {
                quote = (c != open).then_some(open);
                tag.push(c);
            }
            (true, None, '>') => {
                in_tag = false;
                found.extend(spoken_attribute(&tag));
                tag.clear();
                text.push(' ');
            }
            (true, None, c) => {
                quote = ['"', '\''].contains(&c).then_some(c);
                tag.push(c);
            }
        }
    }
    found.extend(text.split(['\0', ' ', '\n']).find(|word| has_letters(word)).map(str::to_owned));
    found
}

fn spoken_attribute(tag: &str) -> Option<String> {
    let literal = |name: &&&str| {
        let opening = format!(" {name}=");
        tag.split(&opening).skip(1).any(|value| {
            let quote = value.chars().next().filter(|c| ['"', '\''].contains(c));
            value.trim_start_matches(['"', '\'']).split(quote.unwrap_or(' ')).next().is_some_and(has_letters)
        })
    };
    SPOKEN.iter().find(literal).map(|name| format!("{name}=…"))
}

/// Our own name is the same in every language, and an entity is a mark.
fn has_letters(text: &str) -> bool {
    let text = text.trim();
    text.chars().any(char::is_alphabetic)
        && text != "Roomful"
        && !(text.starts_with('&') && text.ends_with(';'))
}

fn texts_in_views(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in scripts(files).filter(|file| file.under("web/views/")) {
        let templates =
            tokens::script(&file.text).templates.into_iter().filter(|template| template.tag == "html");
        for template in templates {
            let texts = literal_texts(&template).into_iter();
            faults.extend(texts.map(|text| format!("{}:{} {text}", file.path, template.line)));
        }
    }
    faults
}

#[test]
fn every_text_of_a_view_comes_from_the_strings() {
    let caught = "a = html`<p class=\"b\">Hello ${c}</p>`; d = html`<img alt='A door' />`;";
    assert_eq!(texts_in_views(&[Source::sample("web/views/a.js", caught)]).len(), 2);
    let fine = "a = html`<p class=\"b c\" title=${d}>${e} · ${f}</p>\n<${G} on=${() => h > 1} /> 1`";
    assert!(texts_in_views(&[Source::sample("web/views/a.js", fine)]).is_empty());
    none(texts_in_views(&our_files()), "Put the text into web/strings and take it from there by key:");
}

/// What the page's Content-Security-Policy would refuse.
fn inline_in_pages(files: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.under("web/") && file.is(".html")) {
        for tag in file.text.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            let runs =
                tag.starts_with("script") && !tag.contains("src=") && !tag.contains("application/json");
            let attributes = tag.split_whitespace().skip(1).filter_map(|pair| pair.split_once('='));
            let refused = attributes.into_iter().any(|(name, value)| {
                let value = value.trim_start_matches(['"', '\'']);
                let elsewhere = ["//", "http:", "https:"].iter().any(|begins| value.starts_with(begins));
                name == "style" || name.starts_with("on") || (["href", "src"].contains(&name) && elsewhere)
            });
            if runs || refused || tag.starts_with("style") {
                faults.push(format!("{} <{tag}>", file.path));
            }
        }
    }
    faults
}

#[test]
fn pages_hold_nothing_that_their_own_policy_refuses() {
    let bad = "<p style=\"a\"><a onclick=\"b()\"><script>c</script><script src=\"https://d\"></script>";
    assert_eq!(inline_in_pages(&[Source::sample("web/a.html", bad)]).len(), 4);
    let fine =
        "<!doctype html><script type=\"application/json\" id=\"e\">{}</script><script src=\"f.js\"></script>";
    assert!(inline_in_pages(&[Source::sample("web/a.html", fine)]).is_empty());
    none(inline_in_pages(&our_files()), "Move it into a module or a style sheet of ours:");
}
