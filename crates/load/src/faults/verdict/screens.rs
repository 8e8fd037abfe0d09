//! Judges a client's screen at the end: it shows the log's messages, all of them, once and in order.

use super::Verdict;
use crate::faults::community::Record;
use crate::faults::journal::{Journal, Screen};
use protocol::Message;

/// Judges I-4 by the screens at the end.
pub fn judge(journal: &Journal, record: &Record, verdict: &mut Verdict) {
    for screen in &journal.screens {
        let Some(kept) = record.rooms.get(&screen.room) else { continue };
        // A client that was cut off for ever is behind, which another finding reports.
        if kept.events.last().map_or(0, |event| event.seq) == screen.last {
            judge_rows(&journal.keeper.name, screen, &kept.messages, verdict);
        }
    }
}

fn judge_rows(name: &str, screen: &Screen, messages: &[Message], verdict: &mut Verdict) {
    let due: Vec<&Message> = messages.iter().filter(|message| screen.window.contains(&message.seq)).collect();
    let shown: Vec<&Message> = screen.rows.iter().collect();
    if due == shown {
        return;
    }
    let missing = due.iter().filter(|message| !shown.iter().any(|row| row.seq == message.seq)).count();
    let extra = shown.iter().filter(|row| !due.iter().any(|message| row.seq == message.seq)).count();
    verdict.counts.holes += missing as u64;
    verdict.counts.doubled += extra as u64;
    verdict.find(4, || {
        let differs = due.iter().zip(&shown).find(|(one, other)| one != other);
        format!(
            "{name} sees {} rows of {}, {missing} missing, {extra} too many; first difference {differs:?}",
            shown.len(),
            screen.room
        )
    });
}
