//! How we know: load on a running chat server, with every delivery checked for loss, doubling and order, and the
//! server's processor time and memory taken from the kernel's accounting.
//!
//! A figure alone says little, because machines differ and share themselves with others. So the same load also runs
//! against two yardsticks, in turn with the measured server: a bare sender of the same bytes (the lower bound), and a
//! server as a textbook would write it. The ratio is what counts.
//!
//! Must not know: `chat`, `delivery` or `server`. It sees a process and its sockets, as any other program does.

mod arguments;
mod compare;
mod plot;
mod report;
mod run;
mod scenario;

mod book;
mod checker;
mod mark;
mod people;
mod swarm;
mod wire;

mod door;
mod files;
mod processor;
mod program;
mod progress;
mod usage;
mod watch;
mod way;

mod lower_bound;
mod textbook;

mod faults;

pub use arguments::Arguments;
pub use faults::{FaultArguments, run_faults};
pub use run::run;
