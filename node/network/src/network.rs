//! The network as its user sees it: start, send, ask, report, look.

use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use quinn::{Connection, Endpoint};
use thiserror::Error;
use tokio::{
    sync::{Notify, broadcast},
    task::JoinHandle,
    time::Instant,
};

use crate::{
    class::Class,
    close::Close,
    config::Config,
    dial, endpoint,
    event::{Event, Lost},
    exchange::RECORD_AGE_MS,
    gate::Gate,
    identity::{Identity, PeerId},
    message::{Deliveries, Incoming, RequestError, SendError},
    peers::{Contact, Peers, Seat, Seated},
    record::{AddressRecord, RECORD_ADDRESSES, RecordError, SignedRecord},
    request,
    score::Misbehaviour,
    stats::{BanSnapshot, Counters, PeerSnapshot, Totals, TrafficCounters, count},
    tls::{Tls, TlsError},
};

/// Events that are kept for whoever reads slowly.
const EVENTS: usize = 1_024;

/// A node's place in the network of its chain. Cheap to clone; the network ends with the last clone, or with
/// [`Network::shutdown`].
///
/// ```
/// use rustorium_network::{Audience, Class, Clock, Config, Identity, Network, PeerAddress};
/// # use rustorium_types::id::{Hash, Timestamp};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = || Config::new(Hash([9; 32]), "127.0.0.1:0".parse().unwrap(), Clock::new(|| Timestamp(1)));
/// let (alice, mut incoming) = Network::start(Identity::from_seed([1; 32]), config())?;
/// // Bob dials Alice, who has a list on which Bob is.
/// let bob = Identity::from_seed([2; 32]);
/// alice.allow(&[bob.id()].into());
/// let alices = PeerAddress { id: alice.id(), address: alice.address() };
/// let (bob, _) = Network::start(bob, Config { static_peers: vec![alices], ..config() })?;
/// let mut events = bob.events();
/// while !bob.is_connected(&alice.id()) {
///     events.recv().await?;
/// }
/// bob.broadcast(Class::Vote, "aye".into(), Audience::Known)?;
/// let vote = incoming.votes.recv().await.unwrap();
/// assert_eq!((vote.peer, &vote.payload[..]), (bob.id(), &b"aye"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
    _running: Arc<Running>,
}

/// Who hears a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Static and allowed peers: the validators.
    Known,
    /// Everybody who is connected.
    Everyone,
}

/// Why a network does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The socket.
    #[error("cannot listen at {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// TLS or QUIC.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system has no randomness.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
}

/// What all tasks of a network have in common.
pub(crate) struct Shared {
    pub(crate) id: PeerId,
    pub(crate) instance: u64,
    pub(crate) config: Arc<Config>,
    pub(crate) tls: Tls,
    pub(crate) endpoint: Endpoint,
    pub(crate) deliveries: Deliveries,
    pub(crate) counters: Counters,
    /// Somebody may have to be dialled.
    pub(crate) wake: Notify,
    identity: Identity,
    address: SocketAddr,
    peers: Mutex<Peers>,
    gate: Mutex<Gate>,
    own_record: Mutex<Option<SignedRecord>>,
    events: broadcast::Sender<Event>,
}

/// Ends the network's own tasks; those of connections end with the endpoint.
struct Running {
    endpoint: Endpoint,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.endpoint.close(Close::Shutdown.code(), b"");
    }
}

impl Network {
    /// Listens and begins to dial. Must be called within a tokio runtime, on which everything runs from then on.
    ///
    /// # Errors
    /// When the address cannot be listened at, or a setting is out of QUIC's range.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(identity: Identity, config: Config) -> Result<(Self, Incoming), StartError> {
        let (id, config) = (identity.id(), Arc::new(config));
        let tls = Tls::new(&identity, &config)?;
        let instance = getrandom::u64().map_err(StartError::Random)?;
        let endpoint = endpoint::bind(&identity, instance, &config, &tls)?;
        let address = endpoint.local_addr().map_err(|source| StartError::Bind { address: config.listen, source })?;
        let (deliveries, incoming) = Deliveries::new(&config.classes);
        let shared = Arc::new(Shared {
            id,
            instance,
            tls,
            endpoint: endpoint.clone(),
            deliveries,
            counters: Counters::default(),
            wake: Notify::new(),
            identity,
            address,
            peers: Mutex::new(Peers::new(config.clone(), id)),
            gate: Mutex::new(Gate::new(&config)),
            own_record: Mutex::new(None),
            events: broadcast::channel(EVENTS).0,
            config,
        });
        let tasks = [tokio::spawn(endpoint::accept(shared.clone())), tokio::spawn(dial::run(shared.clone()))];
        Ok((Self { shared, _running: Arc::new(Running { endpoint, tasks }) }, incoming))
    }

    /// This node's id.
    pub fn id(&self) -> PeerId {
        self.shared.id
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Queues a message for a peer. It arrives once or, when the connection is lost or its class drops what is old, not
    /// at all; messages of a class arrive in order.
    ///
    /// # Errors
    /// When the peer is not connected, the message has no bytes or too many, or too much waits for the peer already in a
    /// class that refuses what is new.
    pub fn send(&self, peer: &PeerId, class: Class, message: Bytes) -> Result<(), SendError> {
        self.check_size(class, &message)?;
        let seat = self.shared.seat_of(peer).ok_or(SendError::NotConnected)?;
        self.shared.queue(&seat, class, message)
    }

    /// Queues a message for many; answers for whom it is queued. Those for whom too much waits already are left out.
    ///
    /// # Errors
    /// [`SendError::Size`].
    pub fn broadcast(&self, class: Class, message: Bytes, audience: Audience) -> Result<Vec<PeerId>, SendError> {
        self.check_size(class, &message)?;
        let seats: Vec<Seat> = self.shared.peers().all().cloned().collect();
        let hears = |seat: &&Seat| audience == Audience::Everyone || seat.peer.is_known();
        let queued = seats.iter().filter(hears).filter(|s| self.shared.queue(s, class, message.clone()).is_ok());
        Ok(queued.map(|seat| seat.peer.id).collect())
    }

    /// Asks a peer and waits for its answer, for `time` at the most, including the wait for a free place among this
    /// peer's requests. Dropping the future cancels the request on both sides.
    ///
    /// # Errors
    /// When there is no answer, by reason.
    pub async fn request(
        &self,
        peer: &PeerId,
        class: Class,
        request: Bytes,
        time: Duration,
    ) -> Result<Bytes, RequestError> {
        let seat = self.shared.seat_of(peer).ok_or(RequestError::NotConnected)?;
        request::ask(&self.shared, &seat, class, request, time).await
    }

    /// Counts a misbehaviour that the network cannot see: a message that decodes to nonsense, a signature that is
    /// wrong. Bans and disconnects the peer when it was one too many.
    pub fn report(&self, peer: &PeerId, misbehaviour: Misbehaviour) {
        self.shared.punish(*peer, misbehaviour);
    }

    /// Ends a ban; false if there was none.
    pub fn pardon(&self, peer: &PeerId) -> bool {
        let is_pardoned = self.shared.peers().scores.pardon(peer, Instant::now());
        self.shared.wake.notify_one();
        is_pardoned
    }

    /// Puts other peers on the list, in place of those on it: at an epoch's change. Who is no longer on it may stay
    /// while there are seats for unknown peers.
    pub fn allow(&self, allowed: &BTreeSet<PeerId>) {
        let leave = self.shared.peers().allow(allowed);
        leave.iter().for_each(|seat| seat.close(Close::NotAllowed));
        self.shared.wake.notify_one();
    }

    /// Closes the connection with a peer. It may come again, and will be dialled again if it is wanted.
    pub fn disconnect(&self, peer: &PeerId) {
        if let Some(seat) = self.shared.seat_of(peer) {
            seat.close(Close::Asked);
        }
    }

    /// Takes an address record from elsewhere: a file of bootstrap peers.
    ///
    /// # Errors
    /// When it is forged, old or of no use.
    pub fn learn(&self, record: SignedRecord) -> Result<(), RecordError> {
        let source = record.record.peer;
        let learned = self.shared.learn(record, source);
        self.shared.wake.notify_one();
        learned
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// True if a peer is connected.
    pub fn is_connected(&self, peer: &PeerId) -> bool {
        self.shared.peers().get(peer).is_some()
    }

    /// Everybody who is connected, by id.
    pub fn peers(&self) -> Vec<PeerSnapshot> {
        let now = Instant::now();
        let mut peers = self.shared.peers();
        let seats: Vec<Seat> = peers.all().cloned().collect();
        let mut snapshots: Vec<PeerSnapshot> =
            seats.iter().map(|seat| snapshot(seat, peers.scores.points(&seat.peer.id, now), now)).collect();
        drop(peers);
        snapshots.sort_unstable_by_key(|peer| peer.id);
        snapshots
    }

    /// Everybody who is banned, by id.
    pub fn bans(&self) -> Vec<BanSnapshot> {
        let now = Instant::now();
        let bans = self.shared.peers().scores.bans(now);
        let mut bans: Vec<BanSnapshot> = bans
            .into_iter()
            .map(|(id, ban)| BanSnapshot {
                id,
                reason: ban.reason,
                remaining: ban.until.saturating_duration_since(now),
            })
            .collect();
        bans.sort_unstable_by_key(|ban| ban.id);
        bans
    }

    /// Totals since the start.
    pub fn totals(&self) -> Totals {
        self.shared.counters.totals()
    }

    /// Address records that are known.
    pub fn records(&self) -> usize {
        self.shared.peers().records.len()
    }

    /// Tells the peers, closes all connections and waits until that is said.
    pub async fn shutdown(self) {
        self._running.tasks.iter().for_each(JoinHandle::abort);
        self.shared.endpoint.close(Close::Shutdown.code(), b"");
        self.shared.endpoint.wait_idle().await;
    }

    fn check_size(&self, class: Class, message: &Bytes) -> Result<(), SendError> {
        let (bytes, limit) = (message.len(), self.shared.config.limits(class).message_bytes);
        if (1..=limit).contains(&bytes) { Ok(()) } else { Err(SendError::Size { class, bytes, limit }) }
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Network({}@{})", self.shared.id, self.shared.address)
    }
}

fn snapshot(seat: &Seat, score: u32, now: Instant) -> PeerSnapshot {
    let stats = seat.connection.stats();
    PeerSnapshot {
        id: seat.peer.id,
        address: seat.connection.remote_address(),
        direction: seat.contact.direction,
        is_known: seat.peer.is_known(),
        rtt: seat.connection.rtt(),
        connected_for: now.saturating_duration_since(seat.since),
        score,
        lost_packets: stats.path.lost_packets,
        traffic: std::array::from_fn(|at| seat.peer.traffic[at].read()),
        queued: std::array::from_fn(|at| seat.peer.queues[at].len()),
    }
}

impl Shared {
    pub(crate) fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, event: Event) {
        // Nobody has to listen.
        _ = self.events.send(event);
    }

    pub(crate) fn came(&self, peer: &TrafficCounters, class: Class, bytes: usize) {
        peer.came(bytes);
        self.counters.traffic[class.index()].came(bytes);
    }

    pub(crate) fn went(&self, peer: &TrafficCounters, class: Class, bytes: usize) {
        peer.went(bytes);
        self.counters.traffic[class.index()].went(bytes);
    }

    pub(crate) fn dropped(&self, peer: &TrafficCounters, class: Class, messages: u64) {
        peer.dropped(messages);
        self.counters.traffic[class.index()].dropped(messages);
    }

    /// Takes up a connection, or says why not. What is told of a peer is told in the order in which it happens: with the
    /// table locked.
    pub(crate) fn seat(&self, peer: PeerId, connection: Connection, contact: Contact) -> Result<Seat, Close> {
        let mut peers = self.peers();
        let Seated { seat, replaced } = peers.seat(peer, connection, contact, Instant::now())?;
        let is_same = replaced.as_ref().is_some_and(|old| old.contact.instance == contact.instance);
        if replaced.is_some() && !is_same {
            self.tell(Event::Disconnected { peer, reason: Lost::Restarted });
        }
        if !is_same {
            let address = seat.connection.remote_address();
            tracing::debug!(%peer, %address, direction = ?contact.direction, "connected");
            self.tell(Event::Connected { peer, address, direction: contact.direction });
        }
        drop(peers);
        if let Some(old) = replaced {
            old.close(Close::Duplicate);
        }
        self.wake.notify_one();
        Ok(seat)
    }

    /// Gives up a connection that has ended, unless another has taken its place.
    pub(crate) fn leave(&self, peer: &PeerId, number: u64, reason: Lost) {
        let mut peers = self.peers();
        if peers.leave(peer, number) {
            tracing::debug!(%peer, %reason, "disconnected");
            self.tell(Event::Disconnected { peer: *peer, reason });
        }
        drop(peers);
        self.wake.notify_one();
    }

    /// Counts a misbehaviour, and ends it when it was one too many; true then.
    pub(crate) fn punish(&self, peer: PeerId, misbehaviour: Misbehaviour) -> bool {
        count(&self.counters.misbehaviours[misbehaviour.index()]);
        let (score, ban) = self.peers().punish(peer, misbehaviour, Instant::now());
        tracing::warn!(%peer, %misbehaviour, score, "misbehaviour");
        self.tell(Event::Misbehaved { peer, misbehaviour, score });
        if let Some(ban) = ban {
            count(&self.counters.bans);
            self.tell(Event::Banned { peer, ban });
        }
        let seat = self.seat_of(&peer).filter(|_| ban.is_some());
        if let Some(seat) = seat {
            seat.close(Close::Misbehaved(misbehaviour));
        }
        ban.is_some()
    }

    pub(crate) fn learn(&self, record: SignedRecord, source: PeerId) -> Result<(), RecordError> {
        let now = self.config.clock.now();
        self.peers().records.learn(record, source, now)
    }

    /// What a peer is answered: this node's own record, and of others.
    pub(crate) fn records_for(&self, peer: &PeerId) -> Vec<SignedRecord> {
        let others = self.peers().records.answer(peer, self.config.clock.now());
        self.own_record().into_iter().chain(others).collect()
    }

    /// This node's record, renewed before it gets old; none where nobody can reach it.
    pub(crate) fn own_record(&self) -> Option<SignedRecord> {
        let now = self.config.clock.now();
        let mut own = self.own_record.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = own.as_ref().is_some_and(|own| own.record.time.0 + RECORD_AGE_MS / 4 > now.0);
        if !is_fresh {
            let addresses = self.advertised();
            let record = AddressRecord { peer: self.id, time: now, addresses };
            *own = (!record.addresses.is_empty()).then(|| record.sign(&self.identity, &self.config.chain));
        }
        own.clone()
    }

    /// Whom to dial, and where.
    pub(crate) fn wanted(&self) -> Vec<(PeerId, Vec<SocketAddr>)> {
        // Each start goes through strangers in an order that nobody can foresee, and so make keys for.
        let mut secret = [0; 32];
        for (to, from) in secret.iter_mut().zip(self.instance.to_le_bytes()) {
            *to = from;
        }
        let order = |id: &PeerId| *blake3::keyed_hash(&secret, id.as_bytes()).as_bytes();
        self.peers().wanted(order, Instant::now(), self.config.clock.now())
    }

    fn advertised(&self) -> Vec<SocketAddr> {
        if self.config.advertised.is_empty() && !self.address.ip().is_unspecified() {
            return vec![self.address];
        }
        self.config.advertised.iter().copied().take(RECORD_ADDRESSES).collect()
    }

    fn seat_of(&self, peer: &PeerId) -> Option<Seat> {
        self.peers().get(peer).cloned()
    }

    fn queue(&self, seat: &Seat, class: Class, message: Bytes) -> Result<(), SendError> {
        let dropped = seat.peer.queues[class.index()].push(message);
        self.dropped(&seat.peer.traffic[class.index()], class, *dropped.as_ref().unwrap_or(&1));
        dropped.map(|_| ()).map_err(|_| SendError::Full)
    }
}
