//! The property behind every client: what is built from events equals what is fetched, at every `seq`.

use crate::support::{World, nonce, reaction, world};
use chat::{Caller, Window};
use proptest::prelude::*;
use protocol::{Event, EventKind, Message, Reaction, RoomId, User};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Act {
    Post(u8),
    Edit(u8, u8),
    Delete(u8),
    React(u8, u8, bool),
    Join,
    Leave,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => any::<u8>().prop_map(Act::Post),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(which, text)| Act::Edit(which, text)),
        1 => any::<u8>().prop_map(Act::Delete),
        4 => (any::<u8>(), any::<u8>(), any::<bool>()).prop_map(|(which, how, on)| Act::React(which, how, on)),
        1 => Just(Act::Join),
        1 => Just(Act::Leave),
    ]
}

/// A reader's list: the higher `rev` of a message is right.
#[derive(Debug, Default, Clone, PartialEq)]
struct Reader {
    last: u64,
    messages: BTreeMap<u64, Message>,
    /// Who has reacted to which message, with which emoji, and by which event.
    reactions: BTreeMap<(u64, String), Vec<(u64, User)>>,
}

impl Reader {
    fn apply(&mut self, event: &Event) {
        assert_eq!(event.seq, self.last + 1, "no hole, nothing twice");
        self.last = event.seq;
        match &event.kind {
            EventKind::MessagePosted(_) => {
                let message = event.message().unwrap();
                self.keep(message);
            }
            EventKind::MessageEdited { target, text, rev, edited_at, deleted } => {
                if let Some(message) = self.messages.get_mut(target).filter(|message| message.rev < *rev) {
                    message.body.text.clone_from(text);
                    (message.rev, message.edited_at, message.deleted) = (*rev, Some(*edited_at), *deleted);
                }
            }
            EventKind::MessageDeleted { target, rev } => {
                if let Some(message) = self.messages.get_mut(target).filter(|message| message.rev < *rev) {
                    message.body.text.clear();
                    (message.rev, message.deleted) = (*rev, true);
                }
            }
            EventKind::MessageReacted { target, emoji, on, count } => {
                let people = self.reactions.entry((*target, emoji.clone())).or_default();
                people.retain(|(_, user)| user.id != event.by.id);
                if *on {
                    people.push((event.seq, event.by.clone()));
                }
                assert_eq!(people.len() as u64, *count, "the count is of all people, after the event");
            }
            EventKind::MemberJoined { .. } | EventKind::MemberLeft { .. } => {}
        }
    }

    /// The messages with the reactions to them as `me` sees them.
    fn seen_by(mut self, me: &Caller) -> BTreeMap<u64, Message> {
        let mut reactions: Vec<_> =
            self.reactions.into_iter().filter(|(_, people)| !people.is_empty()).collect();
        reactions.sort_by_key(|(_, people)| people[0].0);
        for ((target, emoji), people) in reactions {
            let Some(message) = self.messages.get_mut(&target).filter(|message| !message.deleted) else {
                continue;
            };
            let (count, mine) = (people.len() as u64, people.iter().any(|(_, user)| user.id == me.user().id));
            let users = people.into_iter().take(3).map(|(_, user)| user).collect();
            message.beside.reactions.push(Reaction { emoji, count, mine, users });
        }
        self.messages
    }

    fn keep(&mut self, message: Message) {
        let kept = self.messages.entry(message.seq).or_insert_with(|| message.clone());
        if kept.rev < message.rev {
            *kept = message;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_fold_over_the_tail_a_fold_over_the_log_and_a_fresh_fetch_agree_at_every_seq(
        acts in proptest::collection::vec(act(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(agree(acts));
    }
}

async fn act_out(world: &World, ana: &Caller, ben: &Caller, lobby: RoomId, act: Act, posted: &mut Vec<u64>) {
    let pick = |which: u8| posted.get(usize::from(which) % posted.len().max(1)).copied();
    match act {
        Act::Post(text) => posted.push(world.says(ana, lobby, &text.to_string()).await.seq),
        Act::Edit(which, text) => {
            if let Some(seq) = pick(which) {
                // Refused for a message that was deleted: then nothing changes.
                let _ = world.chat.edit(ana, lobby, seq, &format!("edited {text}")).await;
            }
        }
        Act::Delete(which) => {
            if let Some(seq) = pick(which) {
                world.chat.delete(ana, lobby, seq).await.unwrap();
            }
        }
        Act::React(which, how, on) => {
            if let Some(seq) = pick(which) {
                let (who, emoji) =
                    (if how % 2 == 0 { ana } else { ben }, ["👍", "🎉", "❤️"][usize::from(how % 3)]);
                // Refused for a message that was deleted, and to Ben while he is away.
                let _ = world.chat.react(who, lobby, seq, &reaction(emoji, on)).await;
            }
        }
        Act::Join => drop(world.chat.join_room(ben, lobby).await.unwrap()),
        Act::Leave => drop(world.chat.leave_room(ben, lobby).await),
    }
}

async fn agree(acts: Vec<Act>) {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let lobby = world.lobby(&ana).await;
    let mut posted = Vec::new();
    // A page asked for early and applied late, as a slow request would be.
    let mut late_page = None;
    for (index, act) in acts.into_iter().enumerate() {
        act_out(&world, &ana, &ben, lobby, act, &mut posted).await;
        // The retry of a post changes nothing at any point.
        if index == 7 {
            let nonce = nonce();
            let first = world.chat.post(&ana, lobby, "twice".into(), nonce.clone()).await.unwrap();
            assert_eq!(world.chat.post(&ana, lobby, "twice".into(), nonce).await.unwrap(), first);
        }
        if index == 5 {
            late_page = Some(world.chat.list_messages(&ana, lobby, Window::Newest, Some(100)).await.unwrap());
        }
    }
    let tail: Vec<Event> = world.events().into_iter().filter(|event| event.room == lobby).collect();
    let fresh = world.chat.list_messages(&ana, lobby, Window::Newest, Some(100)).await.unwrap();
    let fetched: BTreeMap<u64, Message> =
        fresh.messages.into_iter().map(|message| (message.seq, message)).collect();

    for cut in 0..=tail.len() {
        // A reader who heard the tail up to here, then was away and reads the log for the rest.
        let mut reader = Reader::default();
        for event in &tail[..cut] {
            reader.apply(event);
        }
        loop {
            let page = world.chat.events(ana.key(), lobby, reader.last).await.unwrap();
            for event in &page.events {
                reader.apply(event);
            }
            if !page.more {
                break;
            }
        }
        if let Some(page) = &late_page {
            for message in &page.messages {
                reader.keep(message.clone());
            }
        }
        assert_eq!(reader.last, fresh.as_of);
        assert_eq!(reader.seen_by(&ana), fetched, "cut at {cut}");
    }
}
