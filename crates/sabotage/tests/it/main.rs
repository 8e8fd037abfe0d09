//! What the disk promises to tests that use it.

mod disk;
mod writing;
