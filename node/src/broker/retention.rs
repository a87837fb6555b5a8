//! Giving room back at the broker: what is final for long, and in this node's database, is deleted from the topics.
//!
//! A final block's records were on the disks of those who voted for it, and stay in every node's database. Whoever is
//! behind gets them from there: its lane is set aside until blocks have brought it to where the topic begins.

use std::time::{Duration, Instant};

use rustorium_chain::chain::Chain;
use rustorium_redpanda::{Lanes, Offset, Shard};
use rustorium_types::{block::LaneCut, id::Height};

use super::place;

/// Between two deletions.
const INTERVAL: Duration = Duration::from_secs(60);
/// Blocks whose records stay at the broker: a validator that was away for a while reads on from there.
const KEPT: u64 = 1_000;

/// When to delete next; never if it was not told to.
pub(super) struct Deletes {
    next: Option<Instant>,
}

impl Deletes {
    pub(super) fn new(deletes: bool, now: Instant) -> Self {
        Self { next: deletes.then(|| now + INTERVAL) }
    }

    /// Deletes, if it is time to.
    pub(super) fn run(&mut self, lanes: &Lanes, chain: &Chain, now: Instant) {
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.next = Some(now + INTERVAL);
        for (shard, below) in deletable(chain) {
            match lanes.delete_below(shard, below) {
                Ok(low) => tracing::debug!(%shard, %low, "deleted what is final"),
                Err(error) => tracing::warn!(%shard, %error, "what is final cannot be deleted"),
            }
        }
    }
}

/// Where each shared lane's records begin that are to stay.
fn deletable(chain: &Chain) -> Vec<(Shard, Offset)> {
    let height = Height(chain.store().committed().0.saturating_sub(KEPT));
    let shards = chain.snapshot().genesis().shards;
    let Ok(Some(sealed)) = chain.snapshot().header(height) else { return Vec::new() };
    below(&sealed.header.lanes, shards)
}

fn below(cuts: &[LaneCut], shards: u32) -> Vec<(Shard, Offset)> {
    let shared = cuts.iter().filter(|cut| cut.lane < shards && cut.end > 0);
    let offset = |cut: &LaneCut| {
        let end = rustorium_chain::log::LanePosition { lane: cut.lane, generation: cut.generation, index: cut.end };
        Some((Shard(cut.lane), place::offset(end)?))
    };
    shared.filter_map(offset).collect()
}

#[cfg(test)]
mod tests {
    use rustorium_types::merkle;

    use super::*;

    #[test]
    fn only_shared_lanes_of_the_brokers_generation_are_deleted_from() {
        let cut = |lane, generation, end| LaneCut { lane, generation, end, root: merkle::empty_root() };
        let cuts = [cut(0, 0, 5), cut(1, 0, 0), cut(2, 1, 7), cut(3, 0, 9)];
        assert_eq!(below(&cuts, 3), [(Shard(0), Offset(5))]);
    }
}
