//! Where a driver in another runtime asks the chain: the chain's side of consensus among many.
//!
//! ```text
//! driver (its own runtime)                  chain (the thread that owns the log)
//! Asks::propose(parent)          ──ask──►   answered once a block on top of it is due
//! Asks::verify(parent, header)   ──ask──►   answered once it can be judged, and what it takes is on disk
//! Asks::finalised(header, …)     ──ask──►   answered once it is in the log: it need not be told again
//!                                ◄─handle─
//! ```
//!
//! Blocks are headers here: consensus agrees on cuts, and what they take from the lanes is the chain's business. An
//! ask whose handle is dropped is forgotten. Nothing here knows which driver asks, or in which runtime.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, unbounded};
use rustorium_types::{
    block::Header,
    id::{Height, Timestamp},
};

use crate::{
    consensus::{Application, ConsensusEngine, ConsensusError, Finalised},
    cut::{Block, Parent, Rejection, Verdict},
    handle::{self, Handle, Promise},
};

/// Silence after which a leader with nothing to say proposes an empty block: well below the leader's timeout.
pub const BEAT: Duration = Duration::from_millis(250);
/// How often to look again for what is missing.
const LOOK: Duration = Duration::from_millis(2);

/// The driver's end; clones ask the same chain.
#[derive(Clone, Debug)]
pub struct Asks(Sender<Ask>);

/// What is asked.
#[derive(Debug)]
pub enum Ask {
    /// A block on top of `parent`: it need not be final yet, but it was proposed or verified here before.
    Propose {
        /// What to build on.
        parent: Parent,
        /// Answered once there should be one, and its records are on disk.
        answer: Promise<Header>,
    },
    /// Whether a block on top of `parent` may be voted for.
    Verify {
        /// What it builds on.
        parent: Parent,
        /// The block.
        header: Box<Header>,
        /// Answered *true* once its records are on disk and it holds, *false* if it never can; not at all while
        /// something is missing.
        answer: Promise<bool>,
    },
    /// A block is final. Told in order of height, at least once each.
    Finalised {
        /// The block.
        header: Box<Header>,
        /// Its certificate; none if it is final by a later one's.
        certificate: Option<Bytes>,
        /// Answered once the log has it with its records.
        answer: Promise<()>,
    },
}

/// A desk, and who asks there. Drivers have few asks open at a time, so that the queue needs no bound.
pub fn desk() -> (Asks, Receiver<Ask>) {
    let (to, asks) = unbounded();
    (Asks(to), asks)
}

impl Asks {
    /// A block on top of `parent`, once one is due. Drop the handle to give it up.
    pub fn propose(&self, parent: Parent) -> Handle<Header> {
        self.ask(|answer| Ask::Propose { parent, answer })
    }

    /// Whether a block on top of `parent` may be voted for; waits while that cannot be said.
    pub fn verify(&self, parent: Parent, header: Header) -> Handle<bool> {
        self.ask(|answer| Ask::Verify { parent, header: Box::new(header), answer })
    }

    /// Tells of a final block, in order of height. It need not be told again once the handle answers.
    pub fn finalised(&self, header: Header, certificate: Option<Bytes>) -> Handle<()> {
        self.ask(|answer| Ask::Finalised { header: Box::new(header), certificate, answer })
    }

    /// A chain that is gone answers by dropping the promise.
    fn ask<T>(&self, ask: impl FnOnce(Promise<T>) -> Ask) -> Handle<T> {
        let (answer, handle) = handle::promise();
        let _ = self.0.send(ask(answer));
        handle
    }
}

/// The chain's end: the driver of a chain whose blocks others make final.
#[derive(Debug)]
pub struct Desk {
    asks: Receiver<Ask>,
    proposals: Vec<Proposal>,
    verifications: Vec<Verification>,
    /// In order of height.
    finals: VecDeque<Final>,
    /// The highest block with records that was seen.
    fullest: Height,
}

#[derive(Debug)]
struct Proposal {
    parent: Parent,
    /// Since when it is looked at.
    since: Option<Duration>,
    answer: Promise<Header>,
}

#[derive(Debug)]
struct Verification {
    parent: Parent,
    header: Box<Header>,
    answer: Promise<bool>,
    /// It takes other records than were here behind this final block: until the next, nothing changes that.
    contradicted_at: Option<Height>,
}

#[derive(Debug)]
struct Final {
    header: Box<Header>,
    certificate: Option<Bytes>,
    answer: Promise<()>,
}

impl Desk {
    /// Answers what is asked there. `fullest` is the highest block with records.
    pub fn new(asks: Receiver<Ask>, fullest: Height) -> Self {
        Self { asks, proposals: Vec::new(), verifications: Vec::new(), finals: VecDeque::new(), fullest }
    }

    /// The next final block, once its records are here and it is durable.
    fn next_final(&mut self, application: &mut dyn Application) -> Result<Option<Finalised>, ConsensusError> {
        let head = application.head().clone();
        while let Some(told) = self.finals.pop_front_if(|told| told.header.height <= head.height) {
            told.answer.keep(());
        }
        let Some(told) = self.finals.front().filter(|told| told.header.height == head.height.next()) else {
            return Ok(None);
        };
        let Some(block) = application.gather(&head, &told.header) else {
            application.seek(&head, &told.header, true);
            return Ok(None);
        };
        let height = block.header.height;
        // Its time has come: it is final.
        match application.validate_block(&head, &block, Timestamp(u64::MAX)) {
            Verdict::Accept => {}
            Verdict::Wait(_) => return Ok(None),
            Verdict::Reject(Rejection::Records) => {
                application.seek(&head, &told.header, true);
                return Ok(None);
            }
            Verdict::Reject(rejection) => return Err(ConsensusError::Finalised { height, rejection }),
        }
        application.make_durable(&block)?;
        let Some(told) = self.finals.pop_front() else { return Ok(None) };
        told.answer.keep(());
        self.note(&block);
        Ok(Some(Finalised { block, certificate: told.certificate.unwrap_or_default() }))
    }

    /// Judges what can be judged; answers whom to tell that a block may be voted for.
    fn verify(&mut self, application: &mut dyn Application) -> Vec<Promise<bool>> {
        let time = application.time();
        let head = application.head().height;
        let mut accepted = Vec::new();
        for asked in std::mem::take(&mut self.verifications) {
            // What is below the newest final block needs no vote.
            if asked.answer.is_abandoned() || asked.parent.height < head {
                continue;
            }
            if asked.contradicted_at == Some(head) {
                self.verifications.push(asked);
                continue;
            }
            let Verification { parent, header, answer, contradicted_at } = asked;
            let Some(block) = application.gather(&parent, &header) else {
                application.seek(&parent, &header, false);
                self.verifications.push(Verification { parent, header, answer, contradicted_at });
                continue;
            };
            match application.validate_block(&parent, &block, time) {
                Verdict::Accept => {
                    self.note(&block);
                    accepted.push(answer);
                }
                // Others have other records, or the proposer lies: whoever is right, no vote without the bytes.
                Verdict::Reject(Rejection::Records) => {
                    application.contradicted(&parent, &header);
                    self.verifications.push(Verification { parent, header, answer, contradicted_at: Some(head) });
                }
                Verdict::Wait(_) => {
                    self.verifications.push(Verification { parent, header, answer, contradicted_at });
                }
                Verdict::Reject(rejection) => {
                    tracing::warn!(height = header.height.0, %rejection, "a proposal does not hold");
                    answer.keep(false);
                }
            }
        }
        accepted
    }

    /// Makes the blocks that are due.
    fn propose(&mut self, application: &mut dyn Application) -> Vec<(Promise<Header>, Header)> {
        let head = application.head().height;
        let mut proposed = Vec::new();
        let now = application.elapsed();
        for mut asked in std::mem::take(&mut self.proposals) {
            if asked.answer.is_abandoned() || asked.parent.height < head {
                continue;
            }
            let since = *asked.since.get_or_insert(now);
            if !self.is_due(&asked.parent, now.saturating_sub(since), application) {
                self.proposals.push(asked);
                continue;
            }
            let block = application.propose_block(&asked.parent);
            self.note(&block);
            proposed.push((asked.answer, block.header));
        }
        proposed
    }

    /// A block is due when it takes records, when it certifies results that its parent could not, and now and then to
    /// show that the leader lives.
    fn is_due(&self, parent: &Parent, waited: Duration, application: &dyn Application) -> bool {
        let newest = application.results().height;
        let certifies = parent.state_height < self.fullest && parent.state_height < newest;
        let has_reason =
            parent.height < Height(2) || application.waiting(parent).records > 0 || certifies || waited >= BEAT;
        has_reason && application.is_ready(parent)
    }

    fn note(&mut self, block: &Block) {
        if !block.records.is_empty() {
            self.fullest = self.fullest.max(block.header.height);
        }
    }
}

impl ConsensusEngine for Desk {
    fn turn(&mut self, application: &mut dyn Application) -> Result<Option<Finalised>, ConsensusError> {
        while let Ok(ask) = self.asks.try_recv() {
            self.hear(ask);
        }
        if let Some(finalised) = self.next_final(application)? {
            return Ok(Some(finalised));
        }
        let proposed = self.propose(application);
        let accepted = self.verify(application);
        if proposed.is_empty() && accepted.is_empty() {
            return Ok(None);
        }
        // Nobody hears of a block whose records could still be lost here.
        application.sync()?;
        for (answer, header) in proposed {
            answer.keep(header);
        }
        for answer in accepted {
            answer.keep(true);
        }
        Ok(None)
    }

    fn patience(&self, application: &dyn Application) -> Option<Duration> {
        let now = application.elapsed();
        let beats = self.proposals.iter().map(|asked| (asked.since.unwrap_or(now) + BEAT).saturating_sub(now));
        let judged = self.verifications.iter().filter(|asked| asked.contradicted_at.is_none());
        let looks = judged.map(|_| LOOK).chain(self.finals.iter().map(|_| LOOK));
        beats.chain(looks).min()
    }

    fn asks(&self) -> Option<&Receiver<Ask>> {
        Some(&self.asks)
    }

    fn hear(&mut self, ask: Ask) {
        match ask {
            Ask::Propose { parent, answer } => {
                self.proposals.push(Proposal { parent, since: None, answer });
            }
            Ask::Verify { parent, header, answer } => {
                self.verifications.push(Verification { parent, header, answer, contradicted_at: None });
            }
            Ask::Finalised { header, certificate, answer } => {
                self.finals.push_back(Final { header, certificate, answer });
            }
        }
    }
}
