//! A connected peer: what waits for it, and what went to and fro.
//!
//! It outlives a connection that another one replaces, so that nothing which waits is lost when both dial at once.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::{sync::Semaphore, time::Instant};

use crate::{budget::Meter, class::Class, config::Config, identity::PeerId, queue::Queue, stats::TrafficCounters};

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    /// Static, or on the list.
    pub(crate) is_known: AtomicBool,
    pub(crate) queues: [Queue; Class::COUNT],
    pub(crate) traffic: [TrafficCounters; Class::COUNT],
    /// Requests to it that may be begun.
    pub(crate) requests: [Semaphore; Class::COUNT],
    /// What keeps this node to the rates that the peer may expect.
    pacers: [Mutex<Meter>; Class::COUNT],
}

impl Peer {
    pub(crate) fn new(id: PeerId, is_known: bool, config: &Config, now: Instant) -> Self {
        let meter = |class: Class| {
            let limits = config.limits(class);
            Mutex::new(Meter::new(limits.bytes_per_second, limits.messages_per_second, now))
        };
        Self {
            id,
            is_known: AtomicBool::new(is_known),
            queues: Class::ALL.map(|class| Queue::new(config.limits(class))),
            traffic: Default::default(),
            requests: Class::ALL.map(|class| Semaphore::new(config.limits(class).requests)),
            pacers: Class::ALL.map(meter),
        }
    }

    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Relaxed)
    }

    /// Waits until so many bytes may be sent.
    pub(crate) async fn pace(&self, class: Class, bytes: usize) {
        let pacer = &self.pacers[class.index()];
        let wait = pacer.lock().unwrap_or_else(PoisonError::into_inner).charge(bytes, Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}
