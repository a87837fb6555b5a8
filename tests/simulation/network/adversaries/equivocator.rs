//! A validator that votes for two blocks in every view of the first epoch. Behind it stands no chain: it stores nobody's
//! records and proposes nothing.

use rustorium_consensus::simulation::World;
use rustorium_types::genesis::Genesis;

/// Takes a validator's place for good.
pub(crate) async fn replace(world: &World, validator: usize, genesis: &Genesis) {
    world.equivocate(validator, &genesis.validators).await;
}
