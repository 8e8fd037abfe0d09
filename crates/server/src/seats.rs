//! How many connections there are: in all, of an address, of a user.

use crate::config::Limits;
use chat::UserKey;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Files that stay free for the database, the shards, and the connections that are turned away.
const HEADROOM: u64 = 128;
/// How many connections beyond a limit are accepted, only to be told so: so many beyond the limit of all connections, and
/// so many beyond the limits of addresses. Further ones are not accepted, or are closed.
const TURNED_AWAY: usize = 32;
/// However few files the process may have open, it tries to have this many connections.
const LEAST: u64 = 16;
/// After how long a client that was one too many may come back: connections come and go in seconds.
pub const COME_BACK: Duration = Duration::from_secs(10);

/// All seats there are. Clones are one.
#[derive(Debug, Clone)]
pub struct Seats(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    most_of_address: u32,
    most_of_user: u32,
    all: AtomicUsize,
    of: Mutex<HashMap<Who, u32>>,
    left: Notify,
}

/// Who may have so many connections and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// Connections from one address.
    Address(IpAddr),
    /// Connections of one user.
    User(UserKey),
    /// All connections that are told that their address has as many as it may.
    TurnedAway,
}

/// A connection's seat, given back when dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    who: Option<Who>,
}

/// The seats that a connection holds from when it is accepted to its end. From a proxy or from this machine it holds only
/// its seat among all.
#[derive(Debug)]
pub struct Standing {
    /// Its seat among all.
    pub seat: Seat,
    /// Its seat among those of its address, where the peer itself is the client.
    pub of_address: Option<Box<Seat>>,
    /// Its seat among the connections that are told that their address has no more.
    pub turned_away: Option<Box<Seat>>,
}

impl Seats {
    /// As many as `limits` says and `files` open files allow.
    pub fn new(limits: &Limits, files: u64) -> Self {
        let possible = files.saturating_sub(HEADROOM).max(LEAST);
        let wanted = u64::from(limits.connections);
        if wanted > possible {
            tracing::warn!(wanted, possible, files, "the limit of open files allows fewer connections");
        }
        let most = if wanted == 0 { possible } else { wanted.min(possible) };
        Self(Arc::new(Inner {
            most: usize::try_from(most).unwrap_or(usize::MAX - TURNED_AWAY),
            most_of_address: limits.connections_per_address,
            most_of_user: limits.connections_per_user,
            all: AtomicUsize::new(0),
            of: Mutex::default(),
            left: Notify::new(),
        }))
    }

    /// The most connections at once.
    pub fn most(&self) -> usize {
        self.0.most
    }

    /// Waits until one more connection can be accepted, if only to be turned away.
    pub async fn room(&self) {
        loop {
            let left = self.left();
            if self.0.all.load(Ordering::Acquire) < self.0.most + TURNED_AWAY {
                return;
            }
            left.await;
        }
    }

    /// Waits until a connection ends.
    pub fn left(&self) -> impl Future<Output = ()> + Send + '_ {
        self.0.left.notified()
    }

    /// Takes a seat for one more connection. Answers `false` beside it if that is one too many.
    pub fn enter(&self) -> (Seat, bool) {
        let before = self.0.all.fetch_add(1, Ordering::AcqRel);
        (Seat { seats: self.clone(), who: None }, before < self.0.most)
    }

    /// Takes a seat for one more connection of an address or user; none if it has as many as it may.
    pub fn take(&self, who: Who) -> Option<Seat> {
        let most = match who {
            Who::Address(_) => self.0.most_of_address,
            Who::User(_) => self.0.most_of_user,
            Who::TurnedAway => TURNED_AWAY as u32,
        };
        let mut of = self.of();
        let taken = of.entry(who).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        Some(Seat { seats: self.clone(), who: Some(who) })
    }

    fn give_back(&self, who: Who) {
        let mut of = self.of();
        if let Some(taken) = of.get_mut(&who) {
            *taken -= 1;
            if *taken == 0 {
                of.remove(&who);
            }
        }
    }

    fn of(&self) -> MutexGuard<'_, HashMap<Who, u32>> {
        self.0.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        match self.who {
            Some(who) => self.seats.give_back(who),
            None => {
                self.seats.0.all.fetch_sub(1, Ordering::AcqRel);
                self.seats.0.left.notify_waiters();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Who {
        Who::Address(text.parse().expect("an address"))
    }

    #[test]
    fn who_has_as_many_as_they_may_waits_for_one_to_end_and_others_do_not() {
        let seats = Seats::new(&Limits { connections_per_address: 2, ..Limits::default() }, 1_000);
        let (one, two) = (seats.take(address("192.0.2.1")), seats.take(address("192.0.2.1")));
        assert!(one.is_some() && two.is_some() && seats.take(address("192.0.2.1")).is_none());
        assert!(seats.take(address("192.0.2.2")).is_some());
        drop(one);
        assert!(seats.take(address("192.0.2.1")).is_some());
        drop(two);
        assert!(seats.of().is_empty(), "nothing is kept of those who left");
    }

    #[test]
    fn few_are_told_that_their_address_has_no_seat() {
        let seats = Seats::new(&Limits::default(), 20_000);
        let told: Vec<_> = (0..TURNED_AWAY).filter_map(|_| seats.take(Who::TurnedAway)).collect();
        assert_eq!(told.len(), TURNED_AWAY);
        assert!(seats.take(Who::TurnedAway).is_none(), "silent ones would take the seats of all");
        drop(told);
        assert!(seats.take(Who::TurnedAway).is_some());
    }

    #[test]
    fn there_are_as_many_seats_as_files_allow() {
        let of = |connections, files| {
            Seats::new(&Limits { connections, ..Limits::default() }, files).most() as u64
        };
        assert_eq!(of(0, 20_000), 20_000 - HEADROOM);
        assert_eq!(of(500, 20_000), 500);
        assert_eq!(of(50_000, 1_024), 1_024 - HEADROOM);
        assert_eq!(of(0, 64), LEAST);
    }
}
