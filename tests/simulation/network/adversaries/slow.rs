//! A validator that is late with everything: later than a leader may be.

use std::time::Duration;

use rustorium_consensus::simulation::{Link, World};

const LATE: Link = Link { latency: Duration::from_millis(400), jitter: Duration::from_millis(300), arrive: 100 };

/// Slows a validator down.
pub(crate) async fn slow_down(world: &World, validator: usize) {
    world.cut(validator..validator + 1, Some(LATE)).await;
}
