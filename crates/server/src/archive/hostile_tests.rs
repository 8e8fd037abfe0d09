//! Backups that were damaged, cut off, or made to do harm.

use super::{Manifest, Writer, unpack};
use chat::backup::Contents;
use std::fs::{self, File};
use std::path::Path;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

/// A backup of a database and two files; what they hold does not matter here.
fn backup() -> Vec<u8> {
    let folder = TempDir::new().expect("a folder");
    let mut writer = Writer::new(Vec::new());
    let long = format!("files/{}", "x".repeat(200));
    for (path, bytes) in [("roomful.db", 1_500), ("config.toml", 10), (long.as_str(), 0)] {
        fs::write(folder.path().join("it"), vec![7; bytes]).expect("a file");
        let file = File::open(folder.path().join("it")).expect("a file");
        writer.add(path, file, &mut |_| true).expect("a whole file");
    }
    let contents = Contents { schema: 1, epoch: "e".into(), users: 1, rooms: 1, messages: 2, events: 3 };
    writer.finish(contents, 7_000).expect("memory")
}

/// What comes of unpacking, and whether anything was written outside.
fn unpacked(bytes: &[u8]) -> Result<Manifest, String> {
    let around = TempDir::new().expect("a folder");
    let into = around.path().join("into");
    fs::create_dir(&into).expect("a folder");
    let came = unpack(bytes, &into, &mut |_| true).map_err(|error| format!("{error:#}"));
    assert_eq!(names(around.path()), ["into"]);
    for name in names(&into) {
        assert!(name.parse::<u32>().is_ok(), "{name}");
        assert!(fs::symlink_metadata(into.join(&name)).expect("it is there").is_file(), "{name}");
    }
    came
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    entries.map(|name| name.to_string_lossy().into_owned()).collect()
}

#[test]
fn what_was_written_is_read() {
    let manifest = unpacked(&backup()).expect("whole");
    let paths: Vec<_> = manifest.files.iter().map(|file| (file.path.len(), file.bytes)).collect();
    assert_eq!(paths, [(10, 1_500), (11, 10), (206, 0)]);
    assert_eq!((manifest.taken_at, manifest.database.messages), (7_000, 2));
}

#[test]
fn a_flipped_bit_is_noticed_or_harmless() {
    let (whole, mut noticed) = (backup(), 0);
    let manifest = unpacked(&whole).expect("whole");
    for at in (0..whole.len()).step_by(13) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        match unpacked(&bytes) {
            Err(_) => noticed += 1,
            // In what fills a block, or behind the end.
            Ok(read) => assert_eq!(read, manifest, "byte {at}"),
        }
    }
    assert!(noticed > 200, "{noticed} of {}", whole.len() / 13);
}

#[test]
fn a_backup_that_ends_early_is_refused_wherever_it_ends() {
    let whole = backup();
    let end = whole.len() - 1_024;
    for length in (0..end - 512).step_by(37) {
        let refused = unpacked(&whole[..length]).expect_err("it is cut off");
        assert!(refused.contains("not whole") || refused.contains("not a backup"), "{length}: {refused}");
    }
}

/// An archive with one entry before what a backup holds.
fn with_entry(change: impl FnOnce(&mut Header), contents: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_size(contents.len() as u64);
    header.set_mode(0o644);
    header.set_path("extra").expect("it fits");
    change(&mut header);
    header.set_cksum();
    let mut tar = Builder::new(Vec::new());
    tar.append(&header, contents).expect("memory");
    let mut bytes = tar.into_inner().expect("memory");
    bytes.truncate(bytes.len() - 1_024);
    bytes.extend(backup());
    bytes
}

#[test]
fn nothing_but_plain_files_is_taken() {
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::GNUSparse,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
        EntryType::Continuous,
    ];
    for kind in kinds {
        let bytes = with_entry(
            |header| {
                header.set_entry_type(kind);
                header.set_link_name("/etc").expect("it fits");
            },
            b"30 size=99999999999\n",
        );
        let refused = unpacked(&bytes).expect_err("no plain file");
        assert!(refused.contains("not a backup of Roomful"), "{kind:?}: {refused}");
    }
}

#[test]
fn a_name_that_leads_elsewhere_leads_nowhere() {
    for name in ["../../elsewhere", "/etc/passwd", "data/../../x", "manifest.json"] {
        let raw = |header: &mut Header| {
            let field = &mut header.as_old_mut().name;
            field.fill(0);
            field[..name.len()].copy_from_slice(name.as_bytes());
        };
        assert!(unpacked(&with_entry(raw, b"harm")).is_err(), "{name}");
    }
}

#[test]
fn a_size_that_is_a_lie_is_refused() {
    let lie = |header: &mut Header| header.set_size(u64::MAX / 2);
    assert!(unpacked(&with_entry(lie, b"short")).is_err());
}

#[test]
fn what_is_no_archive_at_all_is_called_that() {
    for bytes in [&b"a letter"[..], &[0xA5; 4_096], b"", &[0; 8_192]] {
        let refused = unpacked(bytes).expect_err("nothing of ours");
        assert!(refused.contains("not a backup") || refused.contains("not whole"), "{refused}");
    }
}
