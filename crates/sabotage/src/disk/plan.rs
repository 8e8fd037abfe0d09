//! How the disk is to fail, as the variable says it.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The operations on a file that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Read,
    Write,
    Truncate,
    Sync,
}

/// The files of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Database,
    Wal,
    Journal,
}

/// When the power is cut, and how chance treats the unsynced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) seed: u64,
    pub(super) after: u64,
    pub(super) lose_all: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fail {
    pub(super) op: Op,
    pub(super) nth: u64,
    pub(super) from_then_on: bool,
    pub(super) part: Option<Part>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) nth: u64,
    pub(super) until: Option<PathBuf>,
}

/// The whole plan.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) hold: bool,
    pub(super) cut: Option<Cut>,
    pub(super) fail: Option<Fail>,
    pub(super) full: Option<Full>,
    pub(super) slow: Duration,
}

/// The number of operations among which a seed chooses one.
const AMONG: u64 = 1000;

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut plan = Self::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (what, how) = part.split_once(':').unwrap_or((part, ""));
            let mut words = Words::new(how);
            match what {
                "hold" => plan.hold = true,
                "cut" => {
                    plan.hold = true;
                    plan.cut = Some(cut(&mut words)?);
                }
                "fail" => plan.fail = Some(fail(&mut words)?),
                "full" => {
                    plan.full = Some(Full {
                        nth: words.number("nth")?.unwrap_or(1),
                        until: words.take("until").map(PathBuf::from),
                    });
                }
                "slow" => plan.slow = Duration::from_millis(words.number("ms")?.ok_or("slow needs ms")?),
                other => return Err(format!("no way to fail is called {other}")),
            }
            words.end()?;
        }
        Ok(plan)
    }
}

fn cut(words: &mut Words<'_>) -> Result<Cut, String> {
    let seed = words.number("seed")?.ok_or("cut needs a seed")?;
    let after = words.number("after")?.unwrap_or_else(|| Chance(seed ^ AMONG).below(AMONG) + 1);
    Ok(Cut { seed, after, lose_all: words.flag("lose_all") })
}

fn fail(words: &mut Words<'_>) -> Result<Fail, String> {
    let op = match words.take("op") {
        Some("read") => Op::Read,
        Some("write") => Op::Write,
        Some("truncate") => Op::Truncate,
        Some("sync") => Op::Sync,
        _ => return Err("fail needs op=read, write, truncate or sync".to_owned()),
    };
    let part = match words.take("file") {
        None => None,
        Some("db") => Some(Part::Database),
        Some("wal") => Some(Part::Wal),
        Some("journal") => Some(Part::Journal),
        Some(other) => return Err(format!("no file is called {other}")),
    };
    let nth = words.number("nth")?.ok_or("fail needs nth")?;
    Ok(Fail { op, nth, from_then_on: words.flag("from_then_on"), part })
}

/// `key=value` and flags, with `,` between them.
struct Words<'a>(Vec<(&'a str, Option<&'a str>)>);

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        Self(
            words
                .map(|word| word.split_once('=').map_or((word, None), |(key, value)| (key, Some(value))))
                .collect(),
        )
    }

    fn take(&mut self, key: &str) -> Option<&'a str> {
        let at = self.0.iter().position(|(known, value)| *known == key && value.is_some())?;
        self.0.remove(at).1
    }

    fn number(&mut self, key: &str) -> Result<Option<u64>, String> {
        let number =
            self.take(key).map(|value| value.parse().map_err(|_| format!("{key}={value} is no number")));
        number.transpose()
    }

    fn flag(&mut self, key: &str) -> bool {
        let at = self.0.iter().position(|(known, value)| *known == key && value.is_none());
        at.map(|at| self.0.remove(at)).is_some()
    }

    fn end(self) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some((word, _)) => Err(format!("{word} means nothing here")),
        }
    }
}

/// Chance that a seed decides (SplitMix64: Steele, Lea and Flood, 2014).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Puts `items` into any order.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_fail_can_be_written_down() {
        let plan: Plan = "cut:seed=7,after=120;slow:ms=20".parse().expect("a plan");
        assert_eq!(plan.cut, Some(Cut { seed: 7, after: 120, lose_all: false }));
        assert_eq!((plan.hold, plan.slow), (true, Duration::from_millis(20)));
        let plan: Plan = "fail:op=sync,nth=5,from_then_on,file=wal".parse().expect("a plan");
        let fail = Fail { op: Op::Sync, nth: 5, from_then_on: true, part: Some(Part::Wal) };
        assert_eq!((plan.fail, plan.hold), (Some(fail), false));
        let plan: Plan = "full:nth=40,until=data/space".parse().expect("a plan");
        assert_eq!(plan.full, Some(Full { nth: 40, until: Some("data/space".into()) }));
        assert!("hold".parse::<Plan>().expect("a plan").hold);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in ["burn", "cut", "cut:seed=x", "fail:op=sync", "fail:op=eat,nth=1", "slow", "hold:seed=1"]
        {
            assert!(text.parse::<Plan>().is_err(), "{text}");
        }
    }
}
