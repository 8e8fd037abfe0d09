//! A process of its own that writes rows to the disk under test until it is done or dead.

use rusqlite::Connection;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Rows that the process writes, one in each commit, when nothing stops it.
pub const ROWS: i64 = 400;

/// What became of a process.
#[derive(Debug)]
pub struct Written {
    /// Rows that were committed, as the process was told.
    pub acknowledged: Vec<i64>,
    /// SQLite's errors for rows that were not.
    pub refused: Vec<String>,
    /// Whether it wrote all its rows.
    pub whole: bool,
}

/// Starts the process on the database in `folder`.
pub fn start(folder: &Path, disk: &str, synchronous: &str) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["writing::process", "--exact", "--ignored", "--nocapture"])
        .env("ROOMFUL_DISK", disk)
        .env("WRITE_TO", folder)
        .env("SYNCHRONOUS", synchronous)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process")
}

/// Lets a process write until it ends. `seen` is called with each line that it prints.
pub fn watch(mut process: Child, mut seen: impl FnMut(&str, &mut Child)) -> Written {
    let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
    let mut written = Written { acknowledged: Vec::new(), refused: Vec::new(), whole: false };
    for line in lines.map_while(Result::ok) {
        if let Some(row) = line.strip_prefix("row ").and_then(|row| row.parse().ok()) {
            written.acknowledged.push(row);
        } else if let Some(error) = line.strip_prefix("error ") {
            written.refused.push(error.to_owned());
        }
        seen(&line, &mut process);
        if line == "end" {
            drop(process.stdin.take());
        }
    }
    written.whole = process.wait().expect("its end").success();
    written
}

/// The rows in the database in `folder`, which must be sound; read without the disk under test.
pub fn rows(folder: &Path) -> Vec<i64> {
    let Ok(sql) = Connection::open(folder.join("rows.db")) else { return Vec::new() };
    let sound: String = sql.query_row("pragma integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(sound, "ok");
    let Ok(mut found) = sql.prepare("select row from rows order by row") else { return Vec::new() };
    let rows = found.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

/// Not a test: the process that [`start`] starts.
#[test]
#[ignore = "it is what the others start"]
fn process() {
    let Some(folder) = std::env::var_os("WRITE_TO") else { return };
    sabotage::mount().expect("the disk under test");
    let path = Path::new(&folder).join("rows.db");
    let synchronous = std::env::var("SYNCHRONOUS").expect("how it syncs");
    let mut out = std::io::stdout();
    writeln!(out).expect("output");
    let sql = loop {
        match prepare(&path, &synchronous) {
            Ok(sql) => break sql,
            Err(error) => writeln!(out, "error {error}").expect("output"),
        }
    };
    for row in 1..=ROWS {
        while let Err(error) =
            sql.execute("insert or ignore into rows values (?1, ?2)", (row, "x".repeat(row as usize * 7)))
        {
            writeln!(out, "error {error}").expect("output");
        }
        writeln!(out, "row {row}").expect("output");
        if row % 100 == 0 {
            // A checkpoint that fails is tried again by the next.
            let _ = sql.query_row("pragma wal_checkpoint(restart)", [], |_| Ok(()));
        }
    }
    writeln!(out, "end").expect("output");
    // Until the test that started it has seen enough.
    std::io::stdin().read_line(&mut String::new()).expect("the end");
}

fn prepare(path: &Path, synchronous: &str) -> rusqlite::Result<Connection> {
    let sql = Connection::open(path)?;
    sql.busy_timeout(Duration::from_secs(5))?;
    sql.pragma_update(None, "journal_mode", "wal")?;
    sql.pragma_update(None, "synchronous", synchronous)?;
    sql.execute_batch("create table if not exists rows (row integer primary key, text text not null)")?;
    Ok(sql)
}
