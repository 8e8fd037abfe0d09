//! The command line.

use crate::people::{Protocol, Spread};
use crate::processor::{self, Pins};
use crate::scenario::Shape;
use crate::swarm::Pace;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Loads a chat server, checks every delivery, and says what it cost.
///
/// Ends with 1 when a delivery was lost, doubled or out of order, and with 2 when it could not measure.
#[derive(Debug, Parser)]
#[command(name = "roomful-load", version, about, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One big room.
    Room {
        #[command(flatten)]
        load: Load,
        /// How fast is posted.
        #[arg(long, default_value = "paced")]
        pace: PaceName,
    },
    /// Many small rooms.
    Rooms {
        #[command(flatten)]
        load: Load,
        /// How fast is posted.
        #[arg(long, default_value = "paced")]
        pace: PaceName,
    },
    /// An open loop: posts leave when they are due, and times count from then.
    Steady {
        #[command(flatten)]
        load: Load,
    },
    /// Connections that hear nothing: memory for each as a slope over several sizes, and processor time.
    Idle {
        /// Which wire protocol is spoken.
        #[arg(long, default_value = "native")]
        protocol: Protocol,
        /// The sizes, each above the one before.
        #[arg(long, value_parser = at_least_one, value_delimiter = ',', default_value = "2000,6000,12000,18000")]
        connections: Vec<usize>,
        /// Rooms.
        #[arg(long, default_value_t = 9_000)]
        rooms: usize,
        /// Rooms that each connection is in; one in the simple protocol.
        #[arg(long, default_value_t = 5)]
        rooms_each: usize,
        /// Seconds of quiet before memory is read at each size.
        #[arg(long, default_value_t = 65.0)]
        quiet: f64,
    },
    /// Readers that stall, 1,000 unless --stalled says otherwise, beside others that do not.
    Slow {
        #[command(flatten)]
        load: Load,
        /// How many readers stall, beside those that read.
        #[arg(long, default_value_t = 1_000)]
        stalled: usize,
    },
    /// A small room, paced, beside a big one that is flooded and is not, in turn.
    Flood {
        #[command(flatten)]
        load: Load,
        /// How many are in the big room.
        #[arg(long, default_value_t = 9_000)]
        big: usize,
        /// How many of them post.
        #[arg(long, default_value_t = 8)]
        bots: usize,
        /// Posts that each of these keeps under way: the next leaves when the sender has heard an earlier one.
        #[arg(long, default_value_t = SATURATED)]
        window: u32,
    },
    /// All connections are cut at once and come back at once.
    Storm {
        #[command(flatten)]
        load: Load,
        /// How often.
        #[arg(long, default_value_t = 3)]
        times: usize,
    },
    /// People as they are: they join, post, read and reload, each with a whole client. Native protocol.
    Mixed {
        /// How many.
        #[arg(long, default_value_t = 200)]
        people: usize,
        /// Seconds between two acts of one of them.
        #[arg(long, default_value_t = 2.0)]
        pause: f64,
        /// Seconds that it lasts.
        #[arg(long, default_value_t = 20.0)]
        duration: f64,
    },
    /// The bare sender of the same bytes, as a server.
    #[command(alias = "lb")]
    LowerBound,
    /// A server as a textbook would write it: axum, a broadcast channel for each room, a task for each connection.
    Textbook,
    /// The rows of the table of budgets, each in turn with the lower bound.
    #[command(alias = "ratio")]
    Compare {
        /// Only these rows; all without.
        #[arg(long, value_delimiter = ',')]
        row: Vec<String>,
        /// Only this wire protocol; both without.
        #[arg(long)]
        protocol: Option<Protocol>,
        /// Seconds that each of the four parts of a row is measured.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
}

/// The server that is loaded.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// A server that runs already, such as http://127.0.0.1:3000. Without it one is started on an empty directory.
    #[arg(long, global = true)]
    pub(crate) url: Option<String>,
    /// The process of the server at --url, so that its processor time and memory can be measured.
    #[arg(long, global = true, requires = "url")]
    pub(crate) pid: Option<u32>,
    /// Starts this server on an empty directory and a port of its own.
    #[arg(long, global = true, default_value = "roomful", conflicts_with = "url")]
    pub(crate) serve: Served,
    /// The program to start in place of the `roomful` beside this one.
    #[arg(long, global = true)]
    pub(crate) binary: Option<PathBuf>,
    /// Lets the server that is started speak TLS. At --url, https:// says so.
    #[arg(long, global = true, conflicts_with = "url")]
    pub(crate) tls: bool,
    /// Trusts a server at https:// that shows a certificate of this file, or one that they vouch for. Without it the
    /// system decides which certificates are trusted.
    #[arg(long, global = true, value_name = "FILE", requires = "url")]
    pub(crate) trust: Option<PathBuf>,
    /// Asks the server to compress messages (permessage-deflate), and inflates them.
    #[arg(long, global = true)]
    pub(crate) deflate: bool,
    /// Lets server and load run wherever the kernel puts them. Without it the server has processor 0 and the load 1.
    #[arg(long, global = true)]
    pub(crate) unpinned: bool,
}

/// What is reported, and where.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Writes the figures to this file.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Draws latency and memory to this file.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Served {
    Roomful,
    LowerBound,
    Textbook,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PaceName {
    /// Posts far enough apart that each is heard by all before the next.
    Paced,
    /// Each sender waits until it has heard itself.
    Closed,
    /// Each sender keeps sixteen posts under way.
    Saturated,
}

/// How many people there are, and what they do.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// Which wire protocol is spoken.
    #[arg(long, default_value = "native")]
    pub(crate) protocol: Protocol,
    /// How many connections are opened.
    #[arg(long, value_parser = at_least_one)]
    pub(crate) connections: Option<usize>,
    /// Senders in each room.
    #[arg(long)]
    pub(crate) senders: Option<usize>,
    /// Rooms, among which the connections are spread.
    #[arg(long)]
    pub(crate) rooms: Option<usize>,
    /// Rooms that each connection is in; one in the simple protocol.
    #[arg(long, default_value_t = 1)]
    pub(crate) rooms_each: usize,
    /// Users that the connections which only listen share, in the native protocol.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) users: usize,
    /// Posts a second, over all senders, when paced.
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Bytes of a text.
    #[arg(long, default_value_t = 180)]
    pub(crate) payload: usize,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) duration: f64,
    /// Seconds of load before that.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) warm: f64,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().map_err(|error| format!("{error}"))?;
    if number == 0 { Err("there must be one at least".to_owned()) } else { Ok(number) }
}

/// How many posts each sender keeps under way when it posts as fast as it can: as many as the server takes without an
/// answer.
pub(crate) const SATURATED: u32 = 16;

impl Target {
    /// Where server and load run: apart, where the machine allows it.
    pub(crate) fn pins(&self) -> Option<Pins> {
        let both = processor::is_there(0) && processor::is_there(1);
        (both && !self.unpinned).then_some(Pins { server: 0, load: 1 })
    }
}

impl Load {
    /// How people are spread, with `connections`, `rooms` and `senders` where none are given.
    pub(crate) fn spread(&self, connections: usize, rooms: usize, senders: usize) -> Spread {
        let rooms = self.rooms.unwrap_or(rooms).max(1);
        let connections = self.connections.unwrap_or(connections).max(rooms);
        let senders = self.senders.unwrap_or(senders).clamp(1, connections / rooms);
        let rooms_each = if self.protocol == Protocol::Simple { 1 } else { self.rooms_each };
        Spread { connections, rooms, rooms_each, senders, users: self.users }.with_even_users()
    }

    pub(crate) fn shape(&self, spread: Spread, pace: Pace) -> Shape {
        let [warm, span] = [self.warm, self.duration].map(Duration::from_secs_f64);
        Shape { protocol: self.protocol, spread, pace, length: self.payload, warm, span }
    }

    /// The interval between posts, `rate` a second where none is given.
    pub(crate) fn interval(&self, rate: f64) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate.unwrap_or(rate).max(0.001))
    }

    pub(crate) fn pace(&self, name: PaceName, rate: f64) -> Pace {
        match name {
            PaceName::Paced => Pace::Every(self.interval(rate)),
            PaceName::Closed => Pace::Window(1),
            PaceName::Saturated => Pace::Window(SATURATED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["roomful-load"].iter().chain(arguments))
    }

    #[test]
    fn nobody_at_all_is_refused() {
        for command in [&["room"][..], &["idle"], &["storm"]] {
            assert!(parsed(&[command, &["--connections", "0"]].concat()).is_err(), "{command:?}");
            assert!(parsed(&[command, &["--connections", "1"]].concat()).is_ok(), "{command:?}");
        }
    }

    #[test]
    fn rows_are_named() {
        let arguments = parsed(&["compare", "--row", "connect,paced"]).expect("arguments");
        assert!(matches!(arguments.command, Command::Compare { row, .. } if row == ["connect", "paced"]));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_found_before_the_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let (nowhere, fine) = (folder.path().join("no/such.json"), folder.path().join("fine.svg"));
        let check = |option: &str, path: &std::path::Path| {
            let arguments = parsed(&["room", option, &path.to_string_lossy()]).expect("arguments");
            crate::report::check(&arguments.output)
        };
        assert!(check("--json", &nowhere).is_err_and(|error| error.to_string().contains("such.json")));
        assert!(check("--svg", &fine).is_ok() && !fine.exists());
    }

    #[test]
    fn one_is_not_called_several() {
        assert_eq!(
            [0, 1, 2].map(|count| crate::report::counted(count, "room")),
            ["0 rooms", "1 room", "2 rooms"]
        );
    }
}
