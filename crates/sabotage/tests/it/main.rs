//! What the disk promises to those who test against it.

mod disk;
mod writing;
