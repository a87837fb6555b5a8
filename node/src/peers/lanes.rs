//! Lanes among validators: each sends its own to all others, and tells the owners of others how far it has theirs.
//!
//! ```text
//! own lane ─ appended ─► Records ─► every validator ─► its log ─► Stored ─► own tickets
//!                          ▲ again, from where a validator is, if it says nothing for a while
//! ```
//!
//! Messages may be lost with a connection: what was not stored after a while is sent again.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustorium_chain::log::LanePosition;
use rustorium_network::{Class, Message, Misbehaviour, PeerId};
use tokio::sync::{mpsc, oneshot};

use super::{
    Links,
    wire::{LaneMessage, decode, encode},
};

/// Bytes of records in a message, but for a single one that has more.
const MESSAGE_BYTES: usize = 256 << 10;
/// How long a validator may take to store what it was sent before it is sent again.
const AGAIN: Duration = Duration::from_millis(250);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What the sending task hears.
#[derive(Debug)]
pub(super) enum News {
    /// Records were appended to the own lane.
    Appended { from: LanePosition, records: Vec<Bytes> },
    /// A validator has the own lane up to an end.
    Stored { peer: PeerId, end: LanePosition },
}

/// How far a validator has the own lane.
struct Progress {
    end: LanePosition,
    /// When it was last heard of, or sent something.
    at: Instant,
}

/// Sends the own lane, until nobody appends any more.
pub(super) async fn send(links: Arc<Links>, mut news: mpsc::UnboundedReceiver<News>) {
    let mut progress: BTreeMap<PeerId, Progress> = BTreeMap::new();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            one = news.recv() => match one {
                Some(News::Appended { from, records }) => links.tell_all(from, &records),
                Some(News::Stored { peer, end }) => {
                    progress.insert(peer, Progress { end, at: Instant::now() });
                }
                None => return,
            },
            _ = looks.tick() => resend(&links, &mut progress).await,
        }
    }
}

/// Sends again what validators do not have and should have by now.
async fn resend(links: &Links, progress: &mut BTreeMap<PeerId, Progress>) {
    let Some(own) = links.own_lane() else { return };
    for peer in links.validators() {
        let begin = LanePosition { index: 0, ..own };
        let known = progress.entry(peer).or_insert_with(|| Progress { end: begin, at: Instant::now() - AGAIN });
        if (known.end.lane, known.end.generation) != (own.lane, own.generation) {
            known.end = begin;
        }
        if known.at.elapsed() < AGAIN || !links.network.is_connected(&peer) {
            continue;
        }
        known.at = Instant::now();
        let Ok((from, records)) = links.chain.exchange().read(known.end, u64::MAX).await else { return };
        links.tell(&peer, from, &records);
    }
}

/// Takes what validators say of lanes, on a thread of its own, for it waits while the log is behind.
pub(super) fn receive(
    links: &Arc<Links>,
    mut bodies: mpsc::Receiver<Message>,
    news: &mpsc::UnboundedSender<News>,
    mut stop: oneshot::Receiver<()>,
) {
    // The network does not end before this does: it is one of those who hold it.
    let mut next = || {
        links.runtime.block_on(async {
            tokio::select! {
                message = bodies.recv() => message,
                _ = &mut stop => None,
            }
        })
    };
    while let Some(Message { peer, payload }) = next() {
        let Some(message) = decode::<LaneMessage>(&payload) else {
            links.network.report(&peer, Misbehaviour::Invalid);
            continue;
        };
        // Who has not introduced itself yet will be heard later.
        let Some(validator) = links.validator(&peer) else { continue };
        match message {
            LaneMessage::Stored { end } => {
                let end = end.into();
                links.chain.exchange().held(validator, end);
                let _ = news.send(News::Stored { peer, end });
            }
            LaneMessage::Records { from, records } => {
                let from: LanePosition = from.into();
                if links.lane_of(&validator) != Some(from.lane) {
                    // An epoch may have changed meanwhile.
                    continue;
                }
                let stored = links.chain.exchange().store(from, records.into_iter().map(Bytes::from).collect());
                let links = Arc::clone(links);
                links.clone().spawn(async move {
                    if let Ok(end) = stored.await {
                        let message = encode(&LaneMessage::Stored { end: end.into() });
                        let _ = links.network.send(&peer, Class::Bodies, message);
                    }
                });
            }
        }
    }
}

impl Links {
    fn tell_all(&self, from: LanePosition, records: &[Bytes]) {
        let validators = self.validators();
        for message in messages(from, records) {
            for peer in &validators {
                // Who is not connected, or behind, is sent it again.
                let _ = self.network.send(peer, Class::Bodies, message.clone());
            }
        }
    }

    fn tell(&self, peer: &PeerId, from: LanePosition, records: &[Bytes]) {
        for message in messages(from, records) {
            let _ = self.network.send(peer, Class::Bodies, message);
        }
    }
}

/// Records in messages that are not too large.
fn messages(from: LanePosition, records: &[Bytes]) -> Vec<Bytes> {
    let mut messages = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for end in 1..=records.len() {
        bytes += records[end - 1].len();
        let is_last = end == records.len();
        if is_last || bytes + records[end].len() > MESSAGE_BYTES {
            let position = LanePosition { index: from.index + begin as u64, ..from };
            let records = records[begin..end].iter().map(|record| record.to_vec()).collect();
            messages.push(encode(&LaneMessage::Records { from: position.into(), records }));
            (begin, bytes) = (end, 0);
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_hold_all_records_in_order_and_few_bytes() {
        let from = LanePosition { lane: 2, generation: 1, index: 10 };
        let records: Vec<Bytes> = (0..40_u8).map(|number| vec![number; 20 << 10].into()).collect();
        let mut next = 10;
        for message in messages(from, &records) {
            assert!(message.len() <= MESSAGE_BYTES + (1 << 10));
            let Some(LaneMessage::Records { from, records }) = decode(&message) else { panic!("no records") };
            assert_eq!(LanePosition::from(from).index, next);
            assert!(records.iter().zip(next - 10..).all(|(record, number)| u64::from(record[0]) == number));
            next += records.len() as u64;
        }
        assert_eq!(next, 50);
        assert!(messages(from, &[]).is_empty());
    }
}
