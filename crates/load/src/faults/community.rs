//! The people and rooms of a round: made before the first fault, read as the server has them after the last.

use super::journal::Keeper;
use super::victim::Victim;
use anyhow::{Context, Result, bail};
use client::Api;
use protocol::frame::{EventPage, MemberPage, MessagePage, RoomPage};
use protocol::{Event, Member, Message, Room, RoomId, RoomKind, User, UserId};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The password of everybody who has one. No client may ever be shown it.
const PASSWORD: &str = "an-only-too-secret-word-7341";

/// How long a server that listens may take to print its setup link.
const PRINTING: Duration = Duration::from_secs(20);

/// The most people whose rooms are read at the end.
const VIEWS: usize = 40;

/// A person with an account.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user of the account.
    pub user: User,
    /// The account's bearer token.
    pub token: String,
}

/// Everybody and every room.
#[derive(Debug, Clone)]
pub struct Community {
    /// The owner, a member of every room for ever.
    pub ana: Account,
    /// Everybody else.
    pub others: Vec<Account>,
    /// Open; everybody is a member, and nobody leaves.
    pub lobby: RoomId,
    /// Open; people join and leave.
    pub kitchen: RoomId,
    /// Closed; Ana invites and removes people.
    pub garden: RoomId,
}

/// A room as the server has it at the end.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its log.
    pub events: Vec<Event>,
    /// Its messages.
    pub messages: Vec<Message>,
    /// Its members.
    pub members: Vec<Member>,
}

/// Everything as the server has it at the end.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// By room.
    pub rooms: BTreeMap<RoomId, Kept>,
    /// The rooms of each person, with heads and read marks.
    pub views: BTreeMap<UserId, Vec<Room>>,
}

impl Community {
    /// Makes the owner, the rooms and so many others on a fresh server.
    ///
    /// # Errors
    /// When the server does not let them in.
    pub async fn found(victim: &Victim, people: usize) -> Result<Self> {
        let api = Api::new(victim.address().to_string());
        set_up(&api, victim).await?;
        let ana = signed_in(api.sign_in("Ana", PASSWORD).await?)?;
        let owner = api.with_token(&ana.token);
        let mine: RoomPage = owner.get("/api/v1/rooms").await?;
        let lobby = mine.mine.first().context("the owner is not in the lobby")?.id;
        let open = async |name: &str, kind: RoomKind| -> Result<RoomId> {
            let room: Room =
                owner.post("/api/v1/rooms", &json!({ "name": name, "kind": kind, "nonce": name })).await?;
            Ok(room.id)
        };
        let (kitchen, garden) =
            (open("kitchen", RoomKind::Open).await?, open("garden", RoomKind::Closed).await?);
        let mut others = Vec::new();
        for number in 0..people {
            others.push(signed_in(api.come_in(&format!("Person {number}")).await?)?);
        }
        Ok(Self { ana, others, lobby, kitchen, garden })
    }

    /// The names of the rooms with their ids.
    pub const fn rooms(&self) -> [RoomId; 3] {
        [self.lobby, self.kitchen, self.garden]
    }

    /// Everybody with an account.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        std::iter::once(&self.ana).chain(&self.others)
    }

    /// Texts that no frame and no printed line may hold.
    pub fn secrets(&self) -> Vec<String> {
        let tokens = self.accounts().map(|account| account.token.clone());
        tokens.chain([PASSWORD.to_owned(), "$argon2".to_owned()]).collect()
    }

    /// Reads everything there is.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn read(&self, address: &str) -> Result<Record> {
        let owner = Api::new(address).with_token(&self.ana.token);
        let mut record = Record::default();
        for room in self.rooms() {
            record.rooms.insert(room, read_room(&owner, room).await?);
        }
        for account in self.accounts().take(VIEWS) {
            let page: RoomPage = Api::new(address).with_token(&account.token).get("/api/v1/rooms").await?;
            record.views.insert(account.user.id, page.mine);
        }
        Ok(record)
    }
}

impl Account {
    /// As a journal names them.
    pub fn keeper(&self) -> Keeper {
        Keeper { name: self.user.name.clone(), user: Some(self.user.id) }
    }
}

impl Record {
    /// How far each room's log goes.
    pub fn heads(&self) -> BTreeMap<RoomId, u64> {
        let head = |kept: &Kept| kept.events.last().map_or(0, |event| event.seq);
        self.rooms.iter().map(|(room, kept)| (*room, head(kept))).collect()
    }
}

async fn read_room(owner: &Api, room: RoomId) -> Result<Kept> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page: EventPage = owner.get(&format!("/api/v1/rooms/{room}/events?after={after}")).await?;
        let more = page.more && !page.events.is_empty();
        events.extend(page.events);
        if !more {
            break;
        }
    }
    let mut messages: Vec<Message> = Vec::new();
    loop {
        let after = messages.last().map_or(0, |message| message.seq);
        let path = format!("/api/v1/rooms/{room}/messages?after={after}&limit=100");
        let page: MessagePage = owner.get(&path).await?;
        let more = page.more_after && !page.messages.is_empty();
        messages.extend(page.messages);
        if !more {
            break;
        }
    }
    Ok(Kept { events, messages, members: read_members(owner, room).await? })
}

async fn read_members(owner: &Api, room: RoomId) -> Result<Vec<Member>> {
    let (mut members, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let query = cursor.map(|cursor| format!("?cursor={}", escaped(&cursor))).unwrap_or_default();
        let page: MemberPage = owner.get(&format!("/api/v1/rooms/{room}/members{query}")).await?;
        members.extend(page.members);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(members),
        }
    }
}

/// A cursor in the form for a query. In our names only spaces must be escaped.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn signed_in(answer: protocol::http::SignedIn) -> Result<Account> {
    match answer.token {
        Some(token) => Ok(Account { user: answer.user, token }),
        None => bail!("the server gave {} no token", answer.user.name),
    }
}

/// Makes the owner with the link that was printed last. The server listens before it has opened its database, and
/// prints the link after that. Until then the last link may be of a life before.
async fn set_up(api: &Api, victim: &Victim) -> Result<()> {
    let began = Instant::now();
    loop {
        let output = victim.output();
        let after = output.rsplit_once("/setup#token=").map(|(_, after)| after);
        let token = after.and_then(|after| after.split_once(char::is_whitespace)).map(|(token, _)| token);
        let refused = match token {
            Some(token) => match api.set_up(token, "Ana", PASSWORD).await {
                Ok(_) => return Ok(()),
                Err(error) => error.to_string(),
            },
            None => "the server printed no setup link".to_owned(),
        };
        if began.elapsed() > PRINTING {
            bail!("{refused}");
        }
        sleep(Duration::from_millis(5)).await;
    }
}
