//! The medium under all files of all databases: it counts, fails, holds back, and loses.

use super::held::Held;
use super::plan::{Chance, Cut, Fail, Full, Op, Part, Plan};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How an operation is made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Broken,
    Full,
}

/// The disk.
pub(super) struct Medium {
    plan: Plan,
    failing: AtomicU64,
    writes: AtomicU64,
    changes: AtomicU64,
    files: Mutex<HashMap<PathBuf, Held>>,
}

impl Medium {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            failing: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            files: Mutex::new(HashMap::new()),
        }
    }

    /// Whether unsynced bytes are held back from the files.
    pub(super) fn holds(&self) -> bool {
        self.plan.hold
    }

    /// Whether an operation is done. Called once before each.
    pub(super) fn ask(&self, op: Op, part: Part) -> Result<(), Fault> {
        if op == Op::Sync && !self.plan.slow.is_zero() {
            std::thread::sleep(self.plan.slow);
        }
        if let Some(fail) = &self.plan.fail
            && fail.hits(op, part, &self.failing)
        {
            return Err(Fault::Broken);
        }
        if let Some(full) = &self.plan.full
            && op == Op::Write
            && full.hits(&self.writes)
        {
            return Err(Fault::Full);
        }
        Ok(())
    }

    /// One more of SQLite's open files stands for the file at `path`.
    pub(super) fn open(&self, path: &Path) -> io::Result<()> {
        let mut files = self.files();
        if files.get(path).is_some_and(|held| !held.is_at(path)) {
            files.remove(path);
        }
        if !files.contains_key(path) {
            files.insert(path.to_owned(), Held::open(path)?);
        }
        if let Some(held) = files.get_mut(path) {
            held.opens += 1;
        }
        Ok(())
    }

    /// One less of them. Unsynced bytes stay unsynced.
    pub(super) fn close(&self, path: &Path) {
        let mut files = self.files();
        if let Some(held) = files.get_mut(path) {
            held.opens -= 1;
            if held.opens == 0 && held.is_synced() {
                files.remove(path);
            }
        }
    }

    pub(super) fn delete(&self, path: &Path) {
        self.files().remove(path);
    }

    /// The size of a file that is held; none for another file.
    pub(super) fn size(&self, path: &Path) -> Option<u64> {
        self.files().get(path).map(Held::size)
    }

    pub(super) fn read(&self, path: &Path, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.files().get(path).ok_or(io::ErrorKind::NotFound)?.read(into, at)
    }

    pub(super) fn write(&self, path: &Path, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut files = self.files();
        files.get_mut(path).ok_or(io::ErrorKind::NotFound)?.write(bytes, at)?;
        self.count(&mut files);
        Ok(())
    }

    pub(super) fn truncate(&self, path: &Path, to: u64) -> io::Result<()> {
        let mut files = self.files();
        files.get_mut(path).ok_or(io::ErrorKind::NotFound)?.truncate(to);
        self.count(&mut files);
        Ok(())
    }

    pub(super) fn sync(&self, path: &Path) -> io::Result<()> {
        let mut files = self.files();
        self.count(&mut files);
        files.get_mut(path).ok_or(io::ErrorKind::NotFound)?.sync()
    }

    /// Counts a write, truncation or sync, and cuts the power if its time has come. Then it does not return.
    fn count(&self, files: &mut HashMap<PathBuf, Held>) {
        let count = self.changes.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(cut) = &self.plan.cut
            && count == cut.after
        {
            lose(cut, files);
            std::process::abort();
        }
    }

    fn files(&self) -> MutexGuard<'_, HashMap<PathBuf, Held>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lose(cut: &Cut, files: &mut HashMap<PathBuf, Held>) {
    if cut.lose_all {
        return;
    }
    let mut chance = Chance(cut.seed);
    let mut files: Vec<_> = files.iter_mut().collect();
    // A map has no order of its own, and the same seed is to lose the same bytes.
    files.sort_by_key(|(path, _)| *path);
    for (_, held) in files {
        // Bytes that cannot be written are lost, too.
        let _ = held.lose(&mut chance);
    }
}

impl Fail {
    fn hits(&self, op: Op, part: Part, failing: &AtomicU64) -> bool {
        if self.op != op || self.part.is_some_and(|only| only != part) {
            return false;
        }
        let count = failing.fetch_add(1, Ordering::Relaxed) + 1;
        count == self.nth || (self.from_then_on && count > self.nth)
    }
}

impl Full {
    fn hits(&self, writes: &AtomicU64) -> bool {
        let count = writes.fetch_add(1, Ordering::Relaxed) + 1;
        count >= self.nth && !self.until.as_ref().is_some_and(|until| until.exists())
    }
}
