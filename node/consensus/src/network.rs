//! commonware's five channels over the node's network.
//!
//! ```text
//! channel            class         payload
//! votes              Vote          message
//! certificates       Certificate   0 │ message
//! blocks             Certificate   1 │ message
//! resolver           Resolver      0 │ message
//! backfill           Resolver      1 │ message
//! ```
//!
//! A validator is known by its consensus key in here and by its network key out there; [`Directory`] says who is who.
//! The classes `Bodies` and `Sync` are the node's.
//!
//! Nothing is delivered for certain, and nothing waits: what finds a queue full is dropped, and simplex and marshal ask
//! again.

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::SystemTime,
};

use bytes::{BufMut, Bytes, BytesMut};
use commonware_actor::{Feedback, Unreliable};
use commonware_cryptography::ed25519;
use commonware_p2p::{
    BlockedSubscription, Blocker, CheckedSender, LimitedSender, Manager, PeerSetSubscription, PeerSetUpdate, Provider,
    Receiver, Recipients, TrackedPeers,
};
use commonware_runtime::{IoBuf, IoBufs, Spawner};
use commonware_utils::{
    NZUsize,
    channel::{mpsc as updates, ring},
    ordered::Set,
};
use rustorium_network::{Audience, Class, Message, Misbehaviour, Network, PeerId};
use rustorium_types::ed25519::PublicKey;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::{
    committees::{our_key, public_key},
    engines::Channels,
    validator,
};

/// Messages of a channel that wait for consensus.
const CAPACITY: NonZeroUsize = NZUsize!(1024);

/// Which peer a validator is. Clones are the same. A validator that is not in it has one key for both: its peer's id is
/// its consensus key.
#[derive(Clone, Debug, Default)]
pub struct Directory(Arc<RwLock<Pairs>>);

#[derive(Debug, Default)]
struct Pairs {
    peers: BTreeMap<PublicKey, PeerId>,
    validators: BTreeMap<PeerId, PublicKey>,
}

/// The node's network and what it receives for consensus. `Incoming::resolver_requests` has no use here: the node drops
/// it. Bodies and syncing are the node's own.
#[derive(Debug)]
pub struct Ports {
    /// Where to send.
    pub network: Network,
    /// Who is who.
    pub directory: Directory,
    /// `Incoming::votes`.
    pub votes: mpsc::Receiver<Message>,
    /// `Incoming::certificates`.
    pub certificates: mpsc::Receiver<Message>,
    /// `Incoming::resolver`.
    pub resolver: mpsc::Receiver<Message>,
}

impl Directory {
    /// Says which peer a validator is, from now on.
    pub fn set(&self, validator: PublicKey, peer: PeerId) {
        let mut pairs = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = pairs.peers.insert(validator, peer) {
            pairs.validators.remove(&before);
        }
        if let Some(before) = pairs.validators.insert(peer, validator).filter(|before| *before != validator) {
            pairs.peers.remove(&before);
        }
    }

    /// The peer that a validator is.
    pub fn peer(&self, validator: &PublicKey) -> PeerId {
        let pairs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        pairs.peers.get(validator).copied().unwrap_or(PeerId(*validator))
    }

    /// The validator that a peer is, if it is one.
    pub fn validator(&self, peer: &PeerId) -> PublicKey {
        let pairs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        pairs.validators.get(peer).copied().unwrap_or(peer.0)
    }
}

/// What sends on all channels, knows the peers and shuts them out.
#[derive(Clone)]
pub(crate) struct Links {
    network: Network,
    directory: Directory,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    latest: Option<PeerSetUpdate<ed25519::PublicKey>>,
    subscribers: Vec<updates::UnboundedSender<PeerSetUpdate<ed25519::PublicKey>>>,
    /// Never told anything but the empty set: bans end, and the network keeps them.
    blocked: Vec<ring::Sender<Set<ed25519::PublicKey>>>,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links")
    }
}

/// A channel's way out.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    links: Links,
    class: Class,
    prefix: Option<u8>,
}

/// A message's recipients, those who are connected.
pub(crate) struct Addressed<'a> {
    out: &'a Out,
    recipients: Option<Vec<ed25519::PublicKey>>,
}

/// A channel's way in.
#[derive(Debug)]
pub(crate) struct In(mpsc::Receiver<(ed25519::PublicKey, IoBuf)>);

/// The network is gone.
#[derive(Debug, Clone, Copy, Error)]
#[error("the network is gone")]
pub(crate) struct Gone;

/// Opens the channels; tasks of `context` sort what comes in.
pub(crate) fn open(context: &impl Spawner, ports: Ports) -> (validator::Network<Out, In>, Links) {
    let Ports { network, directory, votes, certificates, resolver } = ports;
    let links = Links { network, directory, state: Arc::default() };
    let out = |class, prefix| Out { links: links.clone(), class, prefix };
    let [votes_in] = sort(context.child("votes_in"), votes, &links, [None]);
    let [certificates_in, blocks_in] = sort(context.child("certificates_in"), certificates, &links, [Some(0), Some(1)]);
    let [resolver_in, backfill_in] = sort(context.child("resolver_in"), resolver, &links, [Some(0), Some(1)]);
    let network = validator::Network {
        simplex: Channels {
            votes: (out(Class::Vote, None), votes_in),
            certificates: (out(Class::Certificate, Some(0)), certificates_in),
            resolver: (out(Class::Resolver, Some(0)), resolver_in),
        },
        blocks: (out(Class::Certificate, Some(1)), blocks_in),
        backfill: (out(Class::Resolver, Some(1)), backfill_in),
    };
    (network, links)
}

/// Reads a class for the channels that share it.
fn sort<const N: usize>(
    context: impl Spawner,
    mut messages: mpsc::Receiver<Message>,
    links: &Links,
    prefixes: [Option<u8>; N],
) -> [In; N] {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..N).map(|_| mpsc::channel(CAPACITY.get())).unzip();
    let links = links.clone();
    context.spawn(move |_| async move {
        while let Some(Message { peer, mut payload }) = messages.recv().await {
            let Some(from) = public_key(&links.directory.validator(&peer)) else { continue };
            let is_prefixed = prefixes.iter().any(Option::is_some);
            let prefix = is_prefixed.then(|| payload.split_to(1.min(payload.len())));
            let prefix = prefix.and_then(|prefix| prefix.first().copied());
            match prefixes.iter().position(|known| *known == prefix).and_then(|index| senders.get(index)) {
                // Full: dropped, as the network drops.
                Some(sender) => drop(sender.try_send((from, IoBuf::from(payload)))),
                None => links.network.report(&peer, Misbehaviour::Malformed),
            }
        }
    });
    let mut receivers = receivers.into_iter().map(In);
    std::array::from_fn(|_| receivers.next().unwrap_or_else(|| In(mpsc::channel(1).1)))
}

impl LimitedSender for Out {
    type Checked<'a> = Addressed<'a>;
    type PublicKey = ed25519::PublicKey;

    fn check(&mut self, recipients: Recipients<Self::PublicKey>) -> Result<Addressed<'_>, SystemTime> {
        let recipients = match recipients {
            Recipients::All => None,
            Recipients::Some(keys) => Some(keys),
            Recipients::One(key) => Some(vec![key]),
        };
        let connected =
            recipients.map(|keys| keys.into_iter().filter(|key| self.links.is_connected(key)).collect::<Vec<_>>());
        Ok(Addressed { out: self, recipients: connected })
    }
}

impl CheckedSender for Addressed<'_> {
    type PublicKey = ed25519::PublicKey;

    fn recipients(&self) -> Vec<Self::PublicKey> {
        self.recipients.clone().unwrap_or_else(|| self.out.links.connected())
    }

    fn send(self, message: impl Into<IoBufs> + Send, _: bool) -> Unreliable<Feedback> {
        let Out { links, class, prefix } = self.out;
        let message: Bytes = message.into().coalesce().into();
        let message = match prefix {
            Some(prefix) => {
                let mut prefixed = BytesMut::with_capacity(1 + message.len());
                prefixed.put_u8(*prefix);
                prefixed.extend_from_slice(&message);
                prefixed.freeze()
            }
            None => message,
        };
        let sent = match self.recipients {
            None => links.network.broadcast(*class, message, Audience::Known).map(|_| ()),
            Some(keys) => keys.iter().try_for_each(|key| {
                let peer = links.directory.peer(&our_key(key));
                links.network.send(&peer, *class, message.clone())
            }),
        };
        match sent {
            Ok(()) => Unreliable::new(Feedback::Ok),
            Err(error) => {
                tracing::debug!(class = class.name(), %error, "not sent");
                Unreliable::Rejected
            }
        }
    }
}

impl Receiver for In {
    type Error = Gone;
    type PublicKey = ed25519::PublicKey;

    async fn recv(&mut self) -> Result<(ed25519::PublicKey, IoBuf), Gone> {
        self.0.recv().await.ok_or(Gone)
    }

    fn capacity(&self) -> NonZeroUsize {
        CAPACITY
    }
}

impl Links {
    fn is_connected(&self, validator: &ed25519::PublicKey) -> bool {
        self.network.is_connected(&self.directory.peer(&our_key(validator)))
    }

    /// The validators of this epoch and the last that are connected.
    fn connected(&self) -> Vec<ed25519::PublicKey> {
        let all = self.state().latest.as_ref().map(|latest| latest.all.clone().union());
        all.into_iter().flatten().filter(|validator| self.is_connected(validator)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider for Links {
    type PublicKey = ed25519::PublicKey;

    async fn peer_set(&mut self, index: u64) -> Option<TrackedPeers<Self::PublicKey>> {
        self.state().latest.as_ref().filter(|latest| latest.index == index).map(|latest| latest.latest.clone())
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<Self::PublicKey> {
        let (sender, receiver) = updates::unbounded_channel();
        let mut state = self.state();
        if let Some(latest) = &state.latest {
            let _ = sender.send(latest.clone());
        }
        state.subscribers.push(sender);
        receiver
    }
}

impl Manager for Links {
    fn track<R>(&mut self, index: u64, peers: R) -> Feedback
    where
        R: Into<TrackedPeers<Self::PublicKey>> + Send,
    {
        let peers = peers.into();
        let all = peers.clone().union();
        self.network.allow(&all.iter().map(|key| self.directory.peer(&our_key(key))).collect());
        let update = PeerSetUpdate { index, latest: peers.clone(), all: peers };
        let mut state = self.state();
        state.subscribers.retain(|subscriber| subscriber.send(update.clone()).is_ok());
        state.latest = Some(update);
        Feedback::Ok
    }
}

impl Blocker for Links {
    type PublicKey = ed25519::PublicKey;

    fn block(&mut self, peer: Self::PublicKey) -> Feedback {
        self.network.report(&self.directory.peer(&our_key(&peer)), Misbehaviour::Hostile);
        Feedback::Ok
    }

    fn blocked(&mut self) -> BlockedSubscription<Self::PublicKey> {
        let (sender, receiver) = ring::channel(NZUsize!(1));
        sender.send_lossy(Set::default());
        let mut state = self.state();
        state.blocked.retain(|subscriber| !subscriber.is_closed());
        state.blocked.push(sender);
        receiver
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_keeps_pairs() {
        let (alice, bob) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let (one, two) = (PeerId(PublicKey([11; 32])), PeerId(PublicKey([12; 32])));
        let directory = Directory::default();
        assert_eq!((directory.peer(&alice), directory.validator(&one)), (PeerId(alice), one.0));
        directory.set(alice, one);
        directory.set(bob, two);
        assert_eq!((directory.peer(&alice), directory.validator(&two)), (one, bob));
        // Alice takes another key, then Bob takes hers.
        directory.set(alice, PeerId(alice));
        assert_eq!((directory.peer(&alice), directory.validator(&one)), (PeerId(alice), one.0));
        directory.set(bob, PeerId(alice));
        assert_eq!((directory.peer(&bob), directory.validator(&PeerId(alice))), (PeerId(alice), bob));
        assert_eq!(directory.validator(&two), two.0);
    }
}
