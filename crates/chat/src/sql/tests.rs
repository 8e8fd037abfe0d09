//! One suite that both engines pass, and what is true of one alone.

mod both;
mod postgres;
mod sqlite;
mod tls;

use super::*;

fn sqlite() -> Sqlite {
    Sqlite::new(rusqlite::Connection::open_in_memory().expect("a database"))
}

fn postgres() -> Postgres {
    Postgres::connect(&testbed::database()).expect("a session")
}
