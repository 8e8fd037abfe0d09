//! The fixtures, the types and the document say the same.

mod document;
mod fixtures;
mod names;
mod refusals;
mod timelines;
