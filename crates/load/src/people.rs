//! The people who open connections, and their rooms. The server is told about them before they come.

use crate::door::ask_all;
use crate::way::Way;
use anyhow::{Context, Result};
use protocol::Room;
use protocol::http::SignedIn;
use serde::Serialize;
use serde_json::json;
use std::rc::Rc;

/// Which wire protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// `roomful.v1`.
    Native,
    /// No subprotocol: join, chat, leave.
    Simple,
}

impl Protocol {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Simple => "simple",
        }
    }
}

/// A person who opens one connection.
#[derive(Debug, Clone)]
pub struct Person {
    /// The name to go by, in the simple protocol.
    pub name: String,
    /// The bearer token, in the native protocol.
    pub token: Option<Rc<str>>,
    /// The rooms they are in, by index.
    pub rooms: Vec<u32>,
    /// Which sender the person is, if they post.
    pub sender: Option<u32>,
}

/// How people are spread over rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// Connections.
    pub connections: usize,
    /// Rooms.
    pub rooms: usize,
    /// Rooms that each connection is in; one in the simple protocol.
    pub rooms_each: usize,
    /// Senders in each room.
    pub senders: usize,
    /// Users that the people who only listen share, in the native protocol.
    pub users: usize,
}

/// All people, and the rooms by the names that the protocol uses.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// One for each connection.
    pub people: Vec<Person>,
    /// Ids in the native protocol, names in the simple one.
    pub rooms: Vec<String>,
    /// Senders in each room: sender `s` is in room `s / senders`.
    pub senders: usize,
}

impl Spread {
    /// The same with as many users as fit: all connections of a user are to be in the same rooms.
    #[must_use]
    pub fn with_even_users(mut self) -> Self {
        let listeners = (self.connections - self.posters()).max(1);
        self.users = self.users.next_multiple_of(self.rooms).min(listeners);
        self
    }

    /// The same with another number of connections.
    #[must_use]
    pub fn with_connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Where connection `number` is: rooms go round, so that every room gets its share.
    fn rooms_of(&self, number: usize) -> Vec<u32> {
        let stride = (self.rooms / self.rooms_each).max(1);
        (0..self.rooms_each.min(self.rooms))
            .map(|step| ((number + step * stride) % self.rooms) as u32)
            .collect()
    }

    /// The sender that connection `number` is: the first ones of each room.
    fn sender_of(&self, number: usize) -> Option<u32> {
        let (round, room) = (number / self.rooms, number % self.rooms);
        (round < self.senders).then(|| (room * self.senders + round) as u32)
    }

    /// People who need no account: the simple protocol, and servers without any.
    pub fn visitors(&self, run: u32, ids: bool) -> Crowd {
        let room = |room| {
            if ids {
                format!("0192f0c1-0001-7000-{run:04x}-{room:012x}")
            } else {
                format!("room {run} {room}")
            }
        };
        self.crowd((0..self.rooms).map(room).collect(), |number| (format!("p{run}.{number}"), None))
    }

    /// Guests with tokens, who are members of their rooms.
    ///
    /// # Errors
    /// When the server does not let them in.
    pub fn guests(&self, way: &Way, run: u32) -> Result<Crowd> {
        let tokens = self.sign_in(way, run)?;
        let rooms: Vec<(usize, &String)> =
            (0..self.rooms).map(|room| (room, &tokens[self.opener_of(room)])).collect();
        let rooms = open_rooms(way, run, &rooms)?;
        let crowd = self
            .crowd(rooms, |number| (String::new(), Some(Rc::from(tokens[self.user_of(number)].as_str()))));
        let mut joins: Vec<(String, String)> = Vec::new();
        for (number, person) in crowd.people.iter().enumerate().take(self.posters() + self.users) {
            let token = &tokens[self.user_of(number)];
            joins
                .extend(person.rooms.iter().map(|room| (token.clone(), crowd.rooms[*room as usize].clone())));
        }
        ask_all(way, &joins, |door, (token, room)| {
            door.ask::<Room>("PUT", &format!("/api/v1/rooms/{room}/members/me"), Some(token), None).map(drop)
        })?;
        Ok(crowd)
    }

    /// Connections that post.
    fn posters(&self) -> usize {
        (self.rooms * self.senders).min(self.connections)
    }

    /// The user of a connection. A connection that posts has a user of its own; the others share the rest. All
    /// connections of one user are in the same rooms, because the number of users is a multiple of that of rooms.
    fn user_of(&self, number: usize) -> usize {
        let posters = self.posters();
        if number < posters { number } else { posters + (number - posters) % self.users }
    }

    /// The user who opens a room: the first one in it, because a server bounds the rooms that one user is in.
    fn opener_of(&self, room: usize) -> usize {
        self.user_of(room % self.connections)
    }

    fn sign_in(&self, way: &Way, run: u32) -> Result<Vec<String>> {
        let users = self.posters() + self.users;
        let names: Vec<String> = (0..users).map(|user| format!("Guest {run} {user}")).collect();
        let signed_in = ask_all(way, &names, |door, name| {
            let body = json!({ "name": name, "token": true });
            door.ask::<SignedIn>("POST", "/api/v1/guests", None, Some(&body))
        })?;
        signed_in
            .into_iter()
            .map(|signed_in| signed_in.token.context("the server gave a guest no token"))
            .collect()
    }

    fn crowd(&self, rooms: Vec<String>, identity: impl Fn(usize) -> (String, Option<Rc<str>>)) -> Crowd {
        let person = |number| {
            let (name, token) = identity(number);
            Person { name, token, rooms: self.rooms_of(number), sender: self.sender_of(number) }
        };
        Crowd { people: (0..self.connections).map(person).collect(), rooms, senders: self.senders }
    }
}

/// Opens rooms, each as the user of its token.
fn open_rooms(way: &Way, run: u32, rooms: &[(usize, &String)]) -> Result<Vec<String>> {
    let rooms = ask_all(way, rooms, |door, (room, token)| {
        let body = json!({ "name": format!("room {run} {room}"), "kind": "open" });
        door.ask::<Room>("POST", "/api/v1/rooms", Some(token), Some(&body))
    })?;
    Ok(rooms.into_iter().map(|room| room.id.to_string()).collect())
}
