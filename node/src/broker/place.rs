//! Where a lane's records are at the broker, and where a broker's records are in the lane.
//!
//! ```text
//! offset at the broker    0   1   2   3   4 …
//! index in the lane       0   1   2   3   4 …   of generation 0
//! ```
//!
//! A record's index is its offset: offsets that hold no record are records without bytes in the lane. So a lane's end
//! says where to read on, and nothing has to be remembered beside it. A lane that goes on in another generation is in
//! another topic, or in this one from another offset on: whoever introduces that says so here.

use rustorium_chain::log::LanePosition;
use rustorium_redpanda::{Offset, Shard};

/// The generation whose indexes are offsets.
const GENERATION: u32 = 0;

/// The place in a lane of what the broker has at an offset.
pub(super) const fn position(shard: Shard, offset: Offset) -> LanePosition {
    LanePosition { lane: shard.0, generation: GENERATION, index: offset.0 }
}

/// The offset of what stands at a place, if the lane is in the generation that the broker has.
pub(super) fn offset(position: LanePosition) -> Option<Offset> {
    (position.generation == GENERATION).then_some(Offset(position.index))
}
