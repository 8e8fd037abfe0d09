#!/usr/bin/env bash
# The end of a stream of rows, asked once more, says that the session is closed, and it is not.
#
# Seen with tokio-postgres 0.7.18 (crates.io) and PostgreSQL 15.18 (Debian 12), on 30 November 2026.
#
# A `RowStream` answers None at its end. Polled once more it answers an error, "connection closed". Nothing was closed:
# `Client::is_closed` says false, and the next statement is answered. A stream may do what it likes after None. But a session
# that is truly gone answers with the same error.
#
# A program that takes rows in portions and polls at the beginning of each, or that begins another session after such an
# error, gives up a session that is well. `StreamExt::fuse` helps, and so does stopping at the first None.
#
# What the program below prints, which is compared with these lines:
#
#   row, row, end
#   asked once more: Err("connection closed"), is_closed of the error: true
#   is_closed of the client: false
#   the next statement answers 42
#   the same with fuse: row, row, end, end
#
# Needs cargo and PostgreSQL's server, which it installs from Debian where it is missing and root runs the script. All
# else is in a temporary folder, which is removed. Exits with 0 while the libraries behave like this.
set -euo pipefail

script=$(realpath "$0")
folder=$(mktemp -d)
server=
as=()

main() {
  trap clean EXIT
  start_postgres
  write_program
  CARGO_TARGET_DIR=$folder/target cargo run --quiet --manifest-path "$folder/program/Cargo.toml" -- "$folder/postgres" |
    tee "$folder/seen"
  sed -n 's/^#   //p' "$script" | diff - "$folder/seen" || { echo "This is not what was seen before."; exit 1; }
  echo "It is as it was."
}

# A server of its own on a Unix socket in the temporary folder. PostgreSQL refuses to be run by root.
start_postgres() {
  local programs
  programs=$(find_programs) || { install_postgres && programs=$(find_programs); }
  mkdir "$folder/postgres"
  if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chmod 711 "$folder"
    chown postgres:postgres "$folder/postgres"
  fi
  cd /
  "${as[@]}" "$programs/initdb" --no-sync --username=finding --auth=trust --locale=C.UTF-8 -D "$folder/postgres/data" \
    >"$folder/initdb.log"
  "${as[@]}" "$programs/pg_ctl" start --silent --wait -D "$folder/postgres/data" -l "$folder/postgres/log" \
    -o "-k $folder/postgres -c listen_addresses= -c lc_messages=C"
  server=$(head -n 1 "$folder/postgres/data/postmaster.pid")
}

find_programs() {
  local found
  found=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1) || return 1
  dirname "$found"
}

install_postgres() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null
}

write_program() {
  mkdir -p "$folder/program/src"
  cat >"$folder/program/Cargo.toml" <<'TOML'
[package]
name = "finding"
edition = "2024"

[profile.dev]
debug = false

[dependencies]
futures-util = { version = "=0.3.34", default-features = false }
postgres-protocol = "=0.6.12"
postgres-types = "=0.2.14"
tokio = { version = "=1.54.1", features = ["rt"] }
tokio-postgres = "=0.7.18"
TOML
  cat >"$folder/program/src/main.rs" <<'RUST'
use futures_util::StreamExt;
use std::pin::pin;
use tokio_postgres::{Client, Config, Error, NoTls, Row, RowStream};

fn main() -> Result<(), Error> {
    let socket = std::env::args().nth(1).expect("the folder of the socket is the argument");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = Config::new();
        config.host_path(socket).user("finding").dbname("postgres");
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);

        let mut rows = pin!(two(&client).await?);
        let all = [rows.next().await, rows.next().await, rows.next().await].map(name);
        println!("{}", all.join(", "));
        let error = rows.next().await.unwrap().unwrap_err();
        let is_closed = error.is_closed();
        println!("asked once more: Err({:?}), is_closed of the error: {is_closed}", error.to_string());
        println!("is_closed of the client: {}", client.is_closed());
        let answer: i32 = client.query_one("select 42", &[]).await?.get(0);
        println!("the next statement answers {answer}");

        let mut rows = pin!(two(&client).await?.fuse());
        let all = [rows.next().await, rows.next().await, rows.next().await, rows.next().await].map(name);
        println!("the same with fuse: {}", all.join(", "));
        Ok(())
    })
}

async fn two(client: &Client) -> Result<RowStream, Error> {
    client.query_raw("select * from generate_series(1, 2)", std::iter::empty::<i32>()).await
}

fn name(answer: Option<Result<Row, Error>>) -> &'static str {
    match answer {
        Some(Ok(_)) => "row",
        Some(Err(_)) => "error",
        None => "end",
    }
}
RUST
}

clean() {
  if [ -n "$server" ]; then
    kill -INT "$server"
    timeout 20 tail --pid="$server" -f /dev/null
  fi
  rm -rf "$folder"
}

main
