//! The log with what waits in it: what drivers ask, and what the stages tell.
//!
//! ```text
//! own records      ─► append ─► sync ─► tickets          propose ◄─┐
//! others' records  ─► append ─► sync ─► answer           validate ◄┤ driver
//! results of execution ─► the next header commits to them   final ◄┘
//! ```
//!
//! One thread owns it. On a full disk (`LogError::is_full`) nothing is taken in: what is submitted is refused in words,
//! what was accepted waits, and the log is tried again until there is room ([`Pause`]). What the log has taken in by
//! then stays in it: a record's ticket answers late, and a header that may have reached the disk is the one that is
//! proposed again.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustorium_types::{
    block::{Header, LaneCut},
    id::{Hash, Timestamp},
};

use crate::{
    clock::Clock,
    consensus::{Application, ConsensusEngine, Finalised},
    cut::{Block, Parent, Results, Rules, Verdict},
    dev::DevTime,
    doubts::Doubts,
    exchange::{Arrival, Peers, Want},
    handle::Promise,
    log::{Kind, LanePosition, Log, LogError, certificate_entry, record_entry},
    metrics::Metrics,
    pipeline::Common,
    room::{Pause, Room},
    storage::Store,
    submit::{Accepted, Refused},
    tickets::Tickets,
    turns::interleave,
    verify::{Checked, Meaning},
    waiting::{Load, Logged, Waiting},
};

/// Records that are durable and in no block yet, at the most; beyond it, what is submitted waits for its sender's
/// turn, which it has no more in the log.
const WAITING_RECORDS: usize = 100_000;
/// Bytes of them.
const WAITING_BYTES: usize = 64 << 20;
/// Where nothing is due, the loop still looks around now and then.
const IDLE: Duration = Duration::from_secs(60);
/// Results that are kept for headers which commit to them: more than a header may lag behind.
const RESULTS: usize = 64;
/// How long what a block takes may be on its way before it is asked for.
const SEEK_AFTER: Duration = Duration::from_millis(20);
/// How long an answer may take before it is asked for again.
const SEEK_AGAIN: Duration = Duration::from_millis(250);
/// Blocks that their gas fills: one that is cut next, and one to be taken in while it is executed.
const WAITING_BLOCKS: u64 = 2;

/// A record that may be appended, and whom to tell when it is durable.
pub(crate) struct Taken {
    pub(crate) record: Checked,
    pub(crate) answer: Promise<Result<Accepted, Refused>>,
}

/// What a block came to, as the next header needs it.
#[derive(Clone, Debug)]
pub(crate) struct Executed {
    pub(crate) results: Results,
    pub(crate) dev_time: DevTime,
}

/// Where the chain stands when a log is gone on with.
pub(crate) struct Start {
    /// The newest final block.
    pub(crate) head: Parent,
    /// What is executed.
    pub(crate) executed: Executed,
    /// The newest block has records, so nothing certifies its result yet.
    pub(crate) is_open: bool,
    /// Records in the log that no header takes, each lane's in order.
    pub(crate) waiting: Vec<(LanePosition, Logged)>,
}

/// What is a node's own.
pub(crate) struct Own {
    /// The key of the validator that it is, if it is one.
    pub(crate) key: [u8; 32],
    /// Tells the time.
    pub(crate) clock: Clock,
    /// How it speaks to others.
    pub(crate) peers: Box<dyn Peers>,
}

/// The log, its lanes, and what a driver may ask of them.
pub(crate) struct Ledger {
    log: Log,
    rules: Rules,
    clock: Clock,
    metrics: Arc<Metrics>,
    room: Arc<Room>,
    store: Arc<Store>,
    /// This validator's key, whose lane takes what is submitted here.
    key: [u8; 32],
    head: Parent,
    waiting: Waiting,
    tickets: Tickets,
    doubts: Doubts,
    /// The newest block that this node made, among several, until its height is final.
    made: Option<Block>,
    /// When to look for room again, on a full disk.
    retry: Option<(Duration, Pause)>,
    /// Something was appended that is not durable.
    is_unsynced: bool,
    /// The block whose header is in the log and not durable.
    proposed: Option<Hash>,
    /// The entry of the newest certificate, if there was no room for it.
    owed: Option<Vec<u8>>,
    /// No more will come, and what has come is taken.
    is_ending: bool,
    executed: Executed,
    /// The newest results, in order.
    results: VecDeque<Results>,
    peers: Box<dyn Peers>,
    /// What blocks take that is not here, and when to ask for it.
    sought: BTreeMap<Want, Duration>,
    /// Whom to tell how far a lane is durable.
    stored: Vec<(Promise<LanePosition>, u32)>,
}

impl Ledger {
    pub(crate) fn new(log: Log, rules: Rules, own: Own, start: Start, common: &Common) -> Result<Self, LogError> {
        let Own { key, clock, peers } = own;
        let mut waiting = Waiting::default();
        waiting.enter(&rules.lanes(&start.head));
        let mut strays = Vec::new();
        for (position, logged) in start.waiting {
            if waiting.push(position, logged.clone()).is_err() {
                strays.push((position, logged));
            }
        }
        let mut ledger = Self {
            log,
            rules,
            clock,
            metrics: Arc::clone(&common.metrics),
            room: Arc::clone(common.store.room()),
            store: Arc::clone(&common.store),
            key,
            head: start.head,
            waiting,
            tickets: Tickets::default(),
            doubts: Doubts::default(),
            made: None,
            retry: None,
            is_unsynced: false,
            proposed: None,
            owed: None,
            is_ending: false,
            results: VecDeque::from([start.executed.results.clone()]),
            executed: start.executed,
            peers,
            sought: BTreeMap::new(),
            stored: Vec::new(),
        };
        ledger.open_lane();
        ledger.adopt(strays)?;
        Ok(ledger)
    }

    /// What waits in all lanes.
    pub(crate) fn load(&self) -> Load {
        self.waiting.total()
    }

    /// Whether the own lane has as much as it may; without room on the disk what comes is refused, so it need not wait.
    pub(crate) fn is_full(&self) -> bool {
        let load = self.own_lane().map_or_else(Load::default, |lane| self.waiting.load(lane));
        let gas = self.rules.genesis().limits.block_gas.0.saturating_mul(WAITING_BLOCKS);
        let is_full = load.records >= WAITING_RECORDS || load.bytes >= WAITING_BYTES || load.gas >= gas;
        is_full && !self.is_ending && self.retry.is_none()
    }

    /// No more will come than has come.
    pub(crate) const fn end(&mut self) {
        self.is_ending = true;
    }

    /// Whether [`end`](Self::end) was called.
    pub(crate) const fn is_ending(&self) -> bool {
        self.is_ending
    }

    /// How long to wait if nothing happens.
    pub(crate) fn patience(&self, driver: &dyn ConsensusEngine) -> Duration {
        match self.retry {
            Some((at, _)) => at.saturating_sub(self.clock.elapsed()),
            None => driver.patience(self).unwrap_or(IDLE).min(IDLE),
        }
    }

    /// Appends records to the own lane, which become durable with the next sync; refuses them if there is no room.
    pub(crate) fn take(&mut self, batch: Vec<Taken>) -> Result<(), LogError> {
        let _span = tracing::debug_span!("append", records = batch.len()).entered();
        let started = Instant::now();
        let mut appended: Option<(LanePosition, Vec<Bytes>)> = None;
        for Taken { record, answer } in batch {
            let Some(position) = self.own_lane().and_then(|lane| self.waiting.end(lane)) else {
                self.peers.forward(record.entered, answer);
                continue;
            };
            let transaction = match &record.meaning {
                Meaning::Transaction(transaction) => Some(transaction.hash),
                _ => None,
            };
            let bytes = record.entered.clone();
            if self.append(position, Arc::new(record))? {
                self.tickets.push(answer, Accepted { transaction, position });
                appended.get_or_insert_with(|| (position, Vec::new())).1.push(bytes);
            } else {
                self.metrics.refused.add(1);
                answer.keep(Err(Refused::NoRoom));
            }
        }
        if let Some((from, records)) = appended {
            self.peers.appended(from, records);
        }
        self.metrics.append_us.add_time(started.elapsed());
        Ok(())
    }

    /// Takes what came from another validator.
    pub(crate) fn arrived(&mut self, arrival: Arrival) -> Result<(), LogError> {
        match arrival {
            Arrival::Store { from, records, answer } => self.store(from, records, answer),
            Arrival::Found { want, records } => self.found(want, records),
            Arrival::Held { validator, end } => {
                let own = self.own_lane().and_then(|lane| self.waiting.end(lane));
                let is_own = own.is_some_and(|own| (own.lane, own.generation) == (end.lane, end.generation));
                if is_own && self.rules.epoch().validators.binary_search(&validator).is_ok() {
                    self.metrics.accepted.add(self.tickets.held(validator, end.index));
                }
                Ok(())
            }
            Arrival::Read { from, end, answer } => {
                answer.keep(self.waiting.read(from, end));
                Ok(())
            }
        }
    }

    /// Appends another's records where they are the lane's next. What is here already stays: only a final block says
    /// otherwise.
    fn store(
        &mut self,
        from: LanePosition,
        records: Vec<Checked>,
        answer: Promise<LanePosition>,
    ) -> Result<(), LogError> {
        let Some(end) = self.waiting.end(from.lane) else { return Ok(()) };
        let is_own = self.own_lane() == Some(from.lane);
        let load = self.waiting.load(from.lane);
        let has_room = load.records < WAITING_RECORDS && load.bytes < WAITING_BYTES;
        if end.generation == from.generation && from.index <= end.index && !is_own && has_room {
            let known = usize::try_from(end.index - from.index).unwrap_or(usize::MAX);
            for record in records.into_iter().skip(known) {
                let Some(position) = self.waiting.end(from.lane) else { break };
                if !self.append(position, Arc::new(record))? {
                    break;
                }
            }
        }
        self.stored.push((answer, from.lane));
        Ok(())
    }

    /// Appends what a block takes. Of a final one it replaces what is here; what was accepted here and stood there is
    /// logged once more behind it.
    fn found(&mut self, want: Want, records: Vec<Checked>) -> Result<(), LogError> {
        let Some(end) = self.waiting.end(want.from.lane) else { return Ok(()) };
        if end.generation != want.from.generation || want.from.index > end.index {
            return Ok(());
        }
        let bytes = records.iter().map(|record| &record.entered);
        let same = self.waiting.same(want.from, bytes);
        let at = want.from.index + same as u64;
        if at < end.index && !want.is_final {
            return Ok(());
        }
        let replaced =
            if at < end.index { self.waiting.behind(LanePosition { index: at, ..want.from }) } else { Vec::new() };
        for (index, record) in (at..).zip(records.into_iter().skip(same)) {
            if !self.append(LanePosition { index, ..want.from }, Arc::new(record))? {
                return Ok(());
            }
        }
        self.sought.remove(&want);
        if replaced.is_empty() {
            return Ok(());
        }
        let LanePosition { lane, generation, index } = want.from;
        tracing::error!(lane, generation, index, "a lane has other records than this node had");
        if self.own_lane() == Some(lane) { self.adopt(replaced) } else { Ok(()) }
    }

    /// Notes what a block came to.
    pub(crate) fn executed(&mut self, executed: Executed) {
        self.results.push_back(executed.results.clone());
        self.executed = executed;
        if self.results.len() > RESULTS {
            self.results.pop_front();
        }
    }

    /// Notes that a block is final: its records wait no more.
    pub(crate) fn finalised(&mut self, finalised: &Finalised) -> Result<(), LogError> {
        let block = &finalised.block;
        let header = &block.header;
        self.settle_doubts(block);
        self.head = Parent::of(block.hash, header);
        self.waiting.pass(&header.lanes);
        self.sought.retain(|want, _| header.lanes.get(want.from.lane as usize).is_some_and(|cut| cut.end < want.end));
        if let Some(cut) = self.own_lane().and_then(|lane| header.lanes.get(lane as usize)) {
            self.metrics.accepted.add(self.tickets.is_final(cut.end));
        }
        if !finalised.certificate.is_empty() {
            self.owed = Some(certificate_entry(header.height, &finalised.certificate));
        }
        let settled = self.settle();
        self.bear(settled)?;
        if header.next_epoch.is_some() { self.enter(header) } else { Ok(()) }
    }

    /// Makes what was taken durable, if anything was, and says so.
    pub(crate) fn sync_taken(&mut self) -> Result<(), LogError> {
        let synced = self.sync();
        self.bear(synced)
    }

    /// Makes all durable that is in the log, the newest certificate too.
    pub(crate) fn close(&mut self) -> Result<(), LogError> {
        let synced = self.log.sync();
        self.bear(synced)
    }

    /// Bears it if the disk is full.
    pub(crate) fn bear(&mut self, outcome: Result<(), LogError>) -> Result<(), LogError> {
        match outcome {
            Err(error) if error.is_full() => {
                if self.room.set_log(true) {
                    tracing::error!(%error, "the disk is full: nothing is accepted until there is room");
                }
                let mut pause = self.retry.map_or_else(Pause::default, |(_, pause)| pause);
                self.retry = Some((self.clock.elapsed() + pause.next(), pause));
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Whether there is room, as far as is known; looks again when it is time to.
    pub(crate) fn has_room(&mut self) -> Result<bool, LogError> {
        let Some((at, _)) = self.retry else { return Ok(true) };
        if self.clock.elapsed() < at {
            return Ok(false);
        }
        let resumed = self.log.resume().and_then(|()| self.settle());
        if resumed.is_err() {
            return self.bear(resumed).map(|()| false);
        }
        self.retry = None;
        if self.room.set_log(false) {
            tracing::info!("there is room again: transactions are accepted");
        }
        Ok(true)
    }

    fn own_lane(&self) -> Option<u32> {
        self.rules.lane_of(&self.key)
    }

    /// Goes on in the next epoch, whose lanes may be others.
    fn enter(&mut self, header: &Header) -> Result<(), LogError> {
        let own = |ledger: &Self| {
            let end = ledger.own_lane().and_then(|lane| ledger.waiting.end(lane));
            end.map(|end| (end.lane, end.generation))
        };
        let before = own(self);
        self.rules.pass(header);
        let strays = self.waiting.enter(&self.rules.lanes(&self.head));
        if own(self) != before {
            self.open_lane();
            self.doubts.clear();
        }
        if strays.is_empty() { Ok(()) } else { self.adopt(strays) }
    }

    /// Lanes that a final block takes from are in no doubt any more; those of a block that this node made in its place are.
    fn settle_doubts(&mut self, block: &Block) {
        let header = &block.header;
        if let Some(made) = self.made.take_if(|made| made.header.height <= header.height)
            && made.hash != block.hash
        {
            self.doubt(&made);
        }
        for lane in self.taken_from(header) {
            self.doubts.agreed(lane);
        }
    }

    /// A block that this node made came to nothing.
    fn doubt(&mut self, made: &Block) {
        let lanes = self.taken_from(&made.header);
        self.doubts.failed(&lanes);
    }

    /// The lanes that a header takes something from, on top of the newest final block or behind it.
    fn taken_from(&self, header: &Header) -> Vec<u32> {
        let begin = self.begin(&self.head);
        let takes = |(begin, cut): &(&LaneCut, &LaneCut)| begin.end < cut.end;
        begin.iter().zip(&header.lanes).filter(takes).map(|(_, cut)| cut.lane).collect()
    }

    /// Whoever waits for the own lane's records waits for as many others as its validators are.
    fn open_lane(&mut self) {
        let end = self.own_lane().and_then(|lane| self.waiting.end(lane)).map_or(0, |end| end.index);
        self.tickets.enter(self.rules.epoch().validators.len(), end);
    }

    /// Logs once more, in the own lane, what waited in lanes that are no more: nothing that was accepted is lost.
    /// What others log too comes to nothing the second time. Without a lane, a validator is asked on behalf of whoever
    /// still waits here.
    fn adopt(&mut self, strays: Vec<(LanePosition, Logged)>) -> Result<(), LogError> {
        let places: BTreeSet<LanePosition> = strays.iter().map(|(before, _)| *before).collect();
        let mut tickets = self.tickets.take(|position| places.contains(&position));
        let mut appended: Option<(LanePosition, Vec<Bytes>)> = None;
        for (before, Logged { record, .. }) in strays {
            let ticket = tickets.pop_front_if(|(_, accepted)| accepted.position == before);
            let bytes = record.entered.clone();
            let Some(position) = self.own_lane().and_then(|lane| self.waiting.end(lane)) else {
                if let Some((answer, _)) = ticket {
                    self.peers.forward(bytes, answer);
                }
                continue;
            };
            let is_logged = self.append(position, record)?;
            if is_logged {
                appended.get_or_insert_with(|| (position, Vec::new())).1.push(bytes);
            }
            if let Some((answer, accepted)) = ticket {
                if is_logged {
                    self.tickets.push(answer, Accepted { position, ..accepted });
                } else {
                    answer.keep(Err(Refused::NoRoom));
                }
            }
        }
        if let Some((from, records)) = appended {
            self.peers.appended(from, records);
        }
        Ok(())
    }

    /// Appends a record at its place in a lane; false if there is no room.
    fn append(&mut self, position: LanePosition, record: Arc<Checked>) -> Result<bool, LogError> {
        if self.retry.is_some() {
            return Ok(false);
        }
        self.log.keep_from(self.waiting.oldest_segment().unwrap_or(u64::MAX));
        let appended = self.log.append(Kind::Record, &record_entry(position, &record.entered));
        self.bear(appended)?;
        if self.retry.is_some() {
            return Ok(false);
        }
        self.is_unsynced = true;
        let logged = Logged { record, segment: self.log.segment() };
        // The position is the lane's end, or supersedes what is behind it.
        let _ = self.waiting.push(position, logged);
        Ok(true)
    }

    /// Appends the certificate that there was no room for. Not synced: it can be made again from the header. It also
    /// marks the header as durable, should it break.
    fn settle(&mut self) -> Result<(), LogError> {
        if let Some(entry) = &self.owed {
            self.log.append(Kind::Certificate, entry)?;
            self.owed = None;
        }
        self.log.flush()
    }

    /// Tells the owners of other lanes how far they are on disk here.
    fn tell_stored(&mut self) {
        for (answer, lane) in self.stored.drain(..) {
            if let Some(end) = self.waiting.end(lane) {
                answer.keep(end);
            }
        }
    }

    fn force_sync(&mut self) -> Result<(), LogError> {
        let started = Instant::now();
        let _span = tracing::debug_span!("sync", records = self.tickets.len()).entered();
        self.log.sync()?;
        self.is_unsynced = false;
        self.metrics.log_syncs.add(1);
        self.metrics.log_sync_us.add_time(started.elapsed());
        let end = self.own_lane().and_then(|lane| self.waiting.end(lane)).map_or(0, |end| end.index);
        let accepted = self.tickets.durable(end);
        self.metrics.synced_batches.add(accepted);
        self.metrics.accepted.add(accepted);
        Ok(())
    }

    /// Where the lanes of a block on top of `parent` begin.
    fn begin(&self, parent: &Parent) -> Vec<LaneCut> {
        self.rules.lanes(parent)
    }
}

impl Application for Ledger {
    fn head(&self) -> &Parent {
        &self.head
    }

    fn waiting(&self, parent: &Parent) -> Load {
        self.waiting.beyond(&self.begin(parent), &self.doubts)
    }

    fn results(&self) -> &Results {
        &self.executed.results
    }

    fn time(&self) -> Timestamp {
        self.executed.dev_time.at(self.clock.time())
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    fn is_ready(&self, parent: &Parent) -> bool {
        self.rules.is_ready(parent, self.executed.results.height)
    }

    fn propose_block(&mut self, parent: &Parent) -> Block {
        if let Some(made) = self.made.take_if(|made| made.header.height > parent.height) {
            self.doubt(&made);
        }
        let begin = self.begin(parent);
        let lanes = self.doubts.choose(self.waiting.filled(&begin));
        let taken = self.waiting.cut(&begin, &lanes, &self.rules);
        let records: usize = taken.iter().map(Vec::len).sum();
        let _span = tracing::debug_span!("cut", height = parent.height.0 + 1, records).entered();
        let block = self.rules.propose(parent, self.time(), self.executed.results.clone(), taken);
        if self.rules.epoch().validators.len() > 1 {
            self.made = Some(block.clone());
        }
        block
    }

    fn gather(&mut self, parent: &Parent, header: &Header) -> Option<Block> {
        let taken = self.waiting.gather(&self.begin(parent), header)?;
        Some(Block { header: header.clone(), hash: header.hash(), records: interleave(taken) })
    }

    fn validate_block(&mut self, parent: &Parent, block: &Block, time: Timestamp) -> Verdict {
        let newest = self.executed.results.height;
        self.rules.validate(parent, block, time, |asked| {
            let kept = self.results.iter().rev().find(|results| results.height == asked);
            // What was executed before the node was opened is in the database alone.
            let stored = || (asked <= newest).then(|| self.store.snapshot().covered(asked).ok()).flatten();
            kept.cloned().or_else(stored)
        })
    }

    fn seek(&mut self, parent: &Parent, header: &Header, is_final: bool) {
        let begin = self.begin(parent);
        let now = self.clock.elapsed();
        for want in self.waiting.lacking(&begin, header, is_final) {
            // What comes by itself mostly comes at once.
            let since = *self.sought.entry(want).or_insert(now + SEEK_AFTER);
            if since <= now {
                self.sought.insert(want, now + SEEK_AGAIN);
                self.peers.wanted(want);
            }
        }
    }

    fn contradicted(&mut self, parent: &Parent, header: &Header) {
        for want in self.waiting.lacking(&self.begin(parent), header, false) {
            let lane = want.from.lane;
            tracing::warn!(lane, height = header.height.0, "a proposal takes other records of a lane than are here");
            self.doubts.contradicted(lane);
        }
    }

    fn sync(&mut self) -> Result<(), LogError> {
        if self.is_unsynced {
            self.force_sync()?;
        }
        self.tell_stored();
        Ok(())
    }

    fn make_durable(&mut self, block: &Block) -> Result<(), LogError> {
        if self.proposed != Some(block.hash) {
            // Memory does not fail, and no header is too long for borsh.
            self.log.append(Kind::Header, &borsh::to_vec(&block.header).unwrap_or_default())?;
            self.proposed = Some(block.hash);
        }
        self.force_sync()?;
        self.proposed = None;
        Ok(())
    }
}
