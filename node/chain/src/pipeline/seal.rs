//! Writes what is accepted to the log, decides when to seal a block, and hands finalised ones to execution.
//!
//! ```text
//! loop   wait for records, results or a deadline
//!        append the records                          (buffered)
//!        the driver's turn: propose, append header   (buffered)
//!        sync once; answer tickets; sign             ◄─ a header is durable before it is heard of
//!        append the certificate, hand the block on
//! ```
//!
//! When a block is sealed: as soon as execution is idle and records wait, so blocks grow with load and a lone
//! transaction waits for nothing; once more, empty, after [`QUIET`], so that the newest state is certified; and twice
//! on a new chain, so that there always is a certified head. Then silence; a chain that is not for development seals
//! one more each [`BEAT`].
//!
//! On a full disk (`LogError::is_full`) nothing is taken in: what is submitted is refused in words, what was accepted
//! waits, and the log is tried again until there is room ([`Pause`]). What the log has taken in by then stays in it:
//! a record's ticket answers late, and a header that may have reached the disk is the one that is proposed again.
//!
//! Deadlines are monotonic waits that order nothing in the chain: what a header says of time is the clock's that was
//! handed in.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TryRecvError, never, select};
use rustorium_types::{
    id::{Height, Timestamp},
    record::Control,
};

use super::{Common, intake::Taken};
use crate::{
    consensus::{Application, ConsensusEngine, ConsensusError, Finalised},
    cut::{Block, Parent, Results, Rules, Verdict},
    dev::DevTime,
    fault::Fault,
    handle::Promise,
    log::{Kind, LanePosition, Log, LogError, certificate_entry},
    metrics::Metrics,
    room::{Pause, Room},
    submit::{Accepted, Refused},
    verify::{Checked, Meaning},
};

/// Quiet after which an empty block certifies the newest state: longer than a client's next request takes.
pub const QUIET: Duration = Duration::from_millis(5);
/// Silence after which a chain that is not for development shows that it lives.
pub const BEAT: Duration = Duration::from_secs(10);

/// Records that are durable and in no block yet, at the most; beyond it, what is submitted waits for its sender's
/// turn, which it has no more in the log.
const WAITING_RECORDS: usize = 100_000;
/// Bytes of them.
const WAITING_BYTES: usize = 64 << 20;
/// Blocks that their gas fills: one that is cut next, and one to be taken in while it is executed.
const WAITING_BLOCKS: u64 = 2;
/// Where nothing is due, the loop still looks around now and then.
const IDLE: Duration = Duration::from_secs(60);

/// Tells the time: what a node hands in, for the chain reads no clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a block came to, as the next header needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Executed {
    pub(crate) results: Results,
    pub(crate) dev_time: DevTime,
}

/// Where the chain stands when the stage starts.
pub(crate) struct Start {
    /// What is executed.
    pub(crate) executed: Executed,
    /// The newest block has records, so nothing certifies its result yet.
    pub(crate) is_open: bool,
    /// Records in the log that no header takes.
    pub(crate) waiting: Vec<Checked>,
}

/// The stage.
pub(crate) struct Seal {
    driver: Box<dyn ConsensusEngine>,
    lane: Lane,
}

/// The embedded lane, and what a driver may ask of it.
struct Lane {
    log: Log,
    rules: Rules,
    clock: Clock,
    block_time: Duration,
    metrics: Arc<Metrics>,
    room: Arc<Room>,
    /// When to look for room again, on a full disk.
    retry: Option<(Instant, Pause)>,
    /// A block whose header is in the log and not durable.
    proposed: Option<Block>,
    /// The entry of the newest certificate, if there was no room for it.
    owed: Option<Vec<u8>>,
    waiting: VecDeque<Arc<Checked>>,
    waiting_bytes: usize,
    waiting_gas: u64,
    /// No more will come, and what has come is taken.
    is_ending: bool,
    /// Of the waiting records, those that ask for a block at once.
    mines: usize,
    /// Tickets of records that are appended and not synced.
    unsynced: Vec<(Promise<Result<Accepted, Refused>>, Accepted)>,
    executed: Executed,
    /// A block is sealed whose results are not known yet.
    is_busy: bool,
    is_open: bool,
    closing: Option<Instant>,
    beat: Option<Instant>,
    next_cut: Instant,
}

impl Seal {
    pub(crate) fn new(
        driver: Box<dyn ConsensusEngine>,
        log: Log,
        rules: Rules,
        clock: Clock,
        block_time: Duration,
        start: Start,
        common: &Common,
    ) -> Self {
        let mut lane = Lane {
            log,
            rules,
            clock,
            block_time,
            metrics: Arc::clone(&common.metrics),
            room: Arc::clone(common.store.room()),
            retry: None,
            proposed: None,
            owed: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            waiting_gas: 0,
            is_ending: false,
            mines: 0,
            unsynced: Vec::new(),
            executed: start.executed,
            is_busy: false,
            is_open: start.is_open,
            closing: None,
            beat: None,
            next_cut: Instant::now(),
        };
        for record in start.waiting {
            lane.wait(record);
        }
        lane.executed(start.executed);
        Self { driver, lane }
    }

    /// Runs until the stage before or behind has ended. What was taken in is durable then, and in a block later.
    /// `ended` is disconnected once the stage before has ended: then there is room for what it left.
    pub(super) fn run(
        mut self,
        records: &Receiver<Vec<Taken>>,
        ended: &Receiver<Infallible>,
        results: &Receiver<Executed>,
        to: &Sender<Finalised>,
        common: &Common,
    ) -> Result<(), Fault> {
        self.take_turns(records, ended, results, to, common)?;
        // The newest certificate was not synced: it could be made again, but a node that is told to stop leaves it.
        let synced = self.lane.log.sync();
        Ok(self.lane.bear(synced)?)
    }

    fn take_turns(
        &mut self,
        records: &Receiver<Vec<Taken>>,
        ended: &Receiver<Infallible>,
        results: &Receiver<Executed>,
        to: &Sender<Finalised>,
        common: &Common,
    ) -> Result<(), Fault> {
        let full = never();
        let nothing = never();
        loop {
            if let Some(finalised) = self.turn()?
                && to.send(finalised).is_err()
            {
                return Ok(());
            }
            common.metrics.waiting_records.set(self.lane.waiting.len() as u64);
            let from = if self.lane.is_full() { &full } else { records };
            let ended = if self.lane.is_ending { &nothing } else { ended };
            select! {
                recv(from) -> batch => match batch {
                    Ok(batch) => self.lane.take(batch)?,
                    Err(_) => return Ok(()),
                },
                recv(ended) -> _ => self.lane.is_ending = true,
                recv(results) -> executed => match executed {
                    Ok(executed) => self.lane.executed(executed),
                    Err(_) => return Ok(()),
                },
                default(self.lane.patience()) => {}
            }
            // What is there already shares the sync.
            while !self.lane.is_full() {
                match records.try_recv() {
                    Ok(batch) => self.lane.take(batch)?,
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            // Execution may be idle by now: then a block shares the sync too.
            while let Ok(executed) = results.try_recv() {
                self.lane.executed(executed);
            }
        }
    }
}

impl Seal {
    /// Lets the driver seal a block, and makes what was taken in durable; neither without room.
    fn turn(&mut self) -> Result<Option<Finalised>, Fault> {
        if !self.lane.has_room()? {
            return Ok(None);
        }
        let finalised = match self.driver.turn(&mut self.lane) {
            Ok(finalised) => finalised,
            Err(ConsensusError::Log(error)) => {
                self.lane.bear(Err(error))?;
                None
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(finalised) = &finalised {
            self.lane.finalised(finalised)?;
        }
        let synced = self.lane.sync();
        self.lane.bear(synced)?;
        Ok(finalised)
    }
}

impl Application for Lane {
    fn propose_block(&mut self, parent: &Parent) -> Option<Block> {
        if self.proposed.is_some() {
            return self.proposed.clone();
        }
        if self.is_busy || !self.is_due(parent, Instant::now()) {
            return None;
        }
        let count = self.rules.fill(self.waiting.iter().map(|record| &**record));
        let records: Vec<_> = self.waiting.range(..count).cloned().collect();
        let _span = tracing::debug_span!("cut", height = parent.height.0 + 1, records = records.len()).entered();
        let clock = self.executed.dev_time.at((self.clock)());
        Some(self.rules.propose(parent, clock, self.executed.results, records))
    }

    fn validate_block(&mut self, parent: &Parent, block: &Block) -> Verdict {
        let Results { height, root } = self.executed.results;
        // A lone validator's own time is never too early: it is its clock's, or just after the parent's.
        let clock = Timestamp(u64::MAX);
        self.rules.validate(parent, block, clock, |asked| (asked == height).then_some(root))
    }

    fn make_durable(&mut self, block: &Block) -> Result<(), LogError> {
        if self.proposed.is_none() {
            // Memory does not fail, and no header is too long for borsh.
            self.log.append(Kind::Header, &borsh::to_vec(&block.header).unwrap_or_default())?;
            self.proposed = Some(block.clone());
        }
        self.force_sync()?;
        self.proposed = None;
        Ok(())
    }
}

impl Lane {
    /// Appends records, which become durable with the next sync; refuses them if there is no room.
    fn take(&mut self, batch: Vec<Taken>) -> Result<(), LogError> {
        let _span = tracing::debug_span!("append", records = batch.len()).entered();
        let started = Instant::now();
        for Taken { record, answer } in batch {
            let index = self.log.position().records;
            if self.retry.is_none() {
                let appended = self.log.append(Kind::Record, &record.entered);
                self.bear(appended)?;
            }
            if self.retry.is_some() {
                self.metrics.refused.add(1);
                answer.keep(Err(Refused::NoRoom));
                continue;
            }
            let transaction = match &record.meaning {
                Meaning::Transaction(transaction) => Some(transaction.hash),
                _ => None,
            };
            let position = LanePosition { lane: 0, generation: 0, index };
            self.unsynced.push((answer, Accepted { transaction, position }));
            self.wait(record);
            self.closing = None;
        }
        self.metrics.append_us.add_time(started.elapsed());
        Ok(())
    }

    /// Bears it if the disk is full.
    fn bear(&mut self, outcome: Result<(), LogError>) -> Result<(), LogError> {
        match outcome {
            Err(error) if error.is_full() => {
                if self.room.set_log(true) {
                    tracing::error!(%error, "the disk is full: nothing is accepted until there is room");
                }
                let mut pause = self.retry.map_or_else(Pause::default, |(_, pause)| pause);
                self.retry = Some((Instant::now() + pause.next(), pause));
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Whether there is room, as far as is known; looks again when it is time to.
    fn has_room(&mut self) -> Result<bool, LogError> {
        let Some((at, _)) = self.retry else { return Ok(true) };
        if Instant::now() < at {
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

    /// Appends the certificate that there was no room for. Not synced: it can be made again from the header. It also
    /// marks the header as durable, should it break.
    fn settle(&mut self) -> Result<(), LogError> {
        if let Some(entry) = &self.owed {
            self.log.append(Kind::Certificate, entry)?;
            self.owed = None;
        }
        self.log.flush()
    }

    fn wait(&mut self, record: Checked) {
        self.waiting_bytes += record.entered.len();
        self.waiting_gas += record.gas.0;
        self.mines += usize::from(is_mine(&record));
        self.waiting.push_back(Arc::new(record));
    }

    /// Notes what a block came to; execution is idle until the next is sealed.
    fn executed(&mut self, executed: Executed) {
        self.executed = executed;
        self.is_busy = false;
        let now = Instant::now();
        self.closing = (self.is_open && self.waiting.is_empty()).then(|| now + QUIET);
        self.beat = (!self.rules.genesis().dev).then(|| now + BEAT);
    }

    /// Notes that a block is final: its records wait no more.
    fn finalised(&mut self, finalised: &Finalised) -> Result<(), LogError> {
        let block = &finalised.block;
        for record in self.waiting.drain(..block.records.len()) {
            self.waiting_bytes -= record.entered.len();
            self.waiting_gas -= record.gas.0;
            self.mines -= usize::from(is_mine(&record));
        }
        self.is_busy = true;
        self.is_open = !block.records.is_empty();
        (self.closing, self.beat) = (None, None);
        self.next_cut = Instant::now() + self.block_time;
        self.owed = Some(certificate_entry(block.header.height, &finalised.certificate));
        let settled = self.settle();
        self.bear(settled)
    }

    fn is_due(&self, parent: &Parent, now: Instant) -> bool {
        let is_past = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        let has_records = !self.waiting.is_empty() && (self.mines > 0 || self.next_cut <= now);
        parent.height < Height(2) || has_records || is_past(self.closing) || is_past(self.beat)
    }

    /// How long to wait if nothing happens.
    fn patience(&self) -> Duration {
        if let Some((at, _)) = self.retry {
            return at.saturating_duration_since(Instant::now());
        }
        if self.is_busy {
            return IDLE;
        }
        let cut = (!self.waiting.is_empty()).then_some(self.next_cut);
        let deadlines = [self.closing, self.beat, cut].into_iter().flatten();
        deadlines.min().map_or(IDLE, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    fn is_full(&self) -> bool {
        let gas = self.rules.genesis().limits.block_gas.0.saturating_mul(WAITING_BLOCKS);
        let is_full =
            self.waiting.len() >= WAITING_RECORDS || self.waiting_bytes >= WAITING_BYTES || self.waiting_gas >= gas;
        // Without room on the disk what comes is refused, so it need not wait.
        is_full && !self.is_ending && self.retry.is_none()
    }

    /// Makes what was taken durable, if anything was, and says so.
    fn sync(&mut self) -> Result<(), LogError> {
        if self.unsynced.is_empty() { Ok(()) } else { self.force_sync() }
    }

    fn force_sync(&mut self) -> Result<(), LogError> {
        let started = Instant::now();
        let _span = tracing::debug_span!("sync", records = self.unsynced.len()).entered();
        self.log.sync()?;
        self.metrics.log_syncs.add(1);
        self.metrics.log_sync_us.add_time(started.elapsed());
        self.metrics.synced_batches.add(self.unsynced.len() as u64);
        self.metrics.accepted.add(self.unsynced.len() as u64);
        for (answer, accepted) in self.unsynced.drain(..) {
            answer.keep(Ok(accepted));
        }
        Ok(())
    }
}

fn is_mine(record: &Checked) -> bool {
    matches!(record.meaning, Meaning::Control(Control::Mine))
}
