//! Dialling: whom, when again, and how.
//!
//! [`Schedule`] is the arithmetic: a failure doubles the time to the next try, up to a limit, and each pair of peers
//! has its own share of a quarter more, so that a network which starts does not dial in step. It reads no clock and
//! draws no random number, which is all that keeps it from being one of the crates for it.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    close::Close,
    endpoint,
    event::{DialError, Event},
    identity::PeerId,
    network::Shared,
    stats::{Direction, count},
    tls::NO_NAME,
};

/// Dials under way at once.
const DIALS: usize = 16;
/// How often it is looked whether somebody is to be dialled, when nothing happens.
const LOOK: Duration = Duration::from_secs(1);
/// Peers whose failures are remembered.
const TARGETS: usize = 4_096;

#[derive(Debug)]
struct Target {
    failures: u32,
    next: Instant,
    is_under_way: bool,
}

/// When each peer may be dialled.
#[derive(Debug)]
pub(crate) struct Schedule {
    own: PeerId,
    first: Duration,
    longest: Duration,
    targets: HashMap<PeerId, Target>,
}

impl Schedule {
    pub(crate) fn new(own: PeerId, (first, longest): (Duration, Duration)) -> Self {
        Self { own, first, longest, targets: HashMap::new() }
    }

    /// True, and the dial under way, if it is time to dial a peer; says which try it is.
    fn begin(&mut self, peer: PeerId, now: Instant) -> Option<u32> {
        if self.targets.len() >= TARGETS {
            self.targets.retain(|_, target| target.is_under_way || target.next > now);
        }
        let target = self.targets.entry(peer).or_insert(Target { failures: 0, next: now, is_under_way: false });
        if target.is_under_way || target.next > now {
            return None;
        }
        target.is_under_way = true;
        Some(target.failures)
    }

    /// A dial came to its end.
    fn end(&mut self, peer: PeerId, is_connected: bool, now: Instant) {
        let (first, longest) = (self.first, self.longest);
        let share = share(&self.own, &peer);
        if let Some(target) = self.targets.get_mut(&peer) {
            target.is_under_way = false;
            let delay = first.saturating_mul(1 << target.failures.min(20)).min(longest);
            target.next = now + delay + delay.mul_f64(share / 4.0);
            target.failures = if is_connected { 0 } else { target.failures.saturating_add(1) };
        }
    }

    /// When the next of these may be dialled.
    fn next<'a>(&self, peers: impl Iterator<Item = &'a PeerId>) -> Option<Instant> {
        peers.filter_map(|peer| self.targets.get(peer)).filter(|target| !target.is_under_way).map(|t| t.next).min()
    }
}

/// From 0 to 1, the same for a pair each time, another for each pair and side.
fn share(own: &PeerId, peer: &PeerId) -> f64 {
    let hash = blake3::hash(&[*own.as_bytes(), *peer.as_bytes()].concat());
    f64::from(hash.as_bytes()[0]) / 255.0
}

/// Dials whoever is wanted, for as long as the network lives.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut schedule = Schedule::new(shared.id, shared.config.redial);
    let mut dials = JoinSet::new();
    loop {
        let (now, wanted) = (Instant::now(), shared.wanted());
        for (peer, addresses) in &wanted {
            if dials.len() >= DIALS {
                break;
            }
            let Some(tried) = schedule.begin(*peer, now) else { continue };
            // Each address in its turn.
            let Some(address) = addresses.get(tried as usize % addresses.len().max(1)).copied() else { continue };
            let (shared, peer) = (shared.clone(), *peer);
            dials.spawn(async move { (peer, dial(&shared, peer, address).await) });
        }
        let look = schedule.next(wanted.iter().map(|(peer, _)| peer)).unwrap_or(now + LOOK).clamp(now, now + LOOK);
        let is_busy = dials.len() >= DIALS;
        tokio::select! {
            () = shared.wake.notified() => {}
            () = sleep_until(look), if !is_busy => {}
            Some(Ok((peer, dialled))) = dials.join_next() => {
                schedule.end(peer, dialled.is_ok(), Instant::now());
                if let Err(error) = dialled {
                    tracing::debug!(%peer, %error, "dial failed");
                    count(&shared.counters.dials_failed);
                    shared.tell(Event::DialFailed { peer, error });
                }
            }
        }
    }
}

/// Connects to a peer. That they are connected already is as good.
async fn dial(shared: &Arc<Shared>, expected: PeerId, address: SocketAddr) -> Result<(), DialError> {
    let Ok((client, found)) = shared.tls.client(expected) else { return Err(DialError::NoAnswer { address }) };
    let connecting = shared.endpoint.connect_with(client, address, NO_NAME);
    let connecting = connecting.map_err(|source| DialError::Address { address, source })?;
    let handshake = timeout(shared.config.handshake_timeout, connecting).await;
    let connection = handshake.map_err(|_| DialError::NoAnswer { address })?;
    let connection = connection.map_err(|source| DialError::new(address, expected, found.get().copied(), source))?;
    let greeted = timeout(shared.config.handshake_timeout, endpoint::greet(shared, &connection)).await;
    match greeted {
        Ok(Ok((hello, control))) => match endpoint::take_up(shared, expected, connection, Direction::Outbound, hello) {
            Ok(seat) => {
                endpoint::work(shared, seat, control);
                Ok(())
            }
            Err(Close::Duplicate) => Ok(()),
            Err(reason) => Err(DialError::Refused { address, reason }),
        },
        _ => match connection.close_reason() {
            Some(source) if Close::of(&source) == Some(Close::Duplicate) => Ok(()),
            Some(source) => Err(DialError::new(address, expected, None, source)),
            None => {
                Close::NoGreeting.close(&connection);
                Err(DialError::NoGreeting { address })
            }
        },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::identity::Identity;

    #[tokio::test(start_paused = true)]
    async fn failures_double_the_wait_up_to_the_limit() {
        let (own, peer) = (Identity::from_seed([1; 32]).id(), Identity::from_seed([2; 32]).id());
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(30));
        let (mut schedule, mut now) = (Schedule::new(own, (first, longest)), Instant::now());
        for failures in 0..40 {
            assert_eq!(schedule.begin(peer, now), Some(failures));
            assert_eq!(schedule.begin(peer, now), None, "one dial at a time");
            schedule.end(peer, false, now);
            let next = schedule.next([peer].iter()).unwrap();
            let delay = first.saturating_mul(1 << failures.min(20)).min(longest);
            assert!((delay..=delay.mul_f64(1.25)).contains(&(next - now)), "{failures}");
            assert_eq!(schedule.begin(peer, next - Duration::from_millis(1)), None);
            now = next;
        }
        schedule.begin(peer, now).unwrap();
        schedule.end(peer, true, now);
        assert_eq!(schedule.begin(peer, now + 2 * longest), Some(0));
    }
}
