//! PostgreSQL's programs, and the user who may run them.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The role that owns everything.
pub(crate) const ROLE: &str = "roomful";

/// The port that names a socket where no port is listened on.
pub(crate) const PORT: u16 = 5432;

/// Where PostgreSQL's programs are.
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// Debian keeps the programs of each version in a folder of their own, off the path; others have them on the path.
    pub(crate) fn find() -> io::Result<Self> {
        let of_debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut versions: Vec<(u32, PathBuf)> = of_debian
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        versions.sort();
        versions.reverse();
        let on_path = Command::new("sh").args(["-c", "dirname \"$(command -v initdb)\""]).output()?;
        let on_path = PathBuf::from(String::from_utf8_lossy(&on_path.stdout).trim());
        let all = versions.into_iter().map(|(_, folder)| folder).chain([on_path]);
        let whole = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
        all.into_iter().find(whole).map(Self).ok_or_else(|| {
            let missing =
                "these tests need PostgreSQL (Debian: apt-get install postgresql; scripts/test does it)";
            io::Error::new(io::ErrorKind::NotFound, missing)
        })
    }

    /// Makes an empty cluster in `data`.
    pub(crate) fn make(&self, runner: &Runner, data: &Path) -> io::Result<()> {
        let mut initdb = runner.command(&self.0.join("initdb"));
        // The files of an empty cluster need not outlive a power cut; what is committed later is another matter.
        initdb.args(["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust", "--username", ROLE]);
        let made = initdb.arg("--pgdata").arg(data).current_dir("/").output()?;
        if made.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        Err(io::Error::other(format!("initdb made no cluster in {}:\n{said}", data.display())))
    }

    /// The server itself.
    pub(crate) fn serve(&self, runner: &Runner, data: &Path, socket: &Path, port: Option<u16>) -> Command {
        let mut postgres = runner.command(&self.0.join("postgres"));
        postgres.arg("-D").arg(data).arg("-k").arg(socket);
        let (addresses, port) = port.map_or(("", PORT), |port| ("127.0.0.1", port));
        postgres.arg("-p").arg(port.to_string()).arg("-c").arg(format!("listen_addresses={addresses}"));
        postgres.args(["-c", "max_connections=200"]);
        // Its last words are read, and a translated one would not be known.
        postgres.args(["-c", "lc_messages=C", "-c", "logging_collector=off", "-c", "log_destination=stderr"]);
        postgres
    }
}

/// Who runs the server: PostgreSQL refuses to be run by root.
pub(crate) struct Runner(Option<(u32, u32)>);

impl Runner {
    pub(crate) fn find() -> io::Result<Self> {
        let me = fs::metadata("/proc/self")?.uid();
        if me != 0 {
            return Ok(Self(None));
        }
        let users = fs::read_to_string("/etc/passwd")?;
        let ids = |wanted: &str| {
            users.lines().find_map(|line| {
                let mut fields = line.split(':');
                let named = fields.next() == Some(wanted);
                let (user, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
                named.then_some((user, group))
            })
        };
        let other = ids("postgres").or_else(|| ids("nobody"));
        let none = "PostgreSQL is not run by root, and there is no user postgres or nobody to run it";
        other.map(|ids| Self(Some(ids))).ok_or_else(|| io::Error::other(none))
    }

    /// Makes the folder the runner's own.
    pub(crate) fn give(&self, folder: &Path) -> io::Result<()> {
        self.0.map_or(Ok(()), |(user, group)| chown(folder, Some(user), Some(group)))
    }

    /// A program, to be run by this user.
    fn command(&self, program: &Path) -> Command {
        let Some((user, group)) = self.0 else { return Command::new(program) };
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={user}"))
            .arg(format!("--regid={group}"))
            .arg("--clear-groups")
            .arg(program);
        command
    }
}
