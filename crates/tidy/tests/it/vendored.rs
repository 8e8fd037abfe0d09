//! What others made and we serve: exactly the files that the lock files name, unchanged.

use crate::tree::{none, root};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const FOLDERS: [&str; 2] = ["web/vendor", "web/fonts"];

#[test]
fn vendored_files_are_what_their_lock_says() {
    let mut faults = Vec::new();
    for folder in FOLDERS.map(|folder| root().join(folder)).iter().filter(|folder| folder.is_dir()) {
        let lock = fs::read_to_string(folder.join("lock.json")).unwrap_or_else(|_| "{}".to_owned());
        let lock: Value = serde_json::from_str(&lock).expect("lock.json is JSON");
        let locked = locked(&lock);
        let present = digests(folder);
        let names = present.keys().chain(locked.keys().filter(|name| !present.contains_key(*name)));
        let differing = names.filter(|name| locked.get(*name) != present.get(*name));
        faults.extend(differing.map(|name| folder.join(name).display().to_string()));
    }
    none(
        faults,
        "Bring the file or its lock.json up to date with scripts/vendor-web; never edit a vendored file:",
    );
}

/// File name → SHA-256. An entry has its name in `file`, or is found under it.
fn locked(lock: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    match lock {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.get("sha256").and_then(Value::as_str) {
                    Some(digest) => found.insert(key.clone(), digest.to_owned()),
                    None => None,
                };
                found.append(&mut locked(value));
            }
        }
        Value::Array(items) => {
            for item in items {
                let named =
                    item.get("file").and_then(Value::as_str).zip(item.get("sha256").and_then(Value::as_str));
                found.extend(named.map(|(name, digest)| (name.to_owned(), digest.to_owned())));
                found.append(&mut locked(item));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

/// File name → SHA-256 of everything in `folder` but the lock itself.
fn digests(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            found.extend(
                digests(&entry.path()).into_iter().map(|(inner, digest)| (format!("{name}/{inner}"), digest)),
            );
        } else if name != "lock.json" {
            let bytes = fs::read(entry.path()).expect("a file that was listed can be read");
            found.insert(name, digest(&bytes));
        }
    }
    found
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn both_shapes_of_lock_are_read() {
    let lock = serde_json::json!({
        "packages": [{"name": "a", "files": [{"file": "b/c.js", "sha256": "1"}]}],
        "d.woff2": {"name": "d", "sha256": "2"},
    });
    let names: Vec<_> = locked(&lock).into_iter().collect();
    assert_eq!(names, [("b/c.js".to_owned(), "1".to_owned()), ("d.woff2".to_owned(), "2".to_owned())]);
    assert!(digest(b"abc").starts_with("ba7816bf8f01cfea"));
}
