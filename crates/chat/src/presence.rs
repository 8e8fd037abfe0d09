//! Who is connected now, room by room. True for a moment, so never stored. Pure: whoever owns one decides the order.

use crate::stream::{RoomKey, UserKey};
use crate::text::fold;
use protocol::User;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// People in a room who are found by looking at one after the other.
const FEW: usize = 32;

/// One person, however many connections they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Person {
    /// An account or guest.
    User(UserKey),
    /// A visitor without a user row, by the number of their one connection.
    Visitor(u64),
}

/// How a person is seen by others. One for each person, shared by all rooms they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The name they go by, where it is not the user's.
    alias: Option<Box<str>>,
    user: Option<Arc<User>>,
    /// Of the folded name: people whose marks differ go by different names.
    mark: u64,
}

impl Shown {
    /// A user under their own name.
    pub fn user(user: Arc<User>) -> Self {
        let mark = mark(&fold(&user.name));
        Self { alias: None, user: Some(user), mark }
    }

    /// Somebody who goes by `name`, and who they are; nobody for a visitor who has not said anything yet.
    pub fn named(name: &str, user: Option<Arc<User>>) -> Self {
        let own = user.as_ref().is_some_and(|user| user.name == name);
        Self { alias: (!own).then(|| name.into()), user, mark: mark(&fold(name)) }
    }

    /// The name they go by here.
    pub fn name(&self) -> &str {
        match (&self.alias, &self.user) {
            (Some(alias), _) => alias,
            (None, Some(user)) => &user.name,
            (None, None) => "",
        }
    }

    /// Who they are; nobody for a visitor who has not said anything yet.
    pub fn who(&self) -> Option<&User> {
        self.user.as_deref()
    }

    fn goes_by(&self, folded: &str, mark: u64) -> bool {
        self.mark == mark && fold(self.name()) == folded
    }
}

fn mark(folded: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    folded.hash(&mut hasher);
    hasher.finish()
}

/// Whether others see that a connection came into a room or left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The person came with the connection, or went with it: the people in the room are told.
    Seen,
    /// The person has other connections in the room: there is nothing to tell.
    Unseen,
}

/// Who is here, in every room with somebody in it.
#[derive(Debug, Default)]
pub struct Presence {
    rooms: HashMap<RoomKey, Here>,
    /// How often somebody is somewhere by the mark of their folded name, so that a free name costs no search.
    marks: HashMap<u64, u32>,
}

/// Who is in one room. Nearly all rooms have few people, and a list is a fraction of two maps.
#[derive(Debug, Default)]
struct Here {
    /// By order of arrival; empty once there is a crowd.
    few: Vec<Present>,
    crowd: Option<Box<Crowd>>,
}

/// More people than are looked at one by one.
#[derive(Debug, Default)]
struct Crowd {
    /// By order of arrival.
    arrived: BTreeMap<u64, Present>,
    /// Place in `arrived`.
    places: HashMap<Person, u64>,
    next: u64,
}

#[derive(Debug)]
struct Present {
    person: Person,
    shown: Arc<Shown>,
    connections: u32,
}

impl Here {
    fn get(&self, person: Person) -> Option<&Present> {
        match &self.crowd {
            Some(crowd) => crowd.arrived.get(crowd.places.get(&person)?),
            None => self.few.iter().find(|present| present.person == person),
        }
    }

    fn get_mut(&mut self, person: Person) -> Option<&mut Present> {
        match &mut self.crowd {
            Some(crowd) => crowd.arrived.get_mut(crowd.places.get(&person)?),
            None => self.few.iter_mut().find(|present| present.person == person),
        }
    }

    fn push(&mut self, present: Present) {
        if self.few.len() == FEW {
            let crowd = self.crowd.insert(Box::default());
            std::mem::take(&mut self.few).into_iter().for_each(|present| crowd.push(present));
        }
        match &mut self.crowd {
            Some(crowd) => crowd.push(present),
            None => {
                // Doubling would leave half of the memory of very many lists empty.
                if self.few.len() == self.few.capacity() {
                    self.few.reserve_exact(2);
                }
                self.few.push(present);
            }
        }
    }

    fn remove(&mut self, person: Person) -> Option<Present> {
        match &mut self.crowd {
            Some(crowd) => crowd.arrived.remove(&crowd.places.remove(&person)?),
            None => {
                let place = self.few.iter().position(|present| present.person == person)?;
                Some(self.few.remove(place))
            }
        }
    }

    fn count(&self) -> usize {
        self.crowd.as_ref().map_or(self.few.len(), |crowd| crowd.places.len())
    }

    /// By order of arrival.
    fn all(&self) -> impl Iterator<Item = &Present> {
        self.few.iter().chain(self.crowd.iter().flat_map(|crowd| crowd.arrived.values()))
    }
}

impl Crowd {
    fn push(&mut self, present: Present) {
        self.places.insert(present.person, self.next);
        self.arrived.insert(self.next, present);
        self.next += 1;
    }
}

impl Presence {
    /// Nobody anywhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more connection of a person in a room.
    pub fn arrive(&mut self, room: RoomKey, person: Person, shown: Arc<Shown>) -> Effect {
        let here = self.rooms.entry(room).or_default();
        if let Some(present) = here.get_mut(person) {
            present.connections += 1;
            return Effect::Unseen;
        }
        *self.marks.entry(shown.mark).or_default() += 1;
        here.push(Present { person, shown, connections: 1 });
        Effect::Seen
    }

    /// One connection less of a person in a room.
    pub fn depart(&mut self, room: RoomKey, person: Person) -> Effect {
        let Some(here) = self.rooms.get_mut(&room) else { return Effect::Unseen };
        let Some(present) = here.get_mut(person) else { return Effect::Unseen };
        present.connections -= 1;
        if present.connections > 0 {
            return Effect::Unseen;
        }
        if let Some(gone) = here.remove(person)
            && let Some(count) = self.marks.get_mut(&gone.shown.mark)
        {
            *count -= 1;
            if *count == 0 {
                self.marks.remove(&gone.shown.mark);
            }
        }
        if here.count() == 0 {
            self.rooms.remove(&room);
        }
        Effect::Seen
    }

    /// A visitor is known from now on: same place, same name.
    pub fn became_known(&mut self, room: RoomKey, visitor: Person, user: &Arc<User>) {
        if let Some(here) = self.rooms.get_mut(&room)
            && let Some(present) = here.get_mut(visitor)
        {
            present.shown = Arc::new(Shown::named(present.shown.name(), Some(Arc::clone(user))));
        }
    }

    /// Whether somebody other than `but` goes by this folded name in a room.
    pub fn is_name_here(&self, room: RoomKey, folded: &str, but: Person) -> bool {
        let mark = mark(folded);
        let Some(here) = self.rooms.get(&room).filter(|_| self.marks.contains_key(&mark)) else {
            return false;
        };
        let count = here.all().filter(|present| present.shown.goes_by(folded, mark)).take(2).count();
        let own = here.get(but).is_some_and(|present| present.shown.goes_by(folded, mark));
        count > usize::from(own)
    }

    /// Whether anybody anywhere goes by this folded name.
    pub fn is_name_anywhere(&self, folded: &str) -> bool {
        let mark = mark(folded);
        self.marks.contains_key(&mark)
            && self.rooms.values().flat_map(Here::all).any(|present| present.shown.goes_by(folded, mark))
    }

    /// Whether a person is here.
    pub fn is_person_here(&self, room: RoomKey, person: Person) -> bool {
        self.rooms.get(&room).is_some_and(|here| here.get(person).is_some())
    }

    /// The name a person goes by in a room.
    pub fn name_of(&self, room: RoomKey, person: Person) -> Option<&str> {
        self.rooms.get(&room)?.get(person).map(|present| present.shown.name())
    }

    /// How many people are here.
    pub fn count(&self, room: RoomKey) -> usize {
        self.rooms.get(&room).map_or(0, Here::count)
    }

    /// The first `most` people here, in order of arrival.
    pub fn first(&self, room: RoomKey, most: usize) -> impl Iterator<Item = &Shown> {
        self.rooms.get(&room).into_iter().flat_map(Here::all).map(|present| &*present.shown).take(most)
    }

    /// The rooms with somebody in them.
    pub fn rooms(&self) -> impl Iterator<Item = RoomKey> {
        self.rooms.keys().copied()
    }
}

#[cfg(test)]
#[path = "presence_tests.rs"]
mod tests;
