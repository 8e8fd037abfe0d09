//! The rows: the load of each, the figure that counts, and its budget.

use crate::arguments::SATURATED;
use crate::people::{Protocol, Spread};
use crate::scenario::{Leg, Shape};
use crate::swarm::Pace;
use serde::Serialize;
use std::time::Duration;

/// A row of the table of budgets.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    pub what: &'static str,
    /// The sizes at which it is run; of two, the figure is the quotient.
    pub connections: &'static [usize],
    rooms: usize,
    rooms_each: usize,
    senders: usize,
    pace: Pace,
    pub figure: Figure,
    pub budget: Budget,
}

/// The figure that counts in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// CPU for each delivery, to the lower bound's.
    CpuRatio,
    /// CPU for each delivery, in microseconds.
    CpuUs,
    /// Deliveries in a second of the server's CPU, in millions.
    MillionsPerCore,
    /// The 99th percentile from a post to its last delivery, to the lower bound's.
    LastRatio,
    /// CPU for each connection opened, in microseconds.
    ConnectUs,
}

/// The budget of a row.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum Budget {
    /// At most so many times the lower bound's figure.
    Times(f64),
    /// At most so many microseconds.
    Us(f64),
    /// At least as many millions.
    Millions(f64),
}

/// One post at this interval is heard by 1,000 long before the next is due.
const fn paced(milliseconds: u64) -> Pace {
    Pace::Every(Duration::from_millis(milliseconds))
}

const ONE: Row = Row {
    name: "paced",
    what: "CPU per delivery, 1 room × 1,000, paced, 1 frame per write",
    connections: &[1_000],
    rooms: 1,
    rooms_each: 1,
    senders: 1,
    pace: paced(12),
    figure: Figure::CpuRatio,
    budget: Budget::Times(1.30),
};

/// The rows that are compared with the lower bound, in the order of the design's table.
pub const ROWS: [Row; 10] = [
    ONE,
    Row {
        name: "closed",
        what: "same, closed loop with 4 senders",
        senders: 4,
        pace: Pace::Window(1),
        figure: Figure::CpuUs,
        budget: Budget::Us(0.95),
        ..ONE
    },
    Row {
        name: "saturated",
        what: "same, saturated (4 senders, 16 posts each under way)",
        senders: 4,
        pace: Pace::Window(SATURATED),
        figure: Figure::CpuUs,
        budget: Budget::Us(0.6),
        ..ONE
    },
    Row { name: "eight", what: "same, closed loop with 8 senders", senders: 8, pace: Pace::Window(1), ..ONE },
    Row {
        name: "rooms",
        what: "CPU per delivery, 100 rooms × 10, 2,500 posts a second",
        rooms: 100,
        pace: Pace::Every(Duration::from_micros(400)),
        ..ONE
    },
    Row { name: "busy", what: "same, a closed loop in each room", rooms: 100, pace: Pace::Window(1), ..ONE },
    Row {
        name: "core",
        what: "deliveries a second per server core, room of 10,000, saturated (millions)",
        connections: &[10_000],
        senders: 4,
        pace: Pace::Window(SATURATED),
        figure: Figure::MillionsPerCore,
        budget: Budget::Millions(1.0),
        ..ONE
    },
    Row {
        name: "last",
        what: "post → last of 10,000 received, p99",
        connections: &[10_000],
        pace: paced(140),
        figure: Figure::LastRatio,
        budget: Budget::Times(1.6),
        ..ONE
    },
    Row {
        name: "connect",
        what: "connect: upgrade, sign-in, 5 rooms (CPU)",
        rooms: 100,
        rooms_each: 5,
        pace: paced(5),
        figure: Figure::ConnectUs,
        budget: Budget::Us(200.0),
        ..ONE
    },
    Row {
        name: "linear",
        what: "linearity: CPU per delivery at 18,000 ÷ at 1,000, to the lower bound's quotient",
        connections: &[1_000, 18_000],
        pace: paced(12),
        budget: Budget::Times(1.2),
        ..ONE
    },
];

impl Row {
    /// The load of this row at one size.
    pub fn shape(&self, protocol: Protocol, connections: usize, span: Duration) -> Shape {
        let rooms_each = if protocol == Protocol::Simple { 1 } else { self.rooms_each };
        let (rooms, senders) = (self.rooms, self.senders);
        let spread = Spread { connections, rooms, rooms_each, senders, users: 1_000 }.with_even_users();
        let pace = match self.pace {
            // A larger room takes longer to hear a post.
            Pace::Every(interval) if rooms == 1 && self.connections.len() > 1 => {
                Pace::Every(interval * u32::try_from(connections / 1_000).unwrap_or(1))
            }
            pace => pace,
        };
        // About 512 bytes a frame in either protocol.
        let length = match protocol {
            Protocol::Native => 245,
            Protocol::Simple => 410,
        };
        Shape { protocol, spread, pace, length, warm: Duration::from_secs(1), span }
    }
}

impl Figure {
    /// The figure that the runs of the server make, beside those of the lower bound where there are any.
    pub fn of(self, bound: Option<&Leg>, served: &Leg) -> f64 {
        let ratio = |of: fn(&Leg) -> f64| bound.map_or(f64::NAN, |bound| of(served) / of(bound));
        match self {
            Self::CpuRatio => ratio(Leg::cpu_us),
            Self::CpuUs => served.cpu_us(),
            Self::MillionsPerCore => 1.0 / served.cpu_us(),
            Self::LastRatio => ratio(|leg| leg.last.value_at_quantile(0.99) as f64),
            Self::ConnectUs => served.opening_us,
        }
    }
}

impl Budget {
    /// Whether `figure` keeps the budget.
    pub fn is_met(self, figure: f64) -> bool {
        match self {
            Self::Times(most) | Self::Us(most) => figure <= most,
            Self::Millions(least) => figure >= least,
        }
    }

    /// The budget for people.
    pub fn shown(self) -> String {
        match self {
            Self::Times(most) => format!("≤ {most:.2} × LB"),
            Self::Us(most) => format!("≤ {most} µs"),
            Self::Millions(least) => format!("≥ {least:.1} M"),
        }
    }
}
