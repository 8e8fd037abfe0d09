//! The contract as a model: real timelines and outboxes, the real tail, and a log, with everything between them going
//! wrong. A seed decides all; `ROOMFUL_SEEDS=100000` runs more of them, `ROOMFUL_SEED=7` one again.

mod log;
mod server;
mod timeline;
mod world;

use world::World;

/// How many worlds are tried when nobody asks for another number.
const SEEDS: u64 = 1_500;

#[test]
fn whatever_is_lost_delayed_doubled_or_restarted_everyone_agrees_in_the_end() {
    let asked = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match asked("ROOMFUL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..asked("ROOMFUL_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let mut world = World::new(seed);
        world.go_wrong();
        world.come_to_rest();
        world.agrees();
    }
}
