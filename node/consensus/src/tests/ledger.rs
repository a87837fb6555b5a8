//! A chain that keeps headers and their certificates, and executes nothing.
//!
//! It insists on what consensus promises: final blocks in order and at least once, certificates that our own verifier
//! takes, and no question about a block whose parent it has neither in its log nor said yes to since it started.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use crossbeam_channel::Receiver;
use rustorium_chain::{
    cut::Parent,
    desk::{Ask, Asks, desk},
    handle::Promise,
};
use rustorium_types::{
    block::Header,
    certificate::{self, ValidatorSet},
    id::{Hash, Timestamp},
};

use super::headers::{CHAIN, Schedule, genesis};
use crate::Start;

/// What outlives a crash. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    blocks: Vec<(Header, Option<Bytes>)>,
    /// Says neither yes nor no: its records do not come.
    is_held: bool,
}

/// A running chain over a ledger.
pub(crate) struct Server {
    ledger: Ledger,
    schedule: Schedule,
    /// At least between two blocks.
    interval: Duration,
    asks: Receiver<Ask>,
    accepted: BTreeSet<Hash>,
    proposals: Vec<(Parent, Promise<Header>)>,
    judgements: Vec<(Parent, Header, Promise<bool>)>,
}

impl Ledger {
    /// A ledger with blocks in it.
    pub(crate) fn of(blocks: Vec<(Header, Option<Bytes>)>) -> Self {
        Self(Arc::new(Mutex::new(Log { blocks, is_held: false })))
    }

    /// Another ledger with the same blocks.
    pub(crate) fn copy(&self) -> Self {
        Self::of(self.log().blocks.clone())
    }

    pub(crate) fn height(&self) -> u64 {
        self.log().blocks.len() as u64
    }

    /// The headers' hashes, by height.
    pub(crate) fn hashes(&self) -> Vec<Hash> {
        self.log().blocks.iter().map(|(header, _)| header.hash()).collect()
    }

    /// How many blocks of each epoch have a certificate of their own, and of how many signatures at the least.
    pub(crate) fn certified(&self) -> BTreeMap<u64, usize> {
        let mut certified = BTreeMap::new();
        for (header, certificate) in &self.log().blocks {
            *certified.entry(header.epoch.0).or_default() += usize::from(certificate.is_some());
        }
        certified
    }

    pub(crate) fn hold(&self, is_held: bool) {
        self.log().is_held = is_held;
    }

    /// Where consensus goes on: behind the last block with a certificate.
    pub(crate) fn start(&self, schedule: &Schedule) -> Start {
        let log = self.log();
        let last = log.blocks.iter().rev().find_map(|(header, certificate)| Some((header, certificate.clone()?)));
        match last {
            None => Start::Genesis { parent: genesis(), validators: schedule.validators(0) },
            Some((header, certificate)) => Start::After {
                header: Box::new(header.clone()),
                certificate,
                validators: schedule.validators(header.epoch.0),
            },
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    pub(crate) fn new(ledger: Ledger, schedule: Schedule, interval: Duration) -> (Self, Asks) {
        let (asks, asked) = desk();
        let server = Self {
            ledger,
            schedule,
            interval,
            asks: asked,
            accepted: BTreeSet::new(),
            proposals: Vec::new(),
            judgements: Vec::new(),
        };
        (server, asks)
    }

    /// Answers what can be answered now.
    pub(crate) fn turn(&mut self, now: Timestamp) {
        while let Ok(ask) = self.asks.try_recv() {
            match ask {
                Ask::Propose { parent, answer } => {
                    self.assert_known(&parent);
                    self.proposals.push((parent, answer));
                }
                Ask::Verify { parent, header, answer } => {
                    self.assert_known(&parent);
                    self.judgements.push((parent, *header, answer));
                }
                Ask::Finalised { header, certificate, answer } => {
                    self.finalise(*header, certificate);
                    answer.keep(());
                }
            }
        }
        if self.ledger.log().is_held {
            return;
        }
        for (parent, header, answer) in std::mem::take(&mut self.judgements) {
            let holds = header == self.schedule.next(&parent, header.time);
            if holds {
                self.accepted.insert(header.hash());
            }
            answer.keep(holds);
        }
        for (parent, answer) in std::mem::take(&mut self.proposals) {
            if answer.is_abandoned() {
                continue;
            }
            if now.0 < parent.time.0 + self.interval.as_millis() as u64 {
                self.proposals.push((parent, answer));
                continue;
            }
            let header = self.schedule.next(&parent, now);
            self.accepted.insert(header.hash());
            answer.keep(header);
        }
    }

    fn finalise(&self, header: Header, certificate: Option<Bytes>) {
        if let Some(certificate) = &certificate {
            let validators = ValidatorSet::new(&self.schedule.validators(header.epoch.0)).expect("a set");
            let proposal = certificate::verify(certificate, &validators, &CHAIN).expect("a certificate that holds");
            assert_eq!((proposal.payload, proposal.epoch), (header.hash(), header.epoch));
        }
        let mut log = self.ledger.log();
        let height = log.blocks.len() as u64;
        match log.blocks.get(header.height.0 as usize - 1) {
            Some((known, _)) => assert_eq!(*known, header, "two final blocks of a height"),
            None => {
                assert_eq!(header.height.0, height + 1, "final blocks come in order");
                let parent = log.blocks.last().map_or(CHAIN, |(last, _)| last.hash());
                assert_eq!(header.parent, parent);
                log.blocks.push((header, certificate));
            }
        }
    }

    fn assert_known(&self, parent: &Parent) {
        let log = self.ledger.log();
        let is_final = match parent.height.0 {
            0 => parent.hash == CHAIN,
            height => log.blocks.get(height as usize - 1).is_some_and(|(header, _)| header.hash() == parent.hash),
        };
        assert!(is_final || self.accepted.contains(&parent.hash), "asked about a child of an unknown block");
    }
}
