//! The promises of the servers that tests are given.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use testbed::{Server, database};

/// The socket that an address leads to.
fn socket(url: &str) -> PathBuf {
    let folder = url.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("a host").0;
    PathBuf::from(folder.replace("%2F", "/")).join(".s.PGSQL.5432")
}

#[test]
fn each_test_has_a_database_of_its_own_on_one_server() {
    let (one, other) = (database(), database());
    assert_ne!(one, other);
    assert_eq!(socket(&one), socket(&other));
    UnixStream::connect(socket(&one)).expect("somebody listens");
}

#[test]
fn a_server_that_is_killed_starts_again_with_what_it_had() {
    let mut server = Server::temporary().expect("a server");
    server.database("kept").expect("a database");
    let first = server.process().expect("it runs");
    server.kill().expect("a kill");
    UnixStream::connect(socket(&server.url())).expect_err("nobody listens");
    server.restart().expect("a server");
    assert_ne!(server.process(), Some(first));
    server.database("kept").expect_err("it is there");
    server.database("new").expect("a database");
}

#[test]
fn a_server_listens_on_a_port_when_asked_to() {
    let mut server = Server::temporary().expect("a server");
    let port = server.listen().expect("a port");
    std::net::TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    server.database("new").expect("a database");
    server.kill().expect("a kill");
    server.restart().expect("a server");
    std::net::TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
}

#[test]
fn a_server_that_is_stopped_is_not_stopped_twice() {
    let mut server = Server::temporary().expect("a server");
    server.stop().expect("an end");
    assert_eq!(server.process(), None);
    server.stop().expect_err("it does not run");
    server.kill().expect_err("it does not run");
    server.restart().expect("a server");
}

#[test]
fn a_server_that_is_dropped_leaves_nothing_behind() {
    let server = Server::temporary().expect("a server");
    let (folder, process) = (socket(&server.url()), server.process().expect("it runs"));
    drop(server);
    assert!(!folder.exists() && !folder.parent().expect("a folder").exists());
    assert!(!PathBuf::from(format!("/proc/{process}")).exists());
}

#[test]
fn a_folder_that_is_no_place_for_a_server_is_refused_with_a_reason() {
    let folder = PathBuf::from("/tmp").join("x".repeat(120));
    let refused = Server::start(&folder).err().expect("no server").to_string();
    assert!(refused.contains("too long"), "{refused}");
    std::fs::remove_dir(folder).expect("an empty folder");
}
