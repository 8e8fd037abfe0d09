//! Whether a program knows a database, found out beside the server that uses it.

use chat::{Chat, Clock, Database, OpenError};
use rusqlite::Connection;

#[tokio::test]
async fn a_database_in_use_is_known_and_one_of_a_newer_program_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roomful.db");
    let (chat, _told) = Chat::open(&path, Clock::system()).await.unwrap();
    Chat::check(&Database::from(&path)).unwrap();
    let newer = "insert into refinery_schema_history select 9999, 'newer', applied_on, checksum \
                 from refinery_schema_history limit 1";
    assert_eq!(Connection::open(&path).unwrap().execute(newer, []).unwrap(), 1);
    let refused = Chat::check(&Database::from(&path)).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 9999, .. }), "{refused}");
    chat.is_writable().await.unwrap();
}

#[test]
fn an_empty_database_is_anybodys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roomful.db");
    std::fs::File::create(&path).unwrap();
    Chat::check(&Database::from(&path)).unwrap();
}
