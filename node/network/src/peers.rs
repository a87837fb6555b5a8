//! Who is connected, who may be, and which of two connections stays.
//!
//! Known peers (static ones, and those on the list) have a seat each. Others share a number of seats, and those of one
//! address a smaller one; a ban keeps its seat of the address taken until it ends, because new keys cost nothing.
//!
//! A pair keeps one connection. Both sides decide alike, from what both know: a connection with another instance of the
//! peer replaces one with an instance that is gone; of two that were dialled by different sides, the one stays that the
//! smaller id dialled; of two by the same side, the later one, for that side would not have dialled if it still had the
//! other.

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
};

use quinn::Connection;
use rustorium_types::id::Timestamp;
use tokio::time::Instant;

use crate::{
    close::Close,
    config::Config,
    exchange::Records,
    gate::network,
    identity::PeerId,
    peer::Peer,
    score::{Ban, Misbehaviour, Scores},
    stats::Direction,
    tls::WINDOW_KNOWN,
};

/// A connection that is taken up.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) peer: Arc<Peer>,
    pub(crate) connection: Connection,
    pub(crate) contact: Contact,
    pub(crate) since: Instant,
    /// No other connection of this node has it.
    pub(crate) number: u64,
    /// Why this side closed it, if it did.
    pub(crate) closed: Arc<OnceLock<Close>>,
}

impl Seat {
    pub(crate) fn close(&self, close: Close) {
        _ = self.closed.set(close);
        close.close(&self.connection);
    }
}

/// What decides which of two connections stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contact {
    pub(crate) direction: Direction,
    /// The peer's.
    pub(crate) instance: u64,
}

/// A connection that was taken up, and the one in whose place.
pub(crate) struct Seated {
    pub(crate) seat: Seat,
    pub(crate) replaced: Option<Seat>,
}

pub(crate) struct Peers {
    config: Arc<Config>,
    own: PeerId,
    known: BTreeSet<PeerId>,
    seats: HashMap<PeerId, Seat>,
    pub(crate) scores: Scores,
    pub(crate) records: Records,
    /// Networks of banned peers that had no seat of their own.
    banned_networks: HashMap<PeerId, IpAddr>,
    next_number: u64,
}

impl Peers {
    pub(crate) fn new(config: Arc<Config>, own: PeerId) -> Self {
        let mut peers = Self {
            own,
            known: BTreeSet::new(),
            seats: HashMap::new(),
            scores: Scores::new(config.ban),
            records: Records::new(config.chain, own),
            banned_networks: HashMap::new(),
            next_number: 0,
            config,
        };
        let allowed = peers.config.allowed.clone();
        peers.allow(&allowed);
        peers
    }

    /// Puts others on the list; answers the connections for which there is no longer a place.
    pub(crate) fn allow(&mut self, allowed: &BTreeSet<PeerId>) -> Vec<Seat> {
        let statics = self.config.static_peers.iter().map(|peer| peer.id);
        self.known = statics.chain(allowed.iter().copied()).filter(|peer| *peer != self.own).collect();
        for seat in self.seats.values() {
            let is_known = self.known.contains(&seat.peer.id);
            if is_known && !seat.peer.is_known.swap(true, Relaxed) {
                seat.connection.set_receive_window(WINDOW_KNOWN);
            }
            seat.peer.is_known.store(is_known, Relaxed);
        }
        let mut strangers: Vec<&Seat> = self.seats.values().filter(|seat| !seat.peer.is_known()).collect();
        strangers.sort_unstable_by_key(|seat| seat.since);
        strangers.into_iter().skip(self.config.unknown_peers).cloned().collect()
    }

    /// Takes up a connection, or says why not.
    pub(crate) fn seat(
        &mut self,
        id: PeerId,
        connection: Connection,
        contact: Contact,
        now: Instant,
    ) -> Result<Seated, Close> {
        let ip = network(connection.remote_address().ip());
        self.may_come(id, ip, now)?;
        let replaced = self.seats.get(&id).cloned();
        if replaced.as_ref().is_some_and(|old| !replaces(self.own, id, old.contact, contact)) {
            return Err(Close::Duplicate);
        }
        // The same peer, so its queues go on; another instance of it wants none of what the last one did.
        let peer = match &replaced {
            Some(old) if old.contact.instance == contact.instance => old.peer.clone(),
            _ => Arc::new(Peer::new(id, self.known.contains(&id), &self.config, now)),
        };
        self.next_number += 1;
        let seat = Seat { peer, connection, contact, since: now, number: self.next_number, closed: Arc::default() };
        self.seats.insert(id, seat.clone());
        Ok(Seated { seat, replaced })
    }

    fn may_come(&mut self, id: PeerId, ip: IpAddr, now: Instant) -> Result<(), Close> {
        if self.scores.ban(&id, now).is_some() {
            return Err(Close::Banned);
        }
        if id == self.own {
            return Err(Close::Duplicate);
        }
        if self.known.contains(&id) || self.seats.contains_key(&id) {
            return Ok(());
        }
        if self.config.unknown_peers == 0 {
            return Err(Close::NotAllowed);
        }
        let scores = &mut self.scores;
        self.banned_networks.retain(|peer, _| scores.ban(peer, now).is_some());
        let strangers = self.seats.values().filter(|seat| !seat.peer.is_known());
        let (mut all, mut of_ip) = (0, self.banned_networks.values().filter(|banned| **banned == ip).count());
        for seat in strangers {
            all += 1;
            of_ip += usize::from(network(seat.connection.remote_address().ip()) == ip);
        }
        let is_full = all >= self.config.unknown_peers || of_ip >= self.config.unknown_peers_per_ip;
        if is_full { Err(Close::Full) } else { Ok(()) }
    }

    /// Gives up a connection; false when another one has taken its place.
    pub(crate) fn leave(&mut self, id: &PeerId, number: u64) -> bool {
        let is_current = self.seats.get(id).is_some_and(|seat| seat.number == number);
        if is_current {
            self.seats.remove(id);
        }
        is_current
    }

    pub(crate) fn get(&self, id: &PeerId) -> Option<&Seat> {
        self.seats.get(id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Seat> {
        self.seats.values()
    }

    /// Counts a misbehaviour; answers the points, and the ban if there is one now.
    pub(crate) fn punish(&mut self, id: PeerId, misbehaviour: Misbehaviour, now: Instant) -> (u32, Option<Ban>) {
        let ban = self.scores.add(id, misbehaviour, now);
        if let (Some(_), Some(seat)) = (ban, self.seats.get(&id).filter(|seat| !seat.peer.is_known())) {
            self.banned_networks.insert(id, network(seat.connection.remote_address().ip()));
        }
        (self.scores.points(&id, now), ban)
    }

    /// Whom to dial, and where: known peers that are not connected; then others, the order being the caller's, while
    /// fewer than wanted are connected.
    pub(crate) fn wanted(
        &mut self,
        order: impl Fn(&PeerId) -> [u8; 32],
        now: Instant,
        time: Timestamp,
    ) -> Vec<(PeerId, Vec<SocketAddr>)> {
        let mut wanted = Vec::new();
        for id in self.known.iter().filter(|id| !self.seats.contains_key(*id)) {
            let own = self.config.static_peers.iter().filter(|peer| peer.id == *id).map(|peer| peer.address);
            let told = self.records.get(id).into_iter().flat_map(|signed| signed.record.addresses.iter().copied());
            wanted.push((*id, own.chain(told).collect::<Vec<_>>()));
        }
        let missing = self.config.wanted_peers.saturating_sub(self.seats.len());
        if missing > 0 {
            let strangers = self.records.fresh(time).map(|signed| &signed.record);
            let mut strangers: Vec<_> = strangers
                .filter(|record| !self.known.contains(&record.peer) && !self.seats.contains_key(&record.peer))
                .map(|record| (record.peer, record.addresses.clone()))
                .collect();
            strangers.sort_unstable_by_key(|(id, _)| order(id));
            // Some more than are missing: not all of them answer.
            wanted.extend(strangers.into_iter().take(2 * missing));
        }
        wanted.retain(|(id, addresses)| !addresses.is_empty() && self.scores.ban(id, now).is_none());
        wanted
    }
}

/// True when a new connection takes the place of the one there is.
fn replaces(own: PeerId, peer: PeerId, old: Contact, new: Contact) -> bool {
    if old.instance != new.instance || old.direction == new.direction {
        return true;
    }
    match new.direction {
        Direction::Outbound => own < peer,
        Direction::Inbound => peer < own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    #[test]
    fn both_sides_keep_the_same_connection() {
        let (a, b) = (Identity::from_seed([1; 32]).id(), Identity::from_seed([2; 32]).id());
        let contact = |direction| Contact { direction, instance: 1 };
        // One that a dialled and one that b dialled, in either order on either side.
        let [at_a, at_b] = [(a, b), (b, a)].map(|(own, peer)| {
            let outbound = replaces(own, peer, contact(Direction::Inbound), contact(Direction::Outbound));
            let inbound = replaces(own, peer, contact(Direction::Outbound), contact(Direction::Inbound));
            assert_ne!(outbound, inbound, "whichever comes first, the same one stays");
            outbound
        });
        assert_ne!(at_a, at_b, "what one keeps is outbound for it and inbound for the other");
        assert_eq!(at_a, a < b);
    }

    #[test]
    fn a_restart_and_a_redial_replace() {
        let (a, b) = (Identity::from_seed([1; 32]).id(), Identity::from_seed([2; 32]).id());
        for (own, peer) in [(a, b), (b, a)] {
            for direction in [Direction::Inbound, Direction::Outbound] {
                for new in [Direction::Inbound, Direction::Outbound] {
                    let old = Contact { direction, instance: 1 };
                    assert!(replaces(own, peer, old, Contact { direction: new, instance: 2 }));
                }
                let same = Contact { direction, instance: 1 };
                assert!(replaces(own, peer, same, same));
            }
        }
    }
}
