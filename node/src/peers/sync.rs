//! Final blocks for whoever is behind: asked of any peer, believed by their certificates alone.
//!
//! ```text
//! after h ──► peer ──► blocks h+1 … , the last certified ──► chain of parents, certificate, lane roots ──► log
//! ```
//!
//! A peer that hands out what does not hold is banned, and another is asked. What holds goes the same way as a
//! validator's final blocks: it is executed here, and its results are held against the headers to come.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rustorium_chain::{
    chain::Chain,
    cut::{Parent, Rules},
    desk::Asks,
};
use rustorium_network::{Class, Misbehaviour, PeerId, Request};
use rustorium_types::{
    block::Header,
    certificate::{self, ValidatorSet},
    id::Height,
};
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc};

use super::{
    Links,
    wire::{BlocksRequest, BlocksResponse, WireBlock, decode, encode},
};

/// Bytes of blocks in an answer, but for a single one that has more.
const ANSWER_BYTES: usize = 2 << 20;
/// Blocks in an answer.
const ANSWER_BLOCKS: usize = 512;
/// Answers that are made at once.
const ANSWERED: usize = 4;
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Until a peer that had nothing new is asked again.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a peer's blocks are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Unfit {
    #[error("a block does not follow from the one before it")]
    Order,
    #[error("a certificate does not hold")]
    Certificate,
    #[error("the records are not those of the header")]
    Records,
    #[error("the last block has no certificate")]
    Open,
}

/// Where a node is.
#[derive(Clone)]
pub(super) struct Position {
    pub(super) rules: Rules,
    pub(super) head: Parent,
}

/// Follows the chain through its peers, until this node is a validator, or the chain ends.
pub(crate) async fn follow(links: Arc<Links>, asks: Asks) {
    let mut turn = 0;
    while links.own_validator().is_none() {
        turn += 1;
        let Some(peer) = links.a_peer(turn) else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Some(mut position) = links.position() else { return };
        let after = position.head.height;
        let Some(answer) = links.ask_blocks(&peer, after).await else { continue };
        if answer.blocks.is_empty() {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        match check(&mut position, answer.blocks) {
            Ok(blocks) => {
                if !links.take(&asks, blocks).await {
                    return;
                }
            }
            Err(unfit) => {
                tracing::warn!(%peer, %after, %unfit, "a peer handed out blocks that do not hold");
                links.network.report(&peer, Misbehaviour::Hostile);
            }
        }
    }
}

/// Answers who is behind.
pub(super) async fn serve(links: Arc<Links>, mut requests: mpsc::Receiver<Request>) {
    let places = Arc::new(Semaphore::new(ANSWERED));
    while let Some(request) = requests.recv().await {
        let Some(BlocksRequest { after }) = decode(&request.payload) else {
            links.network.report(&request.peer, Misbehaviour::Invalid);
            continue;
        };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let links = Arc::clone(&links);
        tokio::task::spawn_blocking(move || {
            if let Some(answer) = blocks_after(&links.chain, after) {
                let _ = request.respond(encode(&answer));
            }
            drop(place);
        });
    }
}

/// Blocks that hold, and what their lanes take.
pub(super) struct Held {
    header: Header,
    certificate: Option<Bytes>,
    lanes: Vec<(rustorium_chain::exchange::Want, Vec<Bytes>)>,
}

/// Holds blocks against what is final already.
pub(super) fn check(position: &mut Position, blocks: Vec<WireBlock>) -> Result<Vec<Held>, Unfit> {
    if blocks.last().is_none_or(|block| block.certificate.is_empty()) {
        return Err(Unfit::Open);
    }
    let mut held = Vec::with_capacity(blocks.len());
    for WireBlock { header, certificate, records } in blocks {
        let hash = header.hash();
        let Position { rules, head } = position;
        if header.height != head.height.next() || header.parent != head.hash {
            return Err(Unfit::Order);
        }
        // An epoch's last block has one of its own: who certifies later ones is known from it.
        if certificate.is_empty() && header.next_epoch.is_some() {
            return Err(Unfit::Open);
        }
        if !certificate.is_empty() {
            let validators = ValidatorSet::new(&rules.epoch().validators).map_err(|_| Unfit::Certificate)?;
            let proposal = certificate::verify(&certificate, &validators, &rules.chain());
            let proposal = proposal.map_err(|_| Unfit::Certificate)?;
            if proposal.payload != hash || proposal.epoch != header.epoch {
                return Err(Unfit::Certificate);
            }
        }
        let records: Vec<Bytes> = records.into_iter().map(Bytes::from).collect();
        let lanes = rules.deal(head, &header, &records).map_err(|_| Unfit::Records)?;
        *head = Parent::of(hash, &header);
        rules.pass(&header);
        let certificate = (!certificate.is_empty()).then(|| certificate.into());
        held.push(Held { header, certificate, lanes });
    }
    Ok(held)
}

impl Links {
    fn a_peer(&self, turn: usize) -> Option<PeerId> {
        let peers = self.network.peers();
        peers.get(turn % peers.len().max(1)).map(|peer| peer.id)
    }

    pub(super) fn position(&self) -> Option<Position> {
        let rules = self.chain.rules().ok()?;
        let head = self.chain.snapshot().head().map(|sealed| Parent::of(sealed.hash, &sealed.header));
        let head = head.unwrap_or_else(|| rules.first_parent());
        Some(Position { rules, head })
    }

    pub(super) async fn ask_blocks(&self, peer: &PeerId, after: Height) -> Option<BlocksResponse> {
        let request = encode(&BlocksRequest { after });
        let answer = self.network.request(peer, Class::Sync, request, PATIENCE).await;
        let Ok(answer) = answer else {
            tokio::time::sleep(PAUSE).await;
            return None;
        };
        let decoded = decode(&answer);
        if decoded.is_none() {
            self.network.report(peer, Misbehaviour::Invalid);
        }
        decoded
    }

    /// Hands blocks to the chain and waits until they are executed; false if the chain is gone.
    async fn take(&self, asks: &Asks, blocks: Vec<Held>) -> bool {
        let mut told = Vec::with_capacity(blocks.len());
        for Held { header, certificate, lanes } in blocks {
            for (want, records) in lanes {
                if !records.is_empty() {
                    self.chain.exchange().found(want, records);
                }
            }
            let height = header.height;
            told.push((height, asks.finalised(header, certificate)));
        }
        let Some((last, _)) = told.last() else { return true };
        let last = *last;
        for (_, handle) in told {
            if handle.await.is_err() {
                return false;
            }
        }
        // What is final is executed within moments.
        while self.chain.snapshot().height() < last {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.chain.is_stopped() {
                return false;
            }
        }
        true
    }
}

/// The blocks behind a height, as far as an answer has room for them.
fn blocks_after(chain: &Chain, after: Height) -> Option<BlocksResponse> {
    let snapshot = chain.snapshot();
    let (mut blocks, mut bytes) = (Vec::new(), 0);
    let mut height = after.next();
    while height <= snapshot.height() && blocks.len() < ANSWER_BLOCKS && bytes < ANSWER_BYTES {
        let block = snapshot.block(height).ok()??;
        let records: Vec<Vec<u8>> = block.records.iter().map(|record| record.to_vec()).collect();
        bytes += records.iter().map(Vec::len).sum::<usize>() + block.sealed.certificate.len();
        let (header, certificate) = (block.sealed.header.clone(), block.sealed.certificate.to_vec());
        blocks.push(WireBlock { header, certificate, records });
        height = height.next();
    }
    // What is behind the last certificate is not proven to anybody.
    while blocks.last().is_some_and(|block| block.certificate.is_empty()) {
        blocks.pop();
    }
    Some(BlocksResponse { head: snapshot.height(), blocks })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustorium_chain::{
        chain::ChainConfig,
        pipeline::CommitPolicy,
        storage::{Durability, StoreOptions},
    };
    use rustorium_runtime::{Runtime, RuntimeConfig};
    use rustorium_types::{
        genesis::Genesis,
        record::{Control, Record},
    };

    use super::*;
    use crate::dev;

    /// The blocks of a chain of one, some with records, over two epochs.
    fn blocks() -> (Genesis, Vec<WireBlock>) {
        let directory = tempfile::tempdir().unwrap();
        let genesis = Genesis { epoch_length: 4, ..dev::genesis("sync", 0).unwrap() };
        let chain = Chain::open(ChainConfig {
            directory: directory.path().to_owned(),
            genesis: genesis.clone(),
            key: dev::validator_key(),
            clock: rustorium_chain::clock::Clock::new(crate::node::now),
            runtime: Runtime::new(RuntimeConfig::default()).unwrap(),
            store: StoreOptions { durability: Durability::None, ..StoreOptions::default() },
            commit: CommitPolicy::default(),
            block_time: Duration::ZERO,
        })
        .unwrap();
        for _ in 0..10 {
            let mine = Record::Control(Control::Mine).to_bytes();
            let accepted = chain.submit(mine.into()).wait().unwrap();
            chain.included(accepted.position).unwrap().wait().unwrap();
        }
        let answer = blocks_after(&chain, Height::ZERO).unwrap();
        (genesis, answer.blocks)
    }

    fn position(genesis: &Genesis) -> Position {
        let rules = Rules::new(genesis.clone()).unwrap();
        Position { head: rules.first_parent(), rules }
    }

    #[test]
    fn blocks_that_hold_are_taken_and_altered_ones_are_not() {
        let (genesis, blocks) = blocks();
        assert!(blocks.len() >= 8, "two epochs");
        let last = blocks.last().unwrap().header.clone();
        let mut at = position(&genesis);
        let held = check(&mut at, blocks.clone()).map_err(|unfit| unfit.to_string()).unwrap();
        assert_eq!((held.len(), at.head.hash), (blocks.len(), last.hash()));
        // In two answers, as they come.
        let mut at = position(&genesis);
        for part in blocks.chunks(3) {
            assert!(check(&mut at, part.to_vec()).is_ok());
        }

        type Alter = fn(&mut Vec<WireBlock>);
        let full = |blocks: &[WireBlock]| blocks.iter().position(|block| !block.records.is_empty()).unwrap();
        assert!(full(&blocks) < 6);
        let cases: [(&str, Alter, Unfit); 9] = [
            ("a header", |blocks| blocks[2].header.time.0 += 1, Unfit::Certificate),
            (
                "an uncertified header",
                |blocks| {
                    blocks[1].header.time.0 += 1;
                    blocks[1].certificate.clear();
                },
                Unfit::Order,
            ),
            ("a certificate", |blocks| *blocks[2].certificate.last_mut().unwrap() ^= 1, Unfit::Certificate),
            (
                "another's certificate",
                |blocks| blocks[2].certificate = blocks[1].certificate.clone(),
                Unfit::Certificate,
            ),
            ("one left out", |blocks| drop(blocks.remove(2)), Unfit::Order),
            ("no certificate at the end", |blocks| blocks.last_mut().unwrap().certificate.clear(), Unfit::Open),
            ("none at an epoch's end", |blocks| blocks[3].certificate.clear(), Unfit::Open),
            (
                "a record",
                |blocks| {
                    let at = blocks.iter().position(|block| !block.records.is_empty()).unwrap();
                    blocks[at].records[0].push(0);
                },
                Unfit::Records,
            ),
            ("a record more", |blocks| blocks[4].records.push(vec![1]), Unfit::Records),
        ];
        for (what, alter, expected) in cases {
            let mut altered = blocks.clone();
            alter(&mut altered);
            assert_eq!(check(&mut position(&genesis), altered).err(), Some(expected), "{what}");
        }
        // Of a chain that is another by its salt.
        let other = Genesis { salt: [9; 32], ..genesis };
        assert_eq!(check(&mut position(&other), blocks).err(), Some(Unfit::Order));
    }
}
