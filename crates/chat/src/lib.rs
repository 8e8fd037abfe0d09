//! What happens in Roomful: accounts, sessions, rooms, memberships, messages and reads, in one embedded database.
//!
//! [`Chat`] is the way in; each file adds what can be done with its noun. What was committed leaves as one ordered
//! stream of [`Committed`], after the commit and before the answer to whoever asked.
//!
//! Must not know: axum, HTTP status, cookies, WebSocket frames, the web client, the configuration file.

mod accounts;
pub mod backup;
mod caller;
mod chat;
pub mod checks;
mod clock;
mod consumers;
mod error;
mod export;
mod invites;
mod limits;
mod log;
mod marks;
mod memberships;
mod messages;
mod news;
mod pages;
mod passwords;
pub mod presence;
mod reactions;
mod reads;
mod replays;
mod rights;
mod rooms;
mod sessions;
#[allow(dead_code, unused_imports, unused_macros)]
mod sql;
mod store;
mod stream;
mod text;
mod together;
mod token;
mod visitors;

pub use accounts::Account;
pub use caller::Caller;
pub use chat::Chat;
pub use clock::Clock;
pub use consumers::{ConsumerState, Consuming, DayCount, consumers_of};
pub use error::{DatabaseError, Error, Result};
pub use export::export;
pub use limits::{LOBBY, RESUME_EVENTS, ROOMS, ROOMS_OF_GUEST};
pub use messages::Window;
pub use pages::PAGE;
pub use replays::Replay;
pub use rights::Membership;
pub use sessions::NewSession;
pub use sql::SqlError;
pub use store::{Checked, Database, OpenError, Way};
pub use stream::{Batch, Committed, Kept, RoomKey, RoomRef, UserKey};
pub use text::{Draft, NAME_CHARS, Name, PASSWORD_MIN, TEXT_CHARS, fold};
pub use token::Token;
pub use visitors::{History, Visitor};
