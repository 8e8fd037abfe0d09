//! A running server, and the shell that ends it when this process does.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;

/// Starts what it is given, says its process id, and waits for the end of its own input: that comes when this process
/// ends, however it ends. Then it ends what it started, by its process id, and removes the folder that the last line of
/// its input names, if any.
const SHELL: &str = r#"
trap '' INT PIPE
"$@" </dev/null &
server=$!
echo "server $server" >&2
remove=
while IFS= read -r line; do remove=$line; done
kill -QUIT $server 2>/dev/null
wait $server
if [ -n "$remove" ]; then rm -rf -- "$remove"; fi
"#;

/// How PostgreSQL says that it can be used.
const READY: &str = "database system is ready to accept connections";
/// How a server that does not start says that sessions of the one before it, which was killed, have not ended yet.
const OCCUPIED: &str = "pre-existing shared memory block";
/// How many of the server's last lines are told when it fails.
const LAST_LINES: usize = 20;

pub(crate) struct Guard {
    shell: Child,
    input: ChildStdin,
    process: u32,
}

impl Guard {
    /// Runs `server` and waits until it can be used. It is `ResourceBusy` when sessions of a server before it that was killed
    /// have not ended yet. If it ends with this process and not before, `remove` is removed.
    pub(crate) fn start(server: Command, remove: Option<&Path>) -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL, "sh"]).arg(server.get_program()).args(server.get_args());
        for (name, value) in server.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        // Not the folder of whoever runs the tests: the server's user may not be allowed to be there.
        shell.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut shell = shell.spawn()?;
        let (input, output) = (shell.stdin.take(), shell.stderr.take());
        let (Some(mut input), Some(output)) = (input, output) else {
            return Err(io::Error::other("the shell has no pipes"));
        };
        if let Some(folder) = remove {
            writeln!(input, "{}", folder.display())?;
        }
        let (told, hears) = mpsc::channel();
        thread::Builder::new().name("postgres-log".into()).spawn(move || follow(output, &told))?;
        match hears.recv() {
            Ok(Ok(process)) => Ok(Self { shell, input, process }),
            Ok(Err((kind, last))) => {
                if kind == io::ErrorKind::ResourceBusy {
                    // The server before had its data there: nothing is removed.
                    writeln!(input)?;
                }
                drop(input);
                shell.wait()?;
                Err(io::Error::new(kind, format!("PostgreSQL does not start:\n{last}")))
            }
            Err(_) => Err(io::Error::other("nobody reads what PostgreSQL says")),
        }
    }

    pub(crate) fn process(&self) -> u32 {
        self.process
    }

    /// Ends the server by a signal, and waits until it is gone.
    pub(crate) fn end(mut self, signal: &str) -> io::Result<()> {
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", signal, &self.process.to_string()])
            .status();
        // Now the shell sends a signal of its own, which changes nothing for a process that is ending, and waits. Who ends
        // a server may want to start it again: nothing is removed.
        let kept = writeln!(self.input);
        drop(self.input);
        self.shell.wait()?;
        kept?;
        if sent?.success() { Ok(()) } else { Err(io::Error::other("the server had ended by itself")) }
    }
}

/// Reads what the server says for as long as it lives. Tells once, its process id when it can be used or its last words.
fn follow(output: ChildStderr, told: &mpsc::Sender<Result<u32, (io::ErrorKind, String)>>) {
    let (mut process, mut last) = (None, VecDeque::new());
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if let Some(id) = line.strip_prefix("server ") {
            process = id.parse().ok();
        }
        if let Some(process) = process
            && line.contains(READY)
        {
            // Whoever waited may have heard before: a server says it after each crash of a backend.
            let _ = told.send(Ok(process));
        }
        // The shell still waits for its input then: its end is not the end of the output.
        let is_occupied = line.contains(OCCUPIED);
        last.push_back(line);
        if last.len() > LAST_LINES {
            last.pop_front();
        }
        if is_occupied {
            let _ = told.send(Err((io::ErrorKind::ResourceBusy, last.make_contiguous().join("\n"))));
        }
    }
    let _ = told.send(Err((io::ErrorKind::Other, last.make_contiguous().join("\n"))));
}
