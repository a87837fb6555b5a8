//! A network between nodes that loses, delays and cuts: a UDP proxy in front of each.
//!
//! ```text
//! node 1 ──► door 0 ─┬─ socket (1, 0) ──► node 0        a door is where all others reach a node
//! node 2 ──► door 0 ─┴─ socket (2, 0) ──► node 0        a socket of its own for each of them, as QUIC tells
//!        ◄── door 0 ◄── socket (2, 0) ◄── node 0        connections apart by addresses; answers go back by it
//! ```
//!
//! Each direction between two nodes is a line: a task that forwards in order. Which datagrams of a line are lost is a
//! function of the seed, the line and their number, so that the same seed loses the same ones; what is in them and when
//! they come is the nodes' affair. All of it runs on a thread of its own, which a busy test does not hold up.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket as StdSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

/// The largest datagram.
const DATAGRAM_BYTES: usize = 65_535;
/// Datagrams under way on a line; more are lost, as in a router.
const UNDER_WAY: usize = 8_192;

/// What happens to datagrams.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// Of a hundred, how many are lost.
    pub(crate) loss_percent: u64,
    /// How long each is under way.
    pub(crate) delay: Duration,
    /// Nodes that nothing reaches and that reach nobody, by number.
    pub(crate) cut: BTreeSet<usize>,
}

/// The proxy. Dropping it ends the network.
pub(crate) struct Proxy {
    doors: Vec<SocketAddr>,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

struct State {
    /// Where the nodes are.
    nodes: Vec<SocketAddr>,
    seed: u64,
    weather: Mutex<Weather>,
    counts: Mutex<Counts>,
}

/// Datagrams of all lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// That came through.
    pub(crate) forwarded: u64,
    /// That were lost by the seed's choice.
    pub(crate) lost: u64,
    /// That met a cut.
    pub(crate) cut: u64,
}

/// One direction between two nodes.
#[derive(Clone, Copy)]
struct Line {
    from: usize,
    to: usize,
}

impl Proxy {
    /// In front of these nodes; the weather is good.
    pub(crate) fn start(nodes: &[SocketAddr], seed: u64) -> Self {
        let sockets: Vec<StdSocket> = nodes.iter().map(|_| socket().expect("a free port")).collect();
        let doors = sockets.iter().map(|socket| socket.local_addr().expect("an address")).collect();
        let state =
            Arc::new(State { nodes: nodes.to_vec(), seed, weather: Mutex::default(), counts: Mutex::default() });
        let (stop, stopped) = oneshot::channel();
        let runs = Arc::clone(&state);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                for (node, door) in sockets.into_iter().enumerate() {
                    let door = Arc::new(UdpSocket::from_std(door).expect("a socket"));
                    tokio::spawn(open(Arc::clone(&runs), node, door));
                }
                let _ = stopped.await;
            });
        });
        Self { doors, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Where others reach a node.
    pub(crate) fn door(&self, node: usize) -> SocketAddr {
        self.doors[node]
    }

    /// Changes the weather for what comes from now on.
    pub(crate) fn weather(&self, change: impl FnOnce(&mut Weather)) {
        change(&mut lock(&self.state.weather));
    }

    /// Cuts a node off.
    pub(crate) fn cut(&self, node: usize) {
        self.weather(|weather| {
            weather.cut.insert(node);
        });
    }

    /// Nobody is cut off any more.
    pub(crate) fn mend(&self) {
        self.weather(|weather| weather.cut.clear());
    }

    /// What became of datagrams so far.
    pub(crate) fn counts(&self) -> Counts {
        *lock(&self.state.counts)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

impl State {
    /// When a line's datagram arrives, if it does.
    fn arrival(&self, line: Line, number: u64) -> Option<Instant> {
        let weather = lock(&self.weather);
        let mut counts = lock(&self.counts);
        if weather.cut.contains(&line.from) || weather.cut.contains(&line.to) {
            counts.cut += 1;
            return None;
        }
        if is_lost(self.seed, line, number, weather.loss_percent) {
            counts.lost += 1;
            return None;
        }
        counts.forwarded += 1;
        Some(Instant::now() + weather.delay)
    }
}

/// The seed's choice: splitmix64 of what names the datagram.
fn is_lost(seed: u64, line: Line, number: u64, percent: u64) -> bool {
    let name = seed ^ ((line.from as u64) << 48) ^ ((line.to as u64) << 40) ^ number;
    let mut mixed = name.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % 100 < percent
}

fn socket() -> io::Result<StdSocket> {
    let socket = StdSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A datagram, and when it arrives.
type Late = (Instant, Vec<u8>);

/// Takes what others send to a node.
async fn open(state: Arc<State>, to: usize, door: Arc<UdpSocket>) {
    let mut lines: BTreeMap<SocketAddr, (mpsc::Sender<Late>, Line, u64)> = BTreeMap::new();
    let mut buffer = vec![0; DATAGRAM_BYTES];
    loop {
        // An error is an ICMP message about what was sent before: a node that is down.
        let Ok((length, client)) = door.recv_from(&mut buffer).await else { continue };
        // Whoever is no node of the network has no place in it.
        let Some(from) = state.nodes.iter().position(|node| *node == client) else { continue };
        let (line, which, number) = lines.entry(client).or_insert_with(|| {
            let outer = UdpSocket::from_std(socket().expect("a free port")).expect("a socket");
            let outer = Arc::new(outer);
            tokio::spawn(answers(
                Arc::clone(&state),
                Line { from: to, to: from },
                Arc::clone(&outer),
                Arc::clone(&door),
            ));
            (forward(outer, state.nodes[to]), Line { from, to }, 0)
        });
        *number += 1;
        if let Some(arrival) = state.arrival(*which, *number) {
            let _ = line.try_send((arrival, buffer[..length].to_vec()));
        }
    }
}

/// Takes what a node answers to one of the others.
async fn answers(state: Arc<State>, which: Line, outer: Arc<UdpSocket>, door: Arc<UdpSocket>) {
    let line = forward(door, state.nodes[which.to]);
    let mut buffer = vec![0; DATAGRAM_BYTES];
    let mut number = 0;
    loop {
        let Ok((length, from)) = outer.recv_from(&mut buffer).await else { continue };
        if from != state.nodes[which.from] {
            continue;
        }
        // Numbers of the other door's line to the same node are other ones.
        number += 1;
        if let Some(arrival) = state.arrival(which, number | 1 << 32) {
            let _ = line.try_send((arrival, buffer[..length].to_vec()));
        }
    }
}

/// A queue whose datagrams leave by a socket when it is time.
fn forward(socket: Arc<UdpSocket>, to: SocketAddr) -> mpsc::Sender<Late> {
    let (sender, mut queue) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    tokio::spawn(async move {
        while let Some((arrival, datagram)) = queue.recv().await {
            sleep_until(arrival).await;
            let _ = socket.send_to(&datagram, to).await;
        }
    });
    sender
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_seed_loses_the_same_datagrams_and_its_share_of_them() {
    let lost = |seed, line, percent| (0..10_000).filter(|number| is_lost(seed, line, *number, percent)).collect();
    let line = Line { from: 0, to: 1 };
    let of: Vec<u64> = lost(1, line, 10);
    assert!((900..1_100).contains(&of.len()), "{}", of.len());
    assert_eq!(of, lost(1, line, 10));
    assert_ne!(of, lost(2, line, 10));
    assert_ne!(of, lost(1, Line { from: 1, to: 0 }, 10));
    assert_eq!((lost(1, line, 0), lost(1, line, 100).len()), (vec![], 10_000));
}

#[test]
fn datagrams_go_both_ways_and_meet_cuts() {
    let nodes = [StdSocket::bind("127.0.0.1:0"), StdSocket::bind("127.0.0.1:0")].map(|node| node.expect("a port"));
    for node in &nodes {
        node.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    }
    let addresses = nodes.each_ref().map(|node| node.local_addr().expect("an address"));
    let proxy = Proxy::start(&addresses, 1);
    let mut buffer = [0; 16];
    let mut hear = |node: &StdSocket| {
        let (length, from) = node.recv_from(&mut buffer).expect("it comes");
        (buffer[..length].to_vec(), from)
    };
    nodes[0].send_to(b"question", proxy.door(1)).expect("sent");
    let (question, from) = hear(&nodes[1]);
    assert_eq!(question, b"question");
    assert_ne!(from, addresses[0], "each client has an address of its own behind the door");
    nodes[1].send_to(b"answer", from).expect("sent");
    assert_eq!(hear(&nodes[0]), (b"answer".to_vec(), proxy.door(1)));
    // What meets the cut is gone; what comes behind it arrives.
    proxy.cut(1);
    nodes[0].send_to(b"lost", proxy.door(1)).expect("sent");
    while proxy.counts().cut == 0 {
        thread::yield_now();
    }
    proxy.mend();
    nodes[0].send_to(b"found", proxy.door(1)).expect("sent");
    assert_eq!(hear(&nodes[1]).0, b"found");
    assert_eq!(proxy.counts(), Counts { forwarded: 3, lost: 0, cut: 1 });
}
