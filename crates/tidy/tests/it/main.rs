//! What this repository promises about itself. Each failing rule lists the places and says what to do.
//!
//! Every rule is a function from text to faults and is tried here on a text that breaks it, so that a rule which
//! has stopped finding anything is noticed.

mod tree;

mod functions;
mod tokens;

mod circles;
mod crates;
mod documents;
mod leftovers;
mod sizes;
mod styles;
mod vendored;
mod web;
mod wire;
mod words;
