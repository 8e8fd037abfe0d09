//! A file of which the unsynced bytes are held in memory.

use super::plan::Chance;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// The unit in which memory shadows the file.
const BLOCK: u64 = 4096;
/// The unit that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A write or truncation that was not synced, so it may never have reached the file.
enum Unsynced {
    Write { at: u64, bytes: Vec<u8> },
    Truncate(u64),
}

/// The file as every part of this process sees it.
pub(super) struct Held {
    file: File,
    /// How many of SQLite's open files stand for this one.
    pub(super) opens: usize,
    size: u64,
    /// Up to here the bytes of the file are still valid. Beyond, it was truncated in memory.
    valid: u64,
    blocks: HashMap<u64, Box<[u8]>>,
    unsynced: Vec<Unsynced>,
}

impl Held {
    /// Takes hold of the file at `path`, which is there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file, opens: 0, size, valid: size, blocks: HashMap::new(), unsynced: Vec::new() })
    }

    /// Whether the file at `path` is still this one.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let (here, there) = (self.file.metadata(), std::fs::metadata(path));
        matches!((here, there), (Ok(here), Ok(there)) if (here.dev(), here.ino()) == (there.dev(), there.ino()))
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn is_synced(&self) -> bool {
        self.unsynced.is_empty()
    }

    /// Fills `into` from `at` on, and says how many bytes there were.
    pub(super) fn read(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let there = self.size.saturating_sub(at).min(into.len() as u64) as usize;
        let mut done = 0;
        while done < there {
            let position = at + done as u64;
            let (number, within) = (position / BLOCK, (position % BLOCK) as usize);
            let length = (BLOCK as usize - within).min(there - done);
            let piece = &mut into[done..done + length];
            match self.blocks.get(&number) {
                Some(block) => piece.copy_from_slice(&block[within..within + length]),
                None => self.read_file(piece, position)?,
            }
            done += length;
        }
        Ok(there)
    }

    /// Zeros where the file has nothing that is still valid.
    fn read_file(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        into.fill(0);
        let valid = self.valid.saturating_sub(at).min(into.len() as u64) as usize;
        let mut done = 0;
        while done < valid {
            match self.file.read_at(&mut into[done..valid], at + done as u64)? {
                0 => break,
                read => done += read,
            }
        }
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let position = at + done as u64;
            let (number, within) = (position / BLOCK, (position % BLOCK) as usize);
            let length = (BLOCK as usize - within).min(bytes.len() - done);
            if !self.blocks.contains_key(&number) {
                let mut block = vec![0; BLOCK as usize].into_boxed_slice();
                self.read_file(&mut block, number * BLOCK)?;
                self.blocks.insert(number, block);
            }
            if let Some(block) = self.blocks.get_mut(&number) {
                block[within..within + length].copy_from_slice(&bytes[done..done + length]);
            }
            done += length;
        }
        self.size = self.size.max(at + bytes.len() as u64);
        self.unsynced.push(Unsynced::Write { at, bytes: bytes.to_vec() });
        Ok(())
    }

    pub(super) fn truncate(&mut self, to: u64) {
        self.size = to;
        self.valid = self.valid.min(to);
        self.blocks.retain(|number, _| number * BLOCK < to);
        if let Some(block) = self.blocks.get_mut(&(to / BLOCK)) {
            block[(to % BLOCK) as usize..].fill(0);
        }
        self.unsynced.push(Unsynced::Truncate(to));
    }

    /// Writes everything into the file.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        for operation in std::mem::take(&mut self.unsynced) {
            operation.reach(&self.file)?;
        }
        self.blocks.clear();
        self.valid = self.size;
        Ok(())
    }

    /// Writes into the file what chance has kept of the unsynced.
    pub(super) fn lose(&mut self, chance: &mut Chance) -> io::Result<()> {
        let mut unsynced = std::mem::take(&mut self.unsynced);
        if chance.below(2) == 0 {
            chance.shuffle(&mut unsynced);
        }
        for operation in unsynced {
            match chance.below(3) {
                0 => {}
                1 => operation.reach(&self.file)?,
                _ => operation.reach_torn(&self.file, chance)?,
            }
        }
        Ok(())
    }
}

impl Unsynced {
    fn reach(&self, file: &File) -> io::Result<()> {
        match self {
            Self::Write { at, bytes } => file.write_all_at(bytes, *at),
            Self::Truncate(to) => file.set_len(*to),
        }
    }

    /// Some sectors of the write reach the file.
    fn reach_torn(&self, file: &File, chance: &mut Chance) -> io::Result<()> {
        let Self::Write { at, bytes } = self else { return Ok(()) };
        let mut done = 0;
        while done < bytes.len() {
            let position = at + done as u64;
            let length = (SECTOR - (position % SECTOR as u64) as usize).min(bytes.len() - done);
            if chance.below(2) == 0 {
                file.write_all_at(&bytes[done..done + length], position)?;
            }
            done += length;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(held: &Held) -> Vec<u8> {
        let mut bytes = vec![0; held.size() as usize + 10];
        let read = held.read(&mut bytes, 0).expect("a read");
        bytes.truncate(read);
        bytes
    }

    #[test]
    fn memory_shows_what_a_file_would() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, twin) = (folder.path().join("held"), folder.path().join("twin"));
        std::fs::write(&path, vec![7; 9000]).expect("a file");
        std::fs::copy(&path, &twin).expect("a copy");
        let (mut held, twin) = (Held::open(&path).expect("held"), File::options().write(true).open(&twin));
        let twin = twin.expect("a twin");
        let mut chance = Chance(1);
        for step in 0..2000 {
            let (at, length) = (chance.below(20_000), chance.below(6000) as usize);
            match chance.below(10) {
                0 => {
                    held.truncate(at.min(held.size()));
                    twin.set_len(held.size()).expect("shorter");
                }
                1 => held.sync().expect("synced"),
                _ => {
                    let bytes = vec![step as u8; length.max(1)];
                    held.write(&bytes, at).expect("written");
                    twin.write_all_at(&bytes, at).expect("written");
                }
            }
            let expected = std::fs::read(folder.path().join("twin")).expect("a read");
            assert!(all(&held) == expected, "step {step}");
        }
        held.sync().expect("synced");
        let twin = std::fs::read(folder.path().join("twin")).expect("a read");
        assert!(std::fs::read(&path).expect("a read") == twin);
    }

    #[test]
    fn what_was_not_synced_is_in_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("held");
        std::fs::write(&path, b"before").expect("a file");
        let mut held = Held::open(&path).expect("held");
        held.write(b"later!", 0).expect("written");
        assert_eq!(
            (all(&held).as_slice(), std::fs::read(&path).expect("a read").as_slice()),
            (&b"later!"[..], &b"before"[..])
        );
        drop(held);
        assert_eq!(std::fs::read(&path).expect("a read"), b"before");
    }
}
