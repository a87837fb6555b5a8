//! Whoever signs two things is found out, shut out, and not needed.

use commonware_codec::DecodeExt;
use commonware_consensus::simplex::{scheme::ed25519::Scheme, types::ConflictingNotarize};
use commonware_parallel::Sequential;
use commonware_utils::test_rng;
use rustorium_types::certificate::ValidatorSet;

use super::{
    headers::{CHAIN, Schedule},
    world::{Link, simulate},
};
use crate::{Event, Offence, block::Digest, committees::Committees};

#[test]
fn two_votes_of_a_view_are_evidence() {
    simulate(1, Schedule::constant(4), 4, Link::GOOD, |mut world| async move {
        for node in 0..3 {
            world.start(node).await;
        }
        let validators = ValidatorSet::new(&world.schedule.validators(0)).expect("a set");
        let committees = Committees::new(CHAIN, &world.nodes[3].key).expect("a key");
        let scheme: Scheme = (*committees.enter(0, &validators).expect("keys")).clone();
        world.network.equivocate(3, &world.schedule.validators(0)).await;
        world.until_height(0..3, 20).await;

        let liar = world.nodes[3].key.public_key();
        let mut accused = 0;
        for node in &world.nodes[..3] {
            for event in node.events.all() {
                let Event::Evidence(evidence) = event else { continue };
                assert_eq!((evidence.offence, evidence.signer), (Offence::TwoNotarisations, liar));
                // Anyone who knows the validators can check it.
                let votes = ConflictingNotarize::<Scheme, Digest>::decode(evidence.votes).expect("two votes");
                assert!(votes.verify(&mut test_rng(), &scheme, &Sequential));
                accused += 1;
            }
        }
        assert!(accused >= 1);
        assert!((0..3).any(|node| world.network.has_blocked(node, 3)));
        world
    });
}
