//! Owners of files: a file that root makes in another user's folder goes to that user.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

/// Gives a file or folder that root made to the owner of `like`. Does nothing in a process of another user than root, which
/// could not.
///
/// # Errors
/// When it cannot be looked at or given away.
pub(crate) fn give(path: &Path, like: &Metadata) -> io::Result<()> {
    let is = fs::metadata(path)?;
    if is.uid() != 0 || (is.uid(), is.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    chown(path, Some(like.uid()), Some(like.gid()))
}

/// Makes sure that a folder's list of names is on the disk.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
