//! Misbehaviour, what it costs, and who is banned for how long.
//!
//! Each kind has points; a hundred are a ban. Points fade, so that rare mistakes of an honest peer never add up, and
//! outlive connections, so that a peer does not get rid of them by coming again. A ban doubles each time, up to a day.
//! Both tables are bounded: what has faded the most goes first, which is what an attacker with many keys gains nothing
//! by, because a new key has a clean record anyway.

use std::{collections::HashMap, time::Duration};

use thiserror::Error;
use tokio::time::Instant;

use crate::identity::PeerId;

/// Points that are a ban.
pub const BAN_SCORE: u32 = 100;
/// How long a point takes to fade: a ban's worth is forgotten in ten minutes.
const FADE: Duration = Duration::from_secs(6);
/// A ban's length at the most.
const LONGEST_BAN: Duration = Duration::from_secs(24 * 60 * 60);
/// Peers whose scores are kept.
const SCORES: usize = 4_096;

/// What a peer did that it should not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// Bytes that are no frame, no message of the control stream, or no class; a stream too many of a class.
    #[error("malformed frame")]
    Malformed,
    /// More bytes announced than its class allows.
    #[error("oversized frame")]
    Oversized,
    /// Twice of what a class allows, for longer than the patience.
    #[error("flood")]
    Flood,
    /// An answer to what was not asked.
    #[error("unrequested response")]
    UnrequestedResponse,
    /// A stream or frame that was begun and not finished, a response that was not taken.
    #[error("stalled stream")]
    Stalled,
    /// An address record that its peer did not sign.
    #[error("forged address record")]
    ForgedRecord,
    /// What the user of this crate found wrong, though it may be no more than a bug or another version.
    #[error("invalid message")]
    Invalid,
    /// What the user of this crate knows no honest peer does: a ban at once.
    #[error("hostile message")]
    Hostile,
}

impl Misbehaviour {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::Oversized,
        Self::Flood,
        Self::UnrequestedResponse,
        Self::Stalled,
        Self::ForgedRecord,
        Self::Invalid,
        Self::Hostile,
    ];

    /// Its points, of [`BAN_SCORE`].
    pub const fn points(self) -> u32 {
        match self {
            // No version of ours sends these.
            Self::Malformed | Self::Oversized | Self::ForgedRecord | Self::Hostile => BAN_SCORE,
            // The second within four minutes is a ban.
            Self::Flood | Self::UnrequestedResponse => 60,
            // The third: it may be a bug or another version.
            Self::Invalid => 40,
            // The fourth: it happens to machines under load and to networks.
            Self::Stalled => 30,
        }
    }

    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Oversized => "oversized",
            Self::Flood => "flood",
            Self::UnrequestedResponse => "unrequested_response",
            Self::Stalled => "stalled",
            Self::ForgedRecord => "forged_record",
            Self::Invalid => "invalid",
            Self::Hostile => "hostile",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// A ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// What was one too many.
    pub reason: Misbehaviour,
    /// When it ends.
    pub until: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    points: f64,
    at: Instant,
    bans: u32,
    ban: Option<Ban>,
}

/// Scores and bans of peers, connected or not.
#[derive(Debug)]
pub(crate) struct Scores {
    ban: Duration,
    records: HashMap<PeerId, Record>,
}

impl Scores {
    pub(crate) fn new(ban: Duration) -> Self {
        Self { ban, records: HashMap::new() }
    }

    /// Adds a misbehaviour's points; answers the ban that it led to, if it did.
    pub(crate) fn add(&mut self, peer: PeerId, misbehaviour: Misbehaviour, now: Instant) -> Option<Ban> {
        if !self.records.contains_key(&peer) && self.records.len() >= SCORES {
            self.forget(now);
        }
        let record = self.records.entry(peer).or_insert(Record { points: 0.0, at: now, bans: 0, ban: None });
        record.fade(now);
        if record.ban.is_some() {
            return None;
        }
        record.points += f64::from(misbehaviour.points());
        if record.points < f64::from(BAN_SCORE) {
            return None;
        }
        let length = self.ban.saturating_mul(1 << record.bans.min(16)).min(LONGEST_BAN);
        record.bans += 1;
        record.points = 0.0;
        record.ban = Some(Ban { reason: misbehaviour, until: now + length });
        record.ban
    }

    /// A peer's points, of [`BAN_SCORE`].
    pub(crate) fn points(&mut self, peer: &PeerId, now: Instant) -> u32 {
        self.records.get_mut(peer).map_or(0, |record| {
            record.fade(now);
            record.points as u32
        })
    }

    /// A peer's ban, while it lasts.
    pub(crate) fn ban(&mut self, peer: &PeerId, now: Instant) -> Option<Ban> {
        let record = self.records.get_mut(peer)?;
        record.fade(now);
        record.ban
    }

    /// Everybody who is banned.
    pub(crate) fn bans(&mut self, now: Instant) -> Vec<(PeerId, Ban)> {
        let bans = self.records.iter_mut().filter_map(|(peer, record)| {
            record.fade(now);
            record.ban.map(|ban| (*peer, ban))
        });
        bans.collect()
    }

    /// Ends a ban and forgets what led to it.
    pub(crate) fn pardon(&mut self, peer: &PeerId, now: Instant) -> bool {
        let is_banned = self.ban(peer, now).is_some();
        self.records.remove(peer);
        is_banned
    }

    /// Makes room: whoever has a clean record goes, else the ban that ends first.
    fn forget(&mut self, now: Instant) {
        self.records.retain(|_, record| {
            record.fade(now);
            record.ban.is_some() || record.points > 0.0
        });
        if self.records.len() >= SCORES {
            let ends = |record: &Record| record.ban.map_or(now, |ban| ban.until);
            if let Some(first) = self.records.iter().min_by_key(|(_, record)| ends(record)).map(|(peer, _)| *peer) {
                self.records.remove(&first);
            }
        }
    }
}

impl Record {
    fn fade(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at);
        self.at = self.at.max(now);
        self.points = (self.points - elapsed.as_secs_f64() / FADE.as_secs_f64()).max(0.0);
        self.ban = self.ban.filter(|ban| ban.until > now);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::identity::Identity;

    const MINUTE: Duration = Duration::from_secs(60);

    fn peer(number: u32) -> PeerId {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_le_bytes());
        PeerId(rustorium_types::ed25519::PublicKey(seed))
    }

    #[tokio::test(start_paused = true)]
    async fn points_add_up_to_a_ban_and_fade() {
        let (mut scores, start) = (Scores::new(10 * MINUTE), Instant::now());
        let honest = Identity::from_seed([1; 32]).id();
        for hour in 0..24 {
            assert_eq!(scores.add(honest, Misbehaviour::Stalled, start + 60 * MINUTE * hour), None);
        }
        assert_eq!(scores.points(&honest, start + 60 * MINUTE * 23), 30);
        assert_eq!(scores.add(peer(1), Misbehaviour::Flood, start), None);
        let ban = scores.add(peer(1), Misbehaviour::Flood, start).unwrap();
        assert_eq!((ban.reason, ban.until), (Misbehaviour::Flood, start + 10 * MINUTE));
        assert_eq!(scores.ban(&peer(1), start + 9 * MINUTE), Some(ban));
        assert_eq!(scores.bans(start + 9 * MINUTE), [(peer(1), ban)]);
        assert_eq!(scores.ban(&peer(1), start + 10 * MINUTE), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_ban_is_twice_as_long_and_a_day_at_the_most() {
        let (mut scores, mut now) = (Scores::new(10 * MINUTE), Instant::now());
        for times in 0..12 {
            let ban = scores.add(peer(1), Misbehaviour::Hostile, now).unwrap();
            assert_eq!(ban.until - now, (10 * MINUTE * (1 << times)).min(LONGEST_BAN));
            now = ban.until;
        }
        assert!(!scores.pardon(&peer(1), now));
        scores.add(peer(2), Misbehaviour::Hostile, now);
        assert!(scores.pardon(&peer(2), now) && scores.ban(&peer(2), now).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn many_keys_take_a_bounded_table() {
        let (mut scores, now) = (Scores::new(MINUTE), Instant::now());
        for number in 0..3 * SCORES as u32 {
            let kind = if number % 2 == 0 { Misbehaviour::Hostile } else { Misbehaviour::Invalid };
            scores.add(peer(number), kind, now);
        }
        assert!(scores.records.len() <= SCORES);
    }
}
