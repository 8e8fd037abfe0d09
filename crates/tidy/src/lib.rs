//! The rules of this house, as tests: see `tests/it`. `exceptions.toml` holds what is let off, with reasons.
//!
//! Must not know: any other crate of the workspace. It reads their files as text.
