//! Who is connected now, room by room. True for a moment, so never stored. Pure: whoever owns one decides the order.

use crate::stream::{RoomKey, UserKey};
use crate::text::fold;
use protocol::User;
use std::collections::{BTreeMap, HashMap};

/// One person, however many connections they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Person {
    /// An account or guest.
    User(UserKey),
    /// A visitor without a user row, by the number of their one connection.
    Visitor(u64),
}

/// How a person is seen by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The name they go by here.
    pub name: String,
    /// Who they are; nobody for a visitor who has not said anything yet.
    pub user: Option<User>,
}

/// What an arrival or departure changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The person came, or went: others should know.
    Moved,
    /// They have other connections here: nothing to tell.
    Nothing,
}

/// Who is here, in every room with somebody in it.
#[derive(Debug, Default)]
pub struct Presence(HashMap<RoomKey, Here>);

#[derive(Debug, Default)]
struct Here {
    /// By order of arrival.
    arrived: BTreeMap<u64, (Person, Shown)>,
    /// Place in `arrived`, and how many connections.
    people: HashMap<Person, (u64, u32)>,
    /// How many people go by each folded name.
    names: HashMap<String, u32>,
    next: u64,
}

impl Presence {
    /// Nobody anywhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more connection of a person in a room.
    pub fn arrive(&mut self, room: RoomKey, person: Person, shown: Shown) -> Change {
        let here = self.0.entry(room).or_default();
        if let Some((_, connections)) = here.people.get_mut(&person) {
            *connections += 1;
            return Change::Nothing;
        }
        *here.names.entry(fold(&shown.name)).or_default() += 1;
        here.arrived.insert(here.next, (person, shown));
        here.people.insert(person, (here.next, 1));
        here.next += 1;
        Change::Moved
    }

    /// One connection less of a person in a room.
    pub fn depart(&mut self, room: RoomKey, person: Person) -> Change {
        let Some(here) = self.0.get_mut(&room) else { return Change::Nothing };
        let Some((place, connections)) = here.people.get_mut(&person) else { return Change::Nothing };
        *connections -= 1;
        if *connections > 0 {
            return Change::Nothing;
        }
        let place = *place;
        here.people.remove(&person);
        if let Some((_, shown)) = here.arrived.remove(&place) {
            let folded = fold(&shown.name);
            if let Some(count) = here.names.get_mut(&folded) {
                *count -= 1;
                if *count == 0 {
                    here.names.remove(&folded);
                }
            }
        }
        if here.people.is_empty() {
            self.0.remove(&room);
        }
        Change::Moved
    }

    /// A visitor is known from now on: same place, same name.
    pub fn became_known(&mut self, room: RoomKey, visitor: Person, user: &User) {
        if let Some(here) = self.0.get_mut(&room)
            && let Some((place, _)) = here.people.get(&visitor)
            && let Some((_, shown)) = here.arrived.get_mut(place)
        {
            shown.user = Some(user.clone());
        }
    }

    /// Whether somebody other than `but` goes by this folded name in a room.
    pub fn is_name_here(&self, room: RoomKey, folded: &str, but: Person) -> bool {
        let Some(here) = self.0.get(&room) else { return false };
        let count = here.names.get(folded).copied().unwrap_or(0);
        let own = here
            .people
            .get(&but)
            .and_then(|(place, _)| here.arrived.get(place))
            .is_some_and(|(_, shown)| fold(&shown.name) == folded);
        count > u32::from(own)
    }

    /// Whether anybody anywhere goes by this folded name.
    pub fn is_name_anywhere(&self, folded: &str) -> bool {
        self.0.values().any(|here| here.names.contains_key(folded))
    }

    /// Whether a person is here.
    pub fn is_person_here(&self, room: RoomKey, person: Person) -> bool {
        self.0.get(&room).is_some_and(|here| here.people.contains_key(&person))
    }

    /// The name a person goes by in a room.
    pub fn name_of(&self, room: RoomKey, person: Person) -> Option<&str> {
        let here = self.0.get(&room)?;
        let (place, _) = here.people.get(&person)?;
        here.arrived.get(place).map(|(_, shown)| shown.name.as_str())
    }

    /// How many people are here.
    pub fn count(&self, room: RoomKey) -> usize {
        self.0.get(&room).map_or(0, |here| here.people.len())
    }

    /// The first `most` people here, in order of arrival.
    pub fn first(&self, room: RoomKey, most: usize) -> impl Iterator<Item = &Shown> {
        self.0
            .get(&room)
            .into_iter()
            .flat_map(|here| here.arrived.values())
            .map(|(_, shown)| shown)
            .take(most)
    }

    /// The rooms with somebody in them.
    pub fn rooms(&self) -> impl Iterator<Item = RoomKey> {
        self.0.keys().copied()
    }
}

#[cfg(test)]
#[path = "presence_tests.rs"]
mod tests;
