//! A validator that hears everything and says nothing.

use rustorium_consensus::simulation::{Link, World};

/// Silences a validator, or lets it speak again.
pub(crate) async fn silence(world: &World, validator: usize, again: Option<Link>) {
    for other in 0..world.len() {
        world.link(validator, other, again).await;
    }
}
