//! Collects the web client: one stylesheet out of many, everything compressed, a name for the whole. And the examples of
//! bodies that the description of the HTTP interface shows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Kinds of files that browsers ask for, and whether compressing them helps.
const KINDS: [(&str, &str, bool); 6] = [
    ("js", "text/javascript; charset=utf-8", true),
    ("css", "text/css; charset=utf-8", true),
    ("svg", "image/svg+xml", true),
    ("webmanifest", "application/manifest+json", true),
    ("png", "image/png", false),
    ("woff2", "font/woff2", false),
];
/// Folders that are not for browsers, and the one whose files leave as one.
const NOT_SERVED: [&str; 4] = ["test", "types", "styles", "node_modules"];

type Files = BTreeMap<String, Vec<u8>>;

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let web = manifest.join("../../web");
    println!("cargo::rerun-if-changed={}", web.display());
    println!("cargo::rerun-if-changed=build.rs");

    let mut files = Files::new();
    collect(&web, "", &mut files)?;
    files.insert("styles.css".to_owned(), styles(&web.join("styles"))?);
    let index = read(&web.join("index.html"))?;
    let build = name(&files, &index);
    fs::write(out.join("index.html"), index)?;
    fs::write(out.join("assets.rs"), table(&files, &build, &out)?)?;

    let fixtures = manifest.join("../protocol/fixtures");
    println!("cargo::rerun-if-changed={}", fixtures.display());
    fs::write(out.join("fixtures.rs"), examples(&fixtures)?)
}

/// The source text of the table of examples: of bodies over HTTP, and of replies, by the name of the file.
fn examples(fixtures: &Path) -> io::Result<String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(fixtures)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(name) = file.strip_suffix(".json")
            && (name.starts_with("http.") || name.starts_with("reply."))
        {
            found.insert(name.to_owned(), path);
        }
    }
    let mut text = "static FIXTURES: &[(&str, &str)] = &[\n".to_owned();
    for (name, path) in found {
        let _ = writeln!(text, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    text += "];\n";
    Ok(text)
}

fn collect(folder: &Path, inside: &str, files: &mut Files) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{inside}{name}");
        if entry.path().is_dir() {
            if !NOT_SERVED.contains(&path.as_str()) {
                collect(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if kind(&path).is_some() {
            files.insert(path, read(&entry.path())?);
        }
    }
    Ok(())
}

/// The stylesheets in the order of `order.txt`, where `*` stands for those that it does not name.
fn styles(folder: &Path) -> io::Result<Vec<u8>> {
    let order = String::from_utf8_lossy(&read(&folder.join("order.txt"))?).into_owned();
    let named: Vec<&str> = order.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
    let mut others = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".css") && !named.contains(&name.as_str()) {
            others.push(name);
        }
    }
    others.sort();
    let mut styles = Vec::new();
    for line in named {
        let names: Vec<&str> =
            if line == "*" { others.iter().map(String::as_str).collect() } else { vec![line] };
        for name in names {
            styles.extend(read(&folder.join(name))?);
            styles.push(b'\n');
        }
    }
    Ok(styles)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn kind(path: &str) -> Option<(&'static str, bool)> {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    KINDS.iter().find(|(known, _, _)| *known == ending).map(|(_, kind, compress)| (*kind, *compress))
}

/// A name for exactly these files: FNV-1a, since all it must do is differ when they do.
fn name(files: &Files, index: &[u8]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        // A file's end counts, too, so that text cannot move between files unnoticed.
        for byte in bytes.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for (path, bytes) in files {
        add(path.as_bytes());
        add(bytes);
    }
    add(index);
    format!("{hash:016x}")
}

/// The source text of the table that the server looks files up in, sorted by path.
fn table(files: &Files, build: &str, out: &Path) -> io::Result<String> {
    let mut text = format!("/// Names the web client's files.\npub const BUILD: &str = {build:?};\n");
    text += "static FILES: &[Asset] = &[\n";
    for (number, (path, bytes)) in files.iter().enumerate() {
        let Some((kind, compress)) = kind(path) else { continue };
        let plain = keep(out, number, "plain", bytes)?;
        let packed = |ending, packed: Vec<u8>| {
            let helps = compress && packed.len() < bytes.len();
            if helps {
                Ok(format!("Some({})", keep(out, number, ending, &packed)?))
            } else {
                io::Result::Ok("None".to_owned())
            }
        };
        let (brotli, gzip) = (packed("br", brotli(bytes)?)?, packed("gz", gzip(bytes)?)?);
        let _ = writeln!(
            text,
            "    Asset {{ path: {path:?}, kind: {kind:?}, plain: {plain}, brotli: {brotli}, gzip: {gzip} }},"
        );
    }
    text += "];\n";
    Ok(text)
}

/// Writes `bytes` beside the table and answers with the expression that includes them.
fn keep(out: &Path, number: usize, ending: &str, bytes: &[u8]) -> io::Result<String> {
    let path = out.join(format!("{number}.{ending}"));
    fs::write(&path, bytes)?;
    Ok(format!("include_bytes!({:?})", path.display().to_string()))
}

fn brotli(bytes: &[u8]) -> io::Result<Vec<u8>> {
    // The last percents cost seconds; only a release is sent to anybody.
    let quality = if env::var("PROFILE").is_ok_and(|profile| profile == "release") { 11 } else { 5 };
    let params = brotli::enc::BrotliEncoderParams { quality, ..Default::default() };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut packed, &params)?;
    Ok(packed)
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
