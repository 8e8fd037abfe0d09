//! How much processor time and memory a process uses, by the kernel's accounting.

use serde::{Deserialize, Serialize, Serializer};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::AddAssign;

/// Printed in place of a figure of a process that is not known. In JSON it is null.
pub const UNKNOWN: &str = "not known; give --pid";

/// What a process had used at one moment.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// Whether there is a process to ask about.
    known: bool,
    /// Nanoseconds on a processor, and nanoseconds of waiting for one, by thread.
    threads: HashMap<u32, (String, u64, u64)>,
    /// Clock ticks in the program and in the kernel.
    user: u64,
    system: u64,
}

/// What a process used between two moments.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Used {
    /// Microseconds on a processor, in the program and in the kernel for it. Not a number where the process is not known.
    pub cpu_us: f64,
    /// The kernel's share of it, 0 to 1. It is counted in ticks, so over a short time it is rough.
    pub system: f64,
    /// Microseconds by the threads' names.
    pub threads: BTreeMap<String, f64>,
    /// Microseconds for which they were ready to run and had to wait for a processor.
    pub waits: BTreeMap<String, f64>,
}

/// Memory of a process, in bytes; 0 where the process is not known.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Resident.
    #[serde(serialize_with = "unless_zero")]
    pub rss: u64,
    /// Resident, shared pages counted by share.
    #[serde(serialize_with = "unless_zero")]
    pub pss: u64,
}

impl Usage {
    /// The use of process `pid` so far; nothing when it is gone.
    pub fn of(pid: u32) -> Self {
        let mut threads = HashMap::new();
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let id = task.file_name().to_str().and_then(|id| id.parse().ok()).unwrap_or(0);
            let schedstat = read("schedstat");
            let mut times = schedstat.split(' ').map(|time| time.parse().unwrap_or(0));
            let (spent, waited) = (times.next().unwrap_or(0), times.next().unwrap_or(0));
            threads.insert(id, (read("comm").trim().to_owned(), spent, waited));
        }
        let (user, system) = ticks(pid).unwrap_or((0, 0));
        Self { known: true, threads, user, system }
    }

    /// The use since `before`.
    pub fn since(&self, before: &Self) -> Used {
        let mut used = Used::default();
        if !self.known {
            return Used { cpu_us: f64::NAN, system: f64::NAN, ..used };
        }
        for (id, (name, spent, waited)) in &self.threads {
            let (spent_before, waited_before) =
                before.threads.get(id).map_or((0, 0), |(_, spent, waited)| (*spent, *waited));
            let us = |now: u64, before: u64| now.saturating_sub(before) as f64 / 1e3;
            used.cpu_us += us(*spent, spent_before);
            *used.threads.entry(kind(name)).or_default() += us(*spent, spent_before);
            *used.waits.entry(kind(name)).or_default() += us(*waited, waited_before);
        }
        let user = self.user.saturating_sub(before.user) as f64;
        let system = self.system.saturating_sub(before.system) as f64;
        used.system = if user + system > 0.0 { system / (user + system) } else { 0.0 };
        used
    }
}

/// A figure for people.
pub fn shown(figure: f64, decimals: usize, unit: &str) -> String {
    if figure.is_nan() { UNKNOWN.to_owned() } else { format!("{figure:.decimals$} {unit}") }
}

/// Memory in MiB, for people.
pub fn mebibytes(bytes: u64) -> String {
    let figure = if bytes == 0 { f64::NAN } else { bytes as f64 / f64::from(1 << 20) };
    shown(figure, 1, "MiB")
}

/// Writes a number of bytes, and null for a number that is not known.
pub fn unless_zero<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    Some(*bytes).filter(|bytes| *bytes > 0).serialize(serializer)
}

impl AddAssign for Used {
    fn add_assign(&mut self, other: Self) {
        let all = self.cpu_us + other.cpu_us;
        if all > 0.0 {
            self.system = (self.system * self.cpu_us + other.system * other.cpu_us) / all;
        }
        self.cpu_us = all;
        for (name, us) in other.threads {
            *self.threads.entry(name).or_default() += us;
        }
        for (name, us) in other.waits {
            *self.waits.entry(name).or_default() += us;
        }
    }
}

impl Memory {
    /// The memory of process `pid`; nothing when it is gone.
    pub fn of(pid: u32) -> Self {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        Self { rss: kilobytes(&rollup, "Rss:"), pss: kilobytes(&rollup, "Pss:") }
    }

    /// Resident memory alone, which costs less to ask for.
    pub fn resident(pid: u32) -> u64 {
        kilobytes(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default(), "VmRSS:")
    }
}

/// The threads of one pool, which differ by a number in the name, count together.
fn kind(name: &str) -> String {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == ' ').to_owned()
}

fn ticks(pid: u32) -> Option<(u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces; the fields behind its closing parenthesis do not.
    let mut fields = stat.rsplit(") ").next()?.split(' ').skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn kilobytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_memory_are_seen() {
        let pid = std::process::id();
        let before = Usage::of(pid);
        let mut sum = 0_u64;
        for number in 0..30_000_000_u64 {
            sum = sum.wrapping_add(std::hint::black_box(number));
        }
        std::hint::black_box(sum);
        let used = Usage::of(pid).since(&before);
        assert!(used.cpu_us > 1_000.0, "{used:?}");
        assert!(Memory::of(pid).rss > 1 << 20);
        assert!(Memory::resident(pid) > 1 << 20);
    }

    #[test]
    fn what_is_not_known_is_no_zero() {
        let used = Usage::default().since(&Usage::default());
        assert_eq!(shown(used.cpu_us / 7.0, 3, "µs"), UNKNOWN);
        assert_eq!(mebibytes(Memory::default().rss), UNKNOWN);
        assert_eq!(shown(0.25, 2, "µs"), "0.25 µs");
        let json = serde_json::to_value((used, Memory::default())).expect("JSON");
        assert!(json[0]["cpu_us"].is_null() && json[1]["rss"].is_null(), "{json}");
    }

    #[test]
    fn threads_of_a_pool_count_together() {
        assert_eq!(kind("shard-3"), kind("shard-12"));
        assert_ne!(kind("writer"), kind("shard-1"));
    }
}
