//! Simplex' activity as events: what it reports of an epoch, told to the observer.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use commonware_actor::Feedback;
use commonware_codec::Encode;
use commonware_consensus::{
    Epochable, Reporter, Viewable,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Activity, Attributable},
    },
    types::Participant,
};
use commonware_cryptography::certificate::{Membership, Scheme as _};
use commonware_parallel::Sequential;
use rand_core::CryptoRng;
use rustorium_types::{
    certificate::View,
    ed25519::PublicKey,
    id::{Epoch, Hash},
};

use crate::{
    block::{Digest, hash},
    committees::our_key,
    event::{Event, Evidence, Observer, Offence},
};

/// Tells the observer of one epoch.
pub(crate) struct Told<R>(Arc<Shared<R>>);

struct Shared<R> {
    /// What signatures are verified with.
    random: Mutex<R>,
    scheme: Arc<Scheme>,
    observer: Arc<dyn Observer>,
    /// The highest view of the journal: simplex reports its votes again when it starts.
    journal: u64,
    /// The highest view that this node voted in.
    signed: AtomicU64,
}

impl<R> Clone for Told<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: CryptoRng> Told<R> {
    /// Of the epoch of this committee, where the journal goes up to a view.
    pub(crate) fn new(random: R, scheme: Arc<Scheme>, observer: Arc<dyn Observer>, journal: Option<View>) -> Self {
        let journal = journal.map_or(0, |view| view.0);
        let (random, signed) = (Mutex::new(random), AtomicU64::new(journal));
        Self(Arc::new(Shared { random, scheme, observer, journal, signed }))
    }
}

impl<R: CryptoRng> Shared<R> {
    fn event(&self, activity: &Activity<Scheme, Digest>) -> Option<Event> {
        let epoch = Epoch(activity.epoch().get());
        let view = View(activity.view().get());
        match activity {
            Activity::Finalization(finalization) => {
                let hash: Hash = hash(finalization.proposal.payload);
                Some(Event::Finalised { epoch, view, hash })
            }
            Activity::Nullification(_) => Some(Event::Nullified { epoch, view, leader: self.leader(epoch, view)? }),
            Activity::Nullify(vote) if self.is_mine(vote.signer()) && view.0 > self.journal => {
                Some(Event::TimedOut { epoch, view, leader: self.leader(epoch, view)? })
            }
            Activity::ConflictingNotarize(votes) if self.verifies(activity) => {
                self.evidence(Offence::TwoNotarisations, votes)
            }
            Activity::ConflictingFinalize(votes) if self.verifies(activity) => {
                self.evidence(Offence::TwoFinalisations, votes)
            }
            Activity::NullifyFinalize(votes) if self.verifies(activity) => {
                self.evidence(Offence::SkippedAndFinalised, votes)
            }
            _ => None,
        }
    }

    /// A view that this node voted in, if it is the highest yet.
    fn signed(&self, activity: &Activity<Scheme, Digest>) -> Option<Event> {
        let signer = match activity {
            Activity::Notarize(vote) => vote.signer(),
            Activity::Nullify(vote) => vote.signer(),
            Activity::Finalize(vote) => vote.signer(),
            _ => return None,
        };
        let view = activity.view().get();
        let is_new = self.is_mine(signer) && self.signed.fetch_max(view, Ordering::Relaxed) < view;
        is_new.then(|| Event::Signed { epoch: Epoch(activity.epoch().get()), view: View(view) })
    }

    /// Whether the signatures of evidence hold: simplex reports what it has not checked yet.
    fn verifies(&self, activity: &Activity<Scheme, Digest>) -> bool {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        activity.verify(&mut *random, &self.scheme, &Sequential)
    }

    fn is_mine(&self, signer: Participant) -> bool {
        self.scheme.me() == Some(Membership::Signer(signer))
    }

    /// Whose turn a view is: simplex' round robin, unshuffled.
    fn leader(&self, epoch: Epoch, view: View) -> Option<PublicKey> {
        let validators = self.scheme.participants();
        // The turn is counted from 1 in simplex too: its first view is 1.
        let index = epoch.0.wrapping_add(view.0) % validators.len() as u64;
        validators.get(index as usize).map(our_key)
    }

    fn evidence<V: Attributable + Epochable + Viewable + Encode>(&self, offence: Offence, votes: &V) -> Option<Event> {
        let signer = self.scheme.participants().get(usize::from(votes.signer())).map(our_key)?;
        let epoch = Epoch(votes.epoch().get());
        let view = View(votes.view().get());
        let votes: Bytes = votes.encode();
        Some(Event::Evidence(Evidence { offence, signer, epoch, view, votes }))
    }
}

impl<R: CryptoRng + Send + 'static> Reporter for Told<R> {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        for event in [self.0.signed(&activity), self.0.event(&activity)].into_iter().flatten() {
            self.0.observer.observe(event);
        }
        Feedback::Ok
    }
}
