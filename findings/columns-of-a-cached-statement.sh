#!/usr/bin/env bash
# A cached statement has the columns of the old schema until its first row.
#
# Seen with rusqlite 0.41.1 (crates.io) and the SQLite 3.54.1 that it bundles, on 30 November 2026.
#
# `Connection::prepare_cached` hands out a statement that was prepared before the schema changed. SQLite prepares it anew
# only when it is stepped. Until then `column_count` and `column_names` tell the columns of the old schema, also when the
# same connection changed the schema, and also after `query`. From the first row on they tell the new ones. The documents
# of rusqlite warn of a schema that changes concurrently; here nothing is concurrent.
#
# A program that remembers the names of a statement's columns, or makes room for as many values as there are columns,
# must look at them when it has the first row.
#
# What the program below prints, which is compared with these lines:
#
#   before the change: 1 ["a"]
#   after the change, prepared anew: 2 ["a", "b"]
#   after the change, from the cache: 1 ["a"]
#   after query: 1 ["a"]
#   at the first row: 2 ["a", "b"], and b is 2
#
# Needs cargo and a C compiler. All is in a temporary folder, which is removed. Exits with 0 while the library behaves
# like this.
set -euo pipefail

script=$(realpath "$0")
folder=$(mktemp -d)

main() {
  trap 'rm -rf "$folder"' EXIT
  write_program
  CARGO_TARGET_DIR=$folder/target cargo run --quiet --manifest-path "$folder/program/Cargo.toml" | tee "$folder/seen"
  sed -n 's/^#   //p' "$script" | diff - "$folder/seen" || { echo "This is not what was seen before."; exit 1; }
  echo "It is as it was."
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
libsqlite3-sys = "=0.39.1"
rusqlite = { version = "=0.41.1", features = ["bundled"] }
TOML
  cat >"$folder/program/src/main.rs" <<'RUST'
use rusqlite::{Connection, Result, Statement};

const TEXT: &str = "select * from things";

fn main() -> Result<()> {
    let connection = Connection::open_in_memory()?;
    eprintln!("SQLite {}", rusqlite::version());
    connection.execute_batch("create table things (a integer); insert into things values (1)")?;
    println!("before the change: {}", columns(&*connection.prepare_cached(TEXT)?));
    connection.execute_batch("alter table things add column b integer default 2")?;
    println!("after the change, prepared anew: {}", columns(&connection.prepare(TEXT)?));

    let mut statement = connection.prepare_cached(TEXT)?;
    println!("after the change, from the cache: {}", columns(&statement));
    let mut rows = statement.query([])?;
    println!("after query: {}", columns(rows.as_ref().unwrap()));
    let row = rows.next()?.unwrap();
    println!("at the first row: {}, and b is {}", columns(row.as_ref()), row.get::<_, i64>("b")?);
    Ok(())
}

fn columns(statement: &Statement<'_>) -> String {
    format!("{} {:?}", statement.column_count(), statement.column_names().collect::<Vec<_>>())
}
RUST
}

main
