//! Looks for texts that no client may ever be shown, in everything that was shown or printed.

use super::{Story, Verdict};
use crate::faults::journal::What;
use aho_corasick::AhoCorasick;
use std::collections::HashMap;
use std::sync::Arc;

/// Judges I-12.
pub fn judge(story: &Story<'_>, verdict: &mut Verdict) {
    // All at once: everybody has a token, and each frame may hold any of them.
    let secrets = match AhoCorasick::new(story.secrets) {
        Ok(secrets) => secrets,
        Err(error) => return verdict.find(12, || format!("nothing was looked for: {error}")),
    };
    // A frame that was shown to many is read once.
    let mut known: HashMap<*const What, bool> = HashMap::new();
    let entries = story.journals.iter().flat_map(|journal| &journal.entries);
    let frames = entries.filter_map(|entry| Some((Arc::as_ptr(&entry.what), entry.what.shown()?)));
    let told = frames
        .filter(|(frame, text)| *known.entry(*frame).or_insert_with(|| secrets.is_match(*text)))
        .count();
    let printed = story.output.lines().filter(|line| secrets.is_match(*line)).count();
    if told + printed > 0 {
        // Without words: a report of the secret would tell it once more.
        verdict.find(12, || {
            format!("{} frames or lines of the output hold a token, a password or its hash", told + printed)
        });
    }
}
