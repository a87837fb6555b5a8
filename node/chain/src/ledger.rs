//! The log with what waits in it: what drivers ask, and what the stages tell.
//!
//! ```text
//! own records      ─► shared lane, and back ─┐
//!                  └► append ─► sync ─► tickets           propose ◄─┐
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
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustorium_types::{
    block::{Header, LaneCut},
    hash::shard,
    id::{Hash, Timestamp},
};

use crate::{
    clock::Clock,
    consensus::{Application, ConsensusEngine, Finalised},
    cut::{Block, Parent, Results, Rules, Verdict},
    dev::DevTime,
    doubts::Doubts,
    exchange::{Arrival, Peers, SharedLanes, Want},
    handle::{self, Promise},
    log::{Kind, LanePosition, Log, LogError, certificate_entry, record_entry},
    metrics::Metrics,
    offers::{Answer, Offer, Offers},
    pipeline::Common,
    room::{Pause, Room},
    storage::Store,
    submit::{Accepted, Refused},
    tickets::{Ticket, Tickets},
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
    /// The lanes that all share.
    pub(crate) shared: Box<dyn SharedLanes>,
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
    shared: Box<dyn SharedLanes>,
    /// What is on its way through shared lanes.
    offers: Offers,
    /// Shared lanes that have come into doubt, in which something may wait that was accepted.
    in_doubt: BTreeSet<u32>,
    /// The end of what was logged again of each shared lane.
    logged_again: Vec<LanePosition>,
    /// What blocks take that is not here, and when to ask for it.
    sought: BTreeMap<Want, Duration>,
    /// Whom to tell how far a lane is durable.
    stored: Vec<(Promise<LanePosition>, u32)>,
}

impl Ledger {
    pub(crate) fn new(log: Log, rules: Rules, own: Own, start: Start, common: &Common) -> Result<Self, LogError> {
        let Own { key, clock, peers, shared } = own;
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
            shared,
            offers: Offers::default(),
            in_doubt: BTreeSet::new(),
            logged_again: Vec::new(),
            sought: BTreeMap::new(),
            stored: Vec::new(),
        };
        ledger.open_lane();
        ledger.adopt(strays, Vec::new())?;
        Ok(ledger)
    }

    /// What waits in all lanes.
    pub(crate) fn load(&self) -> Load {
        self.waiting.total()
    }

    /// Whether the own lane has as much as it may; without room on the disk what comes is refused, so it need not wait.
    pub(crate) fn is_full(&self) -> bool {
        let load = self.own_lane().map_or_else(Load::default, |lane| self.waiting.load(lane));
        self.is_enough(load) && !self.is_ending && self.retry.is_none()
    }

    /// Whether a lane with so much keeps the next blocks busy.
    fn is_enough(&self, load: Load) -> bool {
        let gas = self.rules.genesis().limits.block_gas.0.saturating_mul(WAITING_BLOCKS);
        load.records >= WAITING_RECORDS || load.bytes >= WAITING_BYTES || load.gas >= gas
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
        let now = self.clock.elapsed();
        let patience = match self.retry {
            Some((at, _)) => at.saturating_sub(now),
            None => driver.patience(self).unwrap_or(IDLE).min(IDLE),
        };
        let back = self.offers.deadline().map(|deadline| deadline.saturating_sub(now));
        back.map_or(patience, |back| back.min(patience))
    }

    /// Offers records to their senders' shared lanes, or appends them to the own lane, where they become durable with
    /// the next sync; refuses them if there is no room.
    pub(crate) fn take(&mut self, batch: Vec<Taken>) -> Result<(), LogError> {
        let _span = tracing::debug_span!("append", records = batch.len()).entered();
        let started = Instant::now();
        let now = self.clock.elapsed();
        let mut own = Vec::new();
        for taken in batch {
            if let Some(Taken { record, answer }) = self.offer(taken, now) {
                own.push((record, vec![answer]));
            }
        }
        self.metrics.offered_records.set(self.offers.len() as u64);
        self.keep(own)?;
        self.metrics.append_us.add_time(started.elapsed());
        Ok(())
    }

    /// Offers a transaction to its sender's shared lane; gives it back if it has to go another way.
    fn offer(&mut self, taken: Taken, now: Duration) -> Option<Taken> {
        let Meaning::Transaction(transaction) = &taken.record.meaning else { return Some(taken) };
        let Some(shards) = NonZeroU32::new(self.rules.epoch().shards) else { return Some(taken) };
        let lane = shard(transaction.body.sender, shards);
        if self.retry.is_some() || self.is_ending || self.doubts.leaves_out(lane) {
            return Some(taken);
        }
        let Taken { record, answer } = taken;
        let answer = self.offers.join(&record.entered, answer)?;
        let load = self.waiting.load(lane).and(self.offers.load(lane));
        let is_offered = !self.offers.contains(&record.entered)
            && !self.is_enough(load)
            && self.offers.is_open(lane, now)
            && self.shared.offer(lane, record.entered.clone());
        if !is_offered {
            return Some(Taken { record, answer });
        }
        self.offers.add(lane, record, answer, now + self.shared.patience());
        None
    }

    /// What did not come back through its shared lane goes another way, as does what waits in lanes that are in doubt.
    pub(crate) fn fall_back(&mut self) -> Result<(), LogError> {
        if !self.in_doubt.is_empty() {
            self.log_again()?;
        }
        if self.offers.deadline().is_none() {
            return Ok(());
        }
        let now = self.clock.elapsed();
        let mut own = Vec::new();
        while let Some(offer) = self.offers.overdue(now, |lane| !self.is_ending && self.shared.is_up(lane)) {
            let Offer { record, answers, .. } = offer;
            own.push((record, answers));
        }
        self.metrics.offered_records.set(self.offers.len() as u64);
        if own.is_empty() {
            return Ok(());
        }
        self.metrics.fallen_back.add(own.len() as u64);
        if !self.is_ending {
            let records = own.len();
            tracing::warn!(records, "shared lanes did not bring back what they were offered: it goes another way");
        }
        self.keep(own)
    }

    /// Appends records to the own lane; hands them to a validator if there is none.
    fn keep(&mut self, records: Vec<(Checked, Vec<Answer>)>) -> Result<(), LogError> {
        let mut appended: Option<(LanePosition, Vec<Bytes>)> = None;
        for (record, answers) in records {
            let Some(position) = self.own_lane().and_then(|lane| self.waiting.end(lane)) else {
                for answer in answers {
                    self.peers.forward(record.entered.clone(), answer);
                }
                continue;
            };
            let transaction = match &record.meaning {
                Meaning::Transaction(transaction) => Some(transaction.hash),
                _ => None,
            };
            let bytes = record.entered.clone();
            let is_logged = self.append(position, Arc::new(record))?;
            if is_logged {
                appended.get_or_insert_with(|| (position, Vec::new())).1.push(bytes);
            }
            for answer in answers {
                if is_logged {
                    self.tickets.push(answer, Accepted { transaction, position });
                } else {
                    self.metrics.refused.add(1);
                    answer.keep(Err(Refused::NoRoom));
                }
            }
        }
        if let Some((from, records)) = appended {
            self.peers.appended(from, records);
        }
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

    /// Appends another's records, or a shared lane's, where they are the lane's next. What is here already stays: only a
    /// final block says otherwise.
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
    /// logged once more behind it, or in the own lane.
    fn found(&mut self, want: Want, records: Vec<Checked>) -> Result<(), LogError> {
        let Some(end) = self.waiting.end(want.from.lane) else { return Ok(()) };
        // What a final block took is not to be replaced: in the log, that would supersede all that followed.
        if !self.waiting.waits(want.from) || want.from.index > end.index {
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
        let is_replaced = |position: LanePosition| position.lane == want.from.lane && position.index >= at;
        let back = if replaced.is_empty() { Vec::new() } else { self.offers.take_back(is_replaced) };
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
        let is_shared = lane < self.rules.epoch().shards;
        if is_shared {
            self.metrics.replaced.add(replaced.len() as u64);
        }
        if is_shared || self.own_lane() == Some(lane) { self.adopt(replaced, back) } else { Ok(()) }
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

    /// Keeps what is on its way through shared lanes, for nobody waits for it any more, and makes all durable that is in
    /// the log, the newest certificate too.
    pub(crate) fn close(&mut self) -> Result<(), LogError> {
        self.end();
        self.fall_back()?;
        self.sync_taken()?;
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
        if strays.is_empty() {
            return Ok(());
        }
        let back = self.offers.take_back(|position| strays.iter().any(|(before, _)| *before == position));
        self.adopt(strays, back)
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
    /// What others log too comes to nothing the second time. A node without a lane hands it to one that has one.
    ///
    /// `back` are those who wait for records of shared lanes among them.
    fn adopt(&mut self, strays: Vec<(LanePosition, Logged)>, back: Vec<Ticket>) -> Result<(), LogError> {
        let places: BTreeSet<LanePosition> = strays.iter().map(|(before, _)| *before).collect();
        let mut tickets = self.tickets.take(|position| places.contains(&position));
        tickets.extend(back);
        tickets.make_contiguous().sort_by_key(|(_, accepted)| accepted.position);
        let mut appended: Option<(LanePosition, Vec<Bytes>)> = None;
        for (before, Logged { record, .. }) in strays {
            if matches!(record.meaning, Meaning::Junk(_)) {
                continue;
            }
            let bytes = record.entered.clone();
            let mut waiting = Vec::new();
            while let Some(ticket) = tickets.pop_front_if(|(_, accepted)| accepted.position <= before) {
                waiting.push(ticket);
            }
            let Some(position) = self.own_lane().and_then(|lane| self.waiting.end(lane)) else {
                if waiting.is_empty() {
                    self.peers.forward(bytes.clone(), handle::promise().0);
                }
                waiting.into_iter().for_each(|(answer, _)| self.peers.forward(bytes.clone(), answer));
                continue;
            };
            let is_logged = self.append(position, record)?;
            if is_logged {
                appended.get_or_insert_with(|| (position, Vec::new())).1.push(bytes);
            }
            for (answer, accepted) in waiting {
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
        if position.lane < self.rules.epoch().shards && self.offers.came_back(position, &record.entered) {
            self.metrics.returned.add(1);
            self.metrics.offered_records.set(self.offers.len() as u64);
        }
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
        let accepted = self.tickets.durable(end) + self.offers.durable();
        self.metrics.synced_batches.add(accepted);
        self.metrics.accepted.add(accepted);
        Ok(())
    }

    /// Logs in the own lane what waits in shared ones that are in doubt: what was accepted is executed all the same.
    fn log_again(&mut self) -> Result<(), LogError> {
        let mut again = Vec::new();
        for lane in std::mem::take(&mut self.in_doubt) {
            let Some(cut) = self.begin(&self.head).into_iter().find(|cut| cut.lane == lane) else { continue };
            let begin = LanePosition { lane, generation: cut.generation, index: cut.end };
            let before = self.logged_again.iter().find(|end| end.lane == lane).map_or(begin, |end| begin.max(*end));
            let behind = self.waiting.behind(before);
            let end = LanePosition { index: before.index + behind.len() as u64, ..before };
            self.logged_again.retain(|end| end.lane != lane);
            self.logged_again.push(end);
            again.extend(behind);
        }
        self.adopt(again, Vec::new())
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
            if lane < self.rules.epoch().shards {
                self.in_doubt.insert(lane);
            }
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
