#!/usr/bin/env bash
# A commit that kept nothing answers Ok.
#
# Seen with tokio-postgres 0.7.18 (crates.io) and PostgreSQL 15.18 (Debian 12), on 30 November 2026.
#
# When a statement fails within a transaction, PostgreSQL will keep nothing of that transaction. It answers to `commit`
# without an error all the same: the tag of its answer is ROLLBACK where it would have been COMMIT. tokio-postgres drops
# the tag. So `Transaction::commit` returns Ok, and `simple_query("commit")` shows nothing of it either. (The library's
# issue 1334 and pull request 1342, both open, are about this tag.)
#
# A program that goes on after a failed statement, or that never looked at its result, believes that its rows are kept.
# Sent together with another statement, as `select 1; commit`, the commit is refused: in a failed transaction every
# statement but the last one is an error.
#
# What the program below prints, which is compared with these lines:
#
#   one row, and the same row again: duplicate key value violates unique constraint "notes_pkey" (23505)
#   Transaction::commit answers Ok(())
#   rows that were kept: 0
#   simple_query("commit") after such a failure answers Ok([CommandComplete(0)])
#   batch_execute("select 1; commit") after such a failure answers 25P02
#   and in a transaction without a failure, Ok(())
#   rows that were kept: 1
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
postgres-protocol = "=0.6.12"
postgres-types = "=0.2.14"
tokio = { version = "=1.54.1", features = ["rt"] }
tokio-postgres = "=0.7.18"
TOML
  cat >"$folder/program/src/main.rs" <<'RUST'
use tokio_postgres::{Client, Config, Error, NoTls};

fn main() -> Result<(), Error> {
    let socket = std::env::args().nth(1).expect("the folder of the socket is the argument");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = Config::new();
        config.host_path(socket).user("finding").dbname("postgres");
        let (mut client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute("create table notes (text text primary key)").await?;

        let transaction = client.transaction().await?;
        transaction.execute("insert into notes values ('one')", &[]).await?;
        let error = transaction.execute("insert into notes values ('one')", &[]).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        println!("one row, and the same row again: {} ({})", error.message(), error.code().code());
        println!("Transaction::commit answers {:?}", transaction.commit().await);
        println!("rows that were kept: {}", rows(&client).await?);

        fail(&client).await?;
        let answer = client.simple_query("commit").await;
        println!("simple_query(\"commit\") after such a failure answers {answer:?}");

        fail(&client).await?;
        let error = client.batch_execute("select 1; commit").await.unwrap_err();
        let code = error.code().unwrap().code();
        println!("batch_execute(\"select 1; commit\") after such a failure answers {code}");
        client.batch_execute("rollback").await?;

        client.batch_execute("begin; insert into notes values ('one')").await?;
        let answer = client.batch_execute("select 1; commit").await;
        println!("and in a transaction without a failure, {answer:?}");
        println!("rows that were kept: {}", rows(&client).await?);
        Ok(())
    })
}

/// Begins a transaction in which a statement fails.
async fn fail(client: &Client) -> Result<(), Error> {
    client.batch_execute("begin; insert into notes values ('one')").await?;
    client.batch_execute("insert into notes values ('one')").await.unwrap_err();
    Ok(())
}

async fn rows(client: &Client) -> Result<i64, Error> {
    Ok(client.query_one("select count(*) from notes", &[]).await?.get(0))
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
