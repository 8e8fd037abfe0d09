//! A backup of a PostgreSQL database, written by `pg_dump`.

use super::{Backup, Unfinished, length, may_be_written, refuse_terminal, with};
use crate::config::Config;
use crate::directory::{Directory, UNFINISHED};
use crate::operator::terminal::{Progress, warn};
use anyhow::{Context, Result, bail};
use chat::backup::{self, Contents, Moment};
use chat::checks::ServerFacts;
use chat::{Database, Way};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Between two looks at how far the program is.
const PACE: Duration = Duration::from_millis(50);
/// How many of the program's last lines are told when it fails.
const LAST_LINES: usize = 5;

impl Backup {
    /// Has `pg_dump` write the database as it is at one moment, after a look at it at the same moment.
    pub(super) fn of_postgres(
        &self,
        address: &str,
        config: &Config,
        progress: &mut Progress,
    ) -> Result<Contents> {
        let unfinished = if self.is_to_standard_output() {
            refuse_terminal()?;
            None
        } else {
            self.folder()?;
            may_be_written(&self.file, self.force)?;
            Some(Unfinished::create(&with(&self.file, UNFINISHED))?)
        };
        name_what_is_left_out(config);
        let taken = backup::hold(address, |moment| {
            self.refuse_holes(&moment.holes)?;
            dump(address, moment, unfinished.as_ref(), progress)?;
            Ok::<_, anyhow::Error>(moment.contents.clone())
        });
        let named = || format!("the database {}", Database::Postgres(address.to_owned()).shown());
        let contents = taken.with_context(named)?.context("the backup was not written")?;
        if let Some(unfinished) = unfinished {
            unfinished.finish(&self.file, self.folder()?)?;
        }
        Ok(contents)
    }
}

fn name_what_is_left_out(config: &Config) {
    let beside = Directory::of(config).and_then(|directory| directory.contents()).unwrap_or_default();
    for file in beside.files {
        warn(&format!("the backup holds the database alone, and leaves out {file} in the data directory"));
    }
}

/// Has the program write the moment to the file, or to standard output.
fn dump(address: &str, moment: &Moment, to: Option<&Unfinished>, progress: &mut Progress) -> Result<()> {
    find(&moment.server)?;
    let Way { address, password } = Way::to(address);
    let mut program = Command::new("pg_dump");
    program.args(["--format=custom", "--no-password", "--snapshot", &moment.snapshot, "--dbname", &address]);
    // Everybody on this machine can read a command line, and only its owner the environment of a process.
    if let Some(password) = password {
        program.env("PGPASSWORD", password);
    }
    let out = match to {
        Some(unfinished) => unfinished.file.try_clone()?.into(),
        None => Stdio::inherit(),
    };
    let mut child = program.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).spawn()?;
    let said = child.stderr.take().map(|said| thread::spawn(move || last_lines(said)));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let done = to.map_or(0, |unfinished| length(&unfinished.path));
        if !progress.show("Writing the backup", done, moment.server.bytes) {
            return Err(stopped(&mut child));
        }
        thread::sleep(PACE);
    };
    let said = said.and_then(|said| said.join().ok()).unwrap_or_default();
    if !status.success() {
        bail!("pg_dump failed ({status}): {said}");
    }
    if !said.is_empty() {
        warn(&said);
    }
    Ok(())
}

fn stopped(child: &mut Child) -> anyhow::Error {
    // It may have ended already.
    let _ = child.kill();
    let _ = child.wait();
    chat::DatabaseError::Stopped.into()
}

/// Makes sure that there is a program that can read a database of this server.
fn find(server: &ServerFacts) -> Result<()> {
    let needed = format!(
        "Install PostgreSQL's client programs of version {0} or newer (Debian: postgresql-client-{0}), or run this command \
         where they are",
        server.major
    );
    let said = match Command::new("pg_dump").arg("--version").stdin(Stdio::null()).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("there is no pg_dump, the program of PostgreSQL that backs up a database. {needed}")
        }
        said => said.context("pg_dump")?,
    };
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    match major(&said) {
        Some(major) if major < server.major => bail!(
            "pg_dump has version {major}, and the server is PostgreSQL {}, which it cannot read. {needed}",
            server.version
        ),
        // What a program of another make cannot do it says itself.
        Some(_) | None => Ok(()),
    }
}

/// The first part of the version in `pg_dump (PostgreSQL) 17.2 (Debian 17.2-1)`.
fn major(said: &str) -> Option<u32> {
    let version = said.split_once("(PostgreSQL) ")?.1;
    let digits = version.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn last_lines(said: ChildStderr) -> String {
    let mut last = VecDeque::new();
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        last.push_back(line);
        if last.len() > LAST_LINES {
            last.pop_front();
        }
    }
    last.make_contiguous().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_the_program_is_read_from_what_it_says() {
        assert_eq!(major("pg_dump (PostgreSQL) 17.2 (Debian 17.2-1.pgdg120+1)\n"), Some(17));
        assert_eq!(major("pg_dump (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("something else"), None);
    }
}
