//! Named places in the code where the process can be made to die at once, as `kill -9` would have it.

/// The variable that chooses a point, and at which passing of it the process dies: `before_commit:17`.
#[cfg(feature = "armed")]
const CHOSEN: &str = "ROOMFUL_POINT";

/// A place in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// All of a batch is written, and nothing is committed.
    BeforeCommit,
    /// The batch is on the disk, and no caller was told.
    BeforeReply,
    /// The callers may have their replies, and no connection has heard of the events.
    BeforePublish,
    /// Some of a room's readers have an event, and others do not.
    MidFanOut,
    /// The WAL is about to be checkpointed into the database.
    MidCheckpoint,
    /// Some statements of a migration have run.
    MidMigration,
    /// Some connections have had their goodbye.
    MidDrain,
}

impl Point {
    /// Every point there is.
    pub const ALL: [Self; 7] = [
        Self::BeforeCommit,
        Self::BeforeReply,
        Self::BeforePublish,
        Self::MidFanOut,
        Self::MidCheckpoint,
        Self::MidMigration,
        Self::MidDrain,
    ];

    /// Its name, as the variable has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeforeCommit => "before_commit",
            Self::BeforeReply => "before_reply",
            Self::BeforePublish => "before_publish",
            Self::MidFanOut => "mid_fan_out",
            Self::MidCheckpoint => "mid_checkpoint",
            Self::MidMigration => "mid_migration",
            Self::MidDrain => "mid_drain",
        }
    }
}

/// Says that the code is at `point`. Does not return if the process is to die here.
#[cfg(not(feature = "armed"))]
#[inline(always)]
pub const fn pass(_point: Point) {}

/// Says that the code is at `point`. Does not return if the process is to die here.
#[cfg(feature = "armed")]
pub fn pass(point: Point) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static FATAL: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    let fatal = FATAL.get_or_init(|| {
        let chosen = std::env::var(CHOSEN).ok()?;
        let (name, nth) = chosen.split_once(':')?;
        Some((name.to_owned(), nth.parse().ok()?))
    });
    if let Some((name, nth)) = fatal
        && name == point.name()
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *nth
    {
        std::process::abort();
    }
}
