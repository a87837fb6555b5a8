//! The last look before a vote to finalise: the chain must hold the block's records.
//!
//! Marshal's `Inline` certifies a notarised block once its header is on disk here, though this node may not have voted
//! for it: it came late, or its verification was given up with its view. A validator that helps to finalise such a
//! block without its records would help to lose them. So this wraps it: what the chain has not said yes to is put to
//! the chain first, and stays pending while the records are missing.
//!
//! A chain that says *no* to what a quorum notarised is damaged here, or its validators are not what they should be:
//! the vote is withheld, never turned into a vote against.

use std::{future::pending, sync::Arc};

use commonware_actor::Feedback;
use commonware_consensus::{
    Automaton, CertifiableAutomaton, Handoff, Heightable, Relay, Reporter,
    marshal::{core::DigestFallback, standard::Inline},
    simplex::{
        Plan,
        scheme::ed25519::Scheme,
        types::{Activity, Context},
    },
    types::Round,
};
use commonware_cryptography::ed25519::PublicKey;
use commonware_runtime::{Clock, Metrics, Spawner};
use commonware_utils::channel::oneshot;

use crate::{
    block::{Block, Digest},
    desk::{Desk, Marshal},
    epochs::Epochs,
};

/// What simplex asks: marshal's wrapper, and the chain once more before a vote to finalise.
pub(crate) struct Careful<E: Spawner + Metrics + Clock> {
    context: Arc<E>,
    inline: Inline<E, Scheme, Desk, Block, Epochs>,
    marshal: Marshal,
    desk: Desk,
}

impl<E: Spawner + Metrics + Clock> Careful<E> {
    /// Asks this chain, and keeps blocks in this marshal.
    pub(crate) fn new(context: E, desk: Desk, marshal: Marshal, epochs: Epochs) -> Self {
        let inline = Inline::new(context.child("inline"), desk.clone(), marshal.clone(), epochs);
        Self { context: Arc::new(context), inline, marshal, desk }
    }
}

impl<E: Spawner + Metrics + Clock> Clone for Careful<E> {
    fn clone(&self) -> Self {
        Self {
            context: Arc::clone(&self.context),
            inline: self.inline.clone(),
            marshal: self.marshal.clone(),
            desk: self.desk.clone(),
        }
    }
}

impl<E: Spawner + Metrics + Clock> Automaton for Careful<E> {
    type Context = Context<Digest, PublicKey>;
    type Digest = Digest;

    async fn propose(&mut self, context: Self::Context) -> oneshot::Receiver<Digest> {
        self.inline.propose(context).await
    }

    async fn verify(&mut self, context: Self::Context, digest: Digest) -> oneshot::Receiver<bool> {
        self.inline.verify(context, digest).await
    }
}

impl<E: Spawner + Metrics + Clock> CertifiableAutomaton for Careful<E> {
    async fn prepare(&mut self, context: Self::Context) -> oneshot::Receiver<Handoff<Digest>> {
        self.inline.prepare(context).await
    }

    async fn certify(&mut self, round: Round, digest: Digest) -> oneshot::Receiver<bool> {
        let durable = self.inline.certify(round, digest).await;
        let (mut answer, receiver) = oneshot::channel();
        let (marshal, desk) = (self.marshal.clone(), self.desk.clone());
        self.context.child("certify").spawn(move |_| async move {
            let verdict = async {
                match durable.await {
                    Ok(true) => is_held(&marshal, &desk, digest).await.then_some(true),
                    Ok(false) => Some(false),
                    Err(_) => None,
                }
            };
            tokio::select! {
                biased;
                () = answer.closed() => {}
                verdict = verdict => if let Some(verdict) = verdict {
                    let _ = answer.send(verdict);
                },
            }
        });
        receiver
    }
}

/// Returns true once the chain holds a block; never, while it does not. False if marshal stopped.
async fn is_held(marshal: &Marshal, desk: &Desk, digest: Digest) -> bool {
    // Its header is on disk: marshal has it.
    let Ok(block) = marshal.subscribe_by_digest(digest, DigestFallback::Wait).await else { return false };
    if desk.hold(&block).await {
        return true;
    }
    tracing::error!(height = block.height().get(), "a quorum notarised a block that the chain refuses: no vote for it");
    pending().await
}

impl<E: Spawner + Metrics + Clock> Relay for Careful<E> {
    type Digest = Digest;
    type Plan = Plan<PublicKey>;
    type PublicKey = PublicKey;

    fn broadcast(&mut self, payload: Digest, plan: Self::Plan) -> Feedback {
        self.inline.broadcast(payload, plan)
    }
}

impl<E: Spawner + Metrics + Clock> Reporter for Careful<E> {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        self.inline.report(activity)
    }
}
