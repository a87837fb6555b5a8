//! A validator that votes for two blocks in every view that it hears of.

use commonware_codec::{DecodeExt, Encode};
use commonware_consensus::{
    Viewable,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Notarize, Proposal, Vote},
    },
    types::{Epoch, Round, View},
};
use commonware_cryptography::blake3;
use commonware_p2p::{Receiver as _, Recipients, Sender as _, utils::mux::Muxer};
use commonware_runtime::{Spawner as _, Supervisor as _, deterministic};

use super::{In, Out};
use crate::block::Digest;

/// Lies on a channel of votes, in epoch 0.
pub(super) fn equivocate(context: &deterministic::Context, scheme: Scheme, votes: (Out, In)) {
    context.child("equivocator").spawn(|context| async move {
        let (muxer, mut handle) = Muxer::new(context.child("muxer"), votes.0, votes.1);
        muxer.start();
        let (mut sender, mut receiver) = handle.register(0).await.expect("a channel");
        let mut newest = View::zero();
        while let Ok((_, message)) = receiver.recv().await {
            let Ok(vote) = Vote::<Scheme, Digest>::decode(message) else { continue };
            if vote.view() <= newest {
                continue;
            }
            newest = vote.view();
            for lie in [1, 2] {
                let round = Round::new(Epoch::zero(), newest);
                let parent = newest.previous().unwrap_or(View::zero());
                let proposal = Proposal::new(round, parent, blake3::Digest([lie; 32]));
                let vote = Notarize::sign(&scheme, proposal).expect("a validator");
                sender.send(Recipients::All, Vote::Notarize(vote).encode(), true);
            }
        }
    });
}
