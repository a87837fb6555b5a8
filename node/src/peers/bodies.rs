//! Records that a block takes and this node does not have: asked for by their root, from whoever is connected. And the
//! requests of others, for the same or for a place in this validator's lane.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rustorium_chain::exchange::Want;
use rustorium_network::{Class, Misbehaviour, PeerId, Request};
use tokio::sync::{Semaphore, mpsc};

use super::{
    Links,
    wire::{BodiesRequest, decode, encode},
};

/// Wants that are asked for at once.
const ASKED: usize = 8;
/// Peers that one is asked of before the chain has to want it again.
const PEERS: usize = 3;
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Answers that are made at once.
const ANSWERED: usize = 64;

/// Asks peers for what is wanted, until nothing is any more.
pub(super) async fn seek(links: Arc<Links>, mut wants: mpsc::UnboundedReceiver<Want>) {
    let places = Arc::new(Semaphore::new(ASKED));
    let turn = Arc::new(AtomicUsize::new(0));
    while let Some(want) = wants.recv().await {
        // It is wanted again if there is no place now.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (links, turn) = (Arc::clone(&links), Arc::clone(&turn));
        links.clone().spawn(async move {
            for peer in links.some_peers(turn.fetch_add(1, Ordering::Relaxed)) {
                if let Some(records) = links.ask(&peer, want).await {
                    links.chain.exchange().found(want, records);
                    break;
                }
            }
            drop(place);
        });
    }
}

/// Answers what others want.
pub(super) async fn serve(links: Arc<Links>, mut requests: mpsc::Receiver<Request>) {
    let places = Arc::new(Semaphore::new(ANSWERED));
    while let Some(request) = requests.recv().await {
        let Some(asked) = decode::<BodiesRequest>(&request.payload) else {
            links.network.report(&request.peer, Misbehaviour::Invalid);
            continue;
        };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let links = Arc::clone(&links);
        links.clone().spawn(async move {
            let answer = match asked {
                BodiesRequest::Records(asked) => links.look_up(asked.into()).await.map(|records| {
                    let records: Vec<&[u8]> = records.iter().map(|record| &record[..]).collect();
                    encode(&records)
                }),
                BodiesRequest::Submit(records) => Some(encode(&links.submit(&request.peer, records).await)),
            };
            // Without an answer the request is dropped, which says so.
            if let Some(answer) = answer {
                let _ = request.respond(answer);
            }
            drop(place);
        });
    }
}

impl Links {
    /// Some connected peers, others each turn, validators first.
    pub(super) fn some_peers(&self, turn: usize) -> Vec<PeerId> {
        let mut peers = self.validators();
        peers.retain(|peer| self.network.is_connected(peer));
        if peers.is_empty() {
            peers = self.network.peers().into_iter().map(|peer| peer.id).collect();
        }
        let count = peers.len().max(1);
        peers.rotate_left(turn % count);
        peers.truncate(PEERS);
        peers
    }

    async fn ask(&self, peer: &PeerId, want: Want) -> Option<Vec<Bytes>> {
        let request = encode(&BodiesRequest::Records(want.into()));
        let answer = self.network.request(peer, Class::Bodies, request, PATIENCE).await.ok()?;
        let records: Option<Vec<Vec<u8>>> = decode(&answer);
        let records: Option<Vec<Bytes>> = records.map(|records| records.into_iter().map(Bytes::from).collect());
        let records = records.filter(|records| want.is_for(records));
        if records.is_none() {
            self.network.report(peer, Misbehaviour::Hostile);
        }
        records
    }

    /// What is wanted, from the log's end or from a block.
    async fn look_up(self: &Arc<Self>, want: Want) -> Option<Vec<Bytes>> {
        let (from, records) = self.chain.exchange().read(want.from, want.end).await.ok()?;
        if from == want.from && want.is_for(&records) {
            return Some(records);
        }
        let links = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || links.chain.records_of(&want)).await.ok()?;
        read.ok().flatten().filter(|records| want.is_for(records))
    }
}
