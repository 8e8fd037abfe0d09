//! Who may do what: every operation and every command, for everybody.

use crate::support::{Actor, Answer, Ask, PASSWORD, Server};
use client::Connection;
use protocol::{Command, NewReaction, Nonce, Role, RoomId, RoomKind, ServerFrame};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The columns of the table. Ana owns the server and opened the closed room; Ben and the moderator are members of it;
/// the guest, Cyd and the admin are not.
const ROLES: [&str; 7] = ["nobody", "guest", "Cyd", "admin", "Ben", "moderator", "Ana"];

/// What a request is about; new for every cell of the table.
struct Cell {
    room: RoomId,
    /// A message of Ana's in the room.
    seq: u64,
    /// A member of the room.
    pam: Actor,
    /// Somebody who is not.
    eve: Actor,
    /// An invite of Ana's to the room.
    invite: String,
    invite_token: String,
    nonce: String,
}

type Request = fn(&Cell) -> (String, Option<Value>);

struct Row {
    operation: &'static str,
    ask: Request,
    /// Statuses in the order of [`ROLES`].
    expect: [u16; 7],
    command: Option<fn(&Cell) -> Command>,
}

const fn row(operation: &'static str, ask: Request, expect: [u16; 7]) -> Row {
    Row { operation, ask, expect, command: None }
}

impl Row {
    const fn or(self, command: fn(&Cell) -> Command) -> Self {
        Self { command: Some(command), ..self }
    }
}

const ALL: [u16; 7] = [200; 7];
const SIGNED_IN: [u16; 7] = [401, 200, 200, 200, 200, 200, 200];
const ACCOUNTS: [u16; 7] = [401, 403, 200, 200, 200, 200, 200];
const MEMBERS: [u16; 7] = [401, 404, 404, 404, 200, 200, 200];

fn nonce(cell: &Cell) -> Nonce {
    Nonce::new(cell.nonce.clone()).expect("a nonce")
}

fn front_door() -> Vec<Row> {
    vec![
        row("GET /healthz", |_| ("/healthz".into(), None), ALL),
        row("GET /readyz", |_| ("/readyz".into(), None), ALL),
        row("GET /api/v1/openapi.json", |_| ("/api/v1/openapi.json".into(), None), ALL),
        row("GET /api/rooms", |_| ("/api/rooms".into(), None), ALL),
        row("GET /api/v1/session", |_| ("/api/v1/session".into(), None), ALL),
        row(
            "POST /api/v1/session",
            |_| {
                (
                    "/api/v1/session".into(),
                    Some(json!({ "name": "Ben", "password": PASSWORD, "token": true })),
                )
            },
            ALL,
        ),
        row(
            "POST /api/v1/guests",
            |cell| ("/api/v1/guests".into(), Some(json!({ "name": cell.nonce, "token": true }))),
            [201; 7],
        ),
        row(
            "POST /api/v1/setup",
            |_| ("/api/v1/setup".into(), Some(json!({ "token": "x", "name": "Eve", "password": PASSWORD }))),
            [410; 7],
        ),
        row(
            "POST /api/v1/users",
            |_| ("/api/v1/users".into(), Some(json!({ "invite": "x", "name": "Eve", "password": PASSWORD }))),
            [410; 7],
        ),
        row("GET /api/v1/users", |_| ("/api/v1/users?name=b".into(), None), ACCOUNTS)
            .or(|_| Command::ListUsers { name: "b".into(), cursor: None }),
    ]
}

fn invites() -> Vec<Row> {
    vec![
        row("GET /api/v1/invites", |_| ("/api/v1/invites".into(), None), ACCOUNTS)
            .or(|_| Command::ListInvites {}),
        row(
            "POST /api/v1/invites",
            |cell| ("/api/v1/invites".into(), Some(json!({ "room": cell.room }))),
            [401, 403, 404, 404, 201, 201, 201],
        )
        .or(|cell| Command::CreateInvite {
            room: Some(cell.room),
            uses: None,
            hours: None,
            nonce: nonce(cell),
        }),
        row(
            "DELETE /api/v1/invites/{id}",
            |cell| (format!("/api/v1/invites/{}", cell.invite), None),
            [401, 404, 404, 200, 404, 404, 200],
        )
        .or(|cell| Command::RevokeInvite { invite: cell.invite.parse().expect("an id") }),
        row(
            "POST /api/v1/invites/view",
            |cell| ("/api/v1/invites/view".into(), Some(json!({ "token": cell.invite_token }))),
            ALL,
        ),
        row(
            "POST /api/v1/invites/accept",
            |cell| ("/api/v1/invites/accept".into(), Some(json!({ "token": cell.invite_token }))),
            ACCOUNTS,
        ),
    ]
}

fn rooms() -> Vec<Row> {
    vec![
        row("GET /api/v1/rooms", |_| ("/api/v1/rooms".into(), None), SIGNED_IN)
            .or(|_| Command::ListRooms { cursor: None }),
        row(
            "POST /api/v1/rooms",
            |cell| ("/api/v1/rooms".into(), Some(json!({ "name": cell.nonce, "kind": "open" }))),
            [401, 201, 201, 201, 201, 201, 201],
        )
        .or(|cell| Command::OpenRoom {
            name: cell.nonce.clone(),
            kind: RoomKind::Open,
            nonce: nonce(cell),
        }),
        row(
            "GET /api/v1/rooms/{room}/members",
            |cell| (format!("/api/v1/rooms/{}/members", cell.room), None),
            MEMBERS,
        )
        .or(|cell| Command::ListMembers { room: cell.room, cursor: None }),
        row(
            "PUT /api/v1/rooms/{room}/members/{user}",
            |cell| (format!("/api/v1/rooms/{}/members/me", cell.room), None),
            MEMBERS,
        )
        .or(|cell| Command::JoinRoom { room: cell.room }),
        row(
            "PUT /api/v1/rooms/{room}/members/{user}",
            |cell| (format!("/api/v1/rooms/{}/members/{}", cell.room, cell.eve.user.id), None),
            MEMBERS,
        )
        .or(|cell| Command::InviteMember { room: cell.room, user: cell.eve.user.id }),
        row(
            "DELETE /api/v1/rooms/{room}/members/{user}",
            |cell| (format!("/api/v1/rooms/{}/members/me", cell.room), None),
            MEMBERS,
        )
        .or(|cell| Command::LeaveRoom { room: cell.room }),
        row(
            "DELETE /api/v1/rooms/{room}/members/{user}",
            |cell| (format!("/api/v1/rooms/{}/members/{}", cell.room, cell.pam.user.id), None),
            [401, 404, 404, 404, 403, 200, 200],
        )
        .or(|cell| Command::RemoveMember { room: cell.room, user: cell.pam.user.id }),
    ]
}

fn messages() -> Vec<Row> {
    vec![
        row(
            "GET /api/v1/rooms/{room}/messages",
            |cell| (format!("/api/v1/rooms/{}/messages", cell.room), None),
            MEMBERS,
        )
        .or(|cell| Command::ListMessages {
            room: cell.room,
            before: None,
            after: None,
            around: None,
            limit: None,
        }),
        row(
            "POST /api/v1/rooms/{room}/messages",
            |cell| (format!("/api/v1/rooms/{}/messages", cell.room), Some(json!({ "text": "hi" }))),
            [401, 404, 404, 404, 201, 201, 201],
        )
        .or(|cell| Command::PostMessage { room: cell.room, body: "hi".into(), nonce: nonce(cell) }),
        row(
            "PATCH /api/v1/rooms/{room}/messages/{seq}",
            |cell| {
                (
                    format!("/api/v1/rooms/{}/messages/{}", cell.room, cell.seq),
                    Some(json!({ "text": "not I" })),
                )
            },
            [401, 404, 404, 404, 403, 403, 200],
        )
        .or(|cell| Command::EditMessage { room: cell.room, seq: cell.seq, text: "not I".into() }),
        row(
            "POST /api/v1/rooms/{room}/messages/{seq}/reactions",
            |cell| {
                let path = format!("/api/v1/rooms/{}/messages/{}/reactions", cell.room, cell.seq);
                (path, Some(json!({ "emoji": "👍", "on": true })))
            },
            MEMBERS,
        )
        .or(|cell| Command::React {
            room: cell.room,
            seq: cell.seq,
            reaction: NewReaction { emoji: "👍".into(), on: true },
        }),
        row(
            "DELETE /api/v1/rooms/{room}/messages/{seq}",
            |cell| (format!("/api/v1/rooms/{}/messages/{}", cell.room, cell.seq), None),
            [401, 404, 404, 404, 403, 200, 200],
        )
        .or(|cell| Command::DeleteMessage { room: cell.room, seq: cell.seq }),
    ]
}

fn reading() -> Vec<Row> {
    vec![
        row(
            "GET /api/v1/rooms/{room}/events",
            |cell| (format!("/api/v1/rooms/{}/events", cell.room), None),
            MEMBERS,
        )
        .or(|cell| Command::Resume { room: cell.room, after: 0 }),
        row(
            "PUT /api/v1/rooms/{room}/read",
            |cell| (format!("/api/v1/rooms/{}/read", cell.room), Some(json!({ "seq": 1 }))),
            MEMBERS,
        )
        .or(|cell| Command::MarkRead { room: cell.room, seq: 1 }),
        // Last, for it ends the sessions.
        row("DELETE /api/v1/session", |_| ("/api/v1/session".into(), None), ALL),
    ]
}

fn table() -> Vec<Row> {
    [front_door(), invites(), rooms(), messages(), reading()].into_iter().flatten().collect()
}

/// The people of the table, in the order of [`ROLES`], and the two it is about.
struct Cast {
    server: Server,
    people: Vec<Option<Actor>>,
    pam: Actor,
    eve: Actor,
}

impl Cast {
    async fn gather() -> Self {
        let server = Server::start().await;
        let people = vec![
            None,
            Some(server.guest("Gil").await),
            Some(server.cyd().await),
            Some(server.account("Ada", Role::Admin).await),
            Some(server.ben().await),
            Some(server.account("Mia", Role::Moderator).await),
            Some(server.ana().await),
        ];
        let (pam, eve) =
            (server.account("Pam", Role::Member).await, server.account("Eve", Role::Member).await);
        Self { server, people, pam, eve }
    }

    fn ana(&self) -> &Actor {
        self.people.last().and_then(Option::as_ref).expect("Ana comes last")
    }

    async fn cell(&self) -> Cell {
        let room = self.ana().open("garden", "closed").await;
        for member in self.people[4..6].iter().flatten().chain([&self.pam]) {
            self.ana().bring(room, member).await;
        }
        let seq = self.ana().say(room, "between us").await;
        let (invite, invite_token) = self.ana().invite(json!({ "room": room })).await;
        let (pam, eve, nonce) = (self.pam.clone(), self.eve.clone(), format!("n{}", Uuid::now_v7().simple()));
        Cell { room, seq, pam, eve, invite, invite_token, nonce }
    }

    /// The same questions about what is not there at all.
    fn nowhere(&self, cell: Cell) -> Cell {
        let nothing = Uuid::now_v7();
        Cell { room: RoomId::new(nothing), invite: nothing.to_string(), ..cell }
    }

    async fn ask(&self, row: &Row, who: Option<&Actor>, cell: &Cell) -> Answer {
        let (path, body) = (row.ask)(cell);
        let method = row.operation.split(' ').next().expect("a method");
        let ask: Ask = match who {
            Some(actor) => actor.ask(method, &path),
            None => self.server.ask(method, &path),
        };
        match body {
            Some(body) => ask.json(&body).await,
            None => ask.send().await,
        }
    }
}

#[tokio::test]
async fn everybody_may_do_over_http_what_the_table_says() {
    let cast = Cast::gather().await;
    for row in table() {
        for ((role, who), expected) in ROLES.iter().zip(&cast.people).zip(row.expect) {
            let answer = cast.ask(&row, who.as_ref(), &cast.cell().await).await;
            let what = format!("{role}: {}: {}", row.operation, answer.text());
            assert_eq!(answer.status.as_u16(), expected, "{what}");
            if expected >= 400 {
                answer.refused(expected);
            }
            assert_eq!(answer.header("cache-control"), "no-store", "{what}");
        }
    }
}

#[tokio::test]
async fn what_is_not_yours_looks_like_what_is_not_there() {
    let cast = Cast::gather().await;
    for row in table() {
        for ((role, who), _) in
            ROLES.iter().zip(&cast.people).zip(row.expect).filter(|(_, status)| *status == 404)
        {
            let cell = cast.cell().await;
            let not_yours = cast.ask(&row, who.as_ref(), &cell).await;
            let not_there = cast.ask(&row, who.as_ref(), &cast.nowhere(cell)).await;
            assert_eq!(not_yours.status, not_there.status, "{role}: {}", row.operation);
            assert_eq!(not_yours.without_id(), not_there.without_id(), "{role}: {}", row.operation);
            let names =
                |answer: &Answer| answer.headers.keys().map(|name| name.to_string()).collect::<BTreeSet<_>>();
            assert_eq!(names(&not_yours), names(&not_there), "{role}: {}", row.operation);
        }
    }
}

/// Sends a command and waits for its reply: an error's code, or nothing.
async fn command(connection: &mut Connection, command: Command) -> Option<Value> {
    let id = connection.send(command).await.expect("an open connection");
    loop {
        match connection.next_frame().await.expect("an open connection") {
            ServerFrame::Reply(reply) if reply.id == Some(id) => {
                return reply.error.map(|error| json!({ "code": error.code, "message": error.message }));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_command_is_decided_like_the_request_of_the_same_meaning() {
    let cast = Cast::gather().await;
    let address = cast.server.address().to_string();
    for (column, (role, who)) in ROLES.iter().zip(&cast.people).enumerate() {
        let Some(actor) = who else {
            let refused = Connection::open(&address, Some("rfs_gone")).await;
            assert!(matches!(refused, Err(client::ConnectError::Refused { status: 401, .. })));
            continue;
        };
        let mut connection = Connection::open(&address, Some(&actor.token)).await.expect("a connection");
        for row in table() {
            let Some(make) = row.command else { continue };
            let over_http = cast.ask(&row, who.as_ref(), &cast.cell().await).await;
            let over_socket = command(&mut connection, make(&cast.cell().await)).await;
            let expected = (row.expect[column] >= 400).then(|| {
                let body = over_http.value();
                json!({ "code": body["code"], "message": body["message"] })
            });
            assert_eq!(over_socket, expected, "{role}: {}", row.operation);
        }
    }
}

#[tokio::test]
async fn every_operation_has_a_row() {
    let server = Server::start().await;
    let document = server.ask("GET", "/api/v1/openapi.json").send().await.ok();
    let mut operations = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let methods = methods.as_object().expect("operations").keys();
        operations.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let rows: BTreeSet<_> = table().iter().map(|row| row.operation.to_owned()).collect();
    assert_eq!(rows, operations);
}

#[tokio::test]
async fn every_command_has_a_row() {
    let cast = Cast::gather().await;
    let cell = cast.cell().await;
    let name =
        |command: Command| serde_json::to_value(command).expect("JSON")["type"].as_str().map(str::to_owned);
    let rows: BTreeSet<_> =
        table().iter().filter_map(|row| row.command).filter_map(|make| name(make(&cell))).collect();
    // The wire's own tests keep one fixture for every command.
    let fixtures =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/fixtures")).expect("fixtures");
    let names = fixtures.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let commands =
        names.filter_map(|name| Some(name.strip_prefix("command.")?.strip_suffix(".json")?.to_owned()));
    assert_eq!(rows, commands.collect());
}
