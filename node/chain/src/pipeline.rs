//! The stages of a node, each on a thread of its own, with bounded channels between them.
//!
//! ```text
//! submit ──► intake ──► seal ──────────► execute ──► root ──► publish ──► commit
//!            checks      log and driver:  state →     state    callbacks,  database, every few
//!            signatures, group commit,    effects     tree,    waiters     MiB or 500 ms
//!            takes turns cut, sign          │         snapshot
//!                          ▲                └── stage: the next block may execute
//!                          └────────── results ───────┘
//! ```
//!
//! Log and driver share a thread, because one sync makes records and the header that takes them durable. Execution
//! takes no lock and waits for no disk. A stage ends when the one before it has closed its channel, so closing the
//! way in drains them all, in order; a stage that fails closes its own, with the same effect, after it has said why.

mod commit;
mod execute;
mod intake;
mod others;
mod publish;
mod root;
mod seal;
mod stepped;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use rustorium_types::id::Gas;

pub use commit::CommitPolicy;
pub(crate) use publish::Subscribers;
pub use publish::{OnPublish, Published};
pub(crate) use seal::Seal;
pub use stepped::Stepped;

pub use crate::sole::{BEAT, QUIET};

use crate::{
    cut::Rules,
    engine::Engine,
    exchange::Message,
    fault::{Fault, Faults},
    metrics::Metrics,
    storage::Store,
    submit::{Submissions, SubmitQueue},
    verify::Judge,
    waiters::Waiters,
};

/// Batches of checked records on their way to the log: enough to keep it busy during a sync. What is in them has had
/// its turn, so they are few and small.
const CHECKED_BATCHES: usize = 2;
/// Of a block's gas, the part that such a batch has at the most.
const BATCH_GAS_SHIFT: u32 = 2;
/// Blocks between two stages. The sole driver seals a block when the one before it is executed.
const BLOCKS: usize = 8;

/// What stages share.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) store: Arc<Store>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) faults: Faults,
}

/// What the stages are made of.
pub(crate) struct Parts {
    pub(crate) common: Common,
    /// The way in, which a fault closes.
    pub(crate) queue: SubmitQueue,
    pub(crate) submissions: Submissions,
    /// What other validators send.
    pub(crate) messages: Receiver<Message>,
    pub(crate) judge: Judge,
    pub(crate) seal: Seal,
    pub(crate) engine: Engine,
    /// What holds in the epoch of the next block.
    pub(crate) rules: Rules,
    pub(crate) subscribers: Arc<Subscribers>,
    pub(crate) waiters: Arc<Waiters>,
    pub(crate) commit: CommitPolicy,
}

/// The running stages.
#[derive(Default)]
pub(crate) struct Pipeline {
    threads: Vec<JoinHandle<()>>,
}

impl Pipeline {
    /// Starts the stages.
    ///
    /// # Errors
    /// When a thread cannot be started; those that were end by themselves.
    pub(crate) fn start(parts: Parts) -> io::Result<Self> {
        let Parts { common, queue, submissions, messages, judge, seal, engine, rules, subscribers, waiters, commit } =
            parts;
        let (checked, to_seal) = bounded(CHECKED_BATCHES);
        let (arrived, arrivals) = bounded(BLOCKS);
        let (sealing, seal_ended) = bounded(0);
        let (running, intake_ended) = bounded(0);
        let (finalised, to_execute) = bounded(BLOCKS);
        let (executed, to_root) = bounded(BLOCKS);
        let (applied, to_publish) = bounded(BLOCKS);
        let (results, from_root) = bounded(BLOCKS);
        let (published, to_commit) = bounded(1);
        let (room, committed) = bounded(1);

        let mut threads = Threads { faults: common.faults.clone(), queue, started: Vec::new() };
        let stage = common.clone();
        let others = judge.clone();
        let batch_gas = Gas(judge.limits().block_gas.0 >> BATCH_GAS_SHIFT);
        threads.start("intake", move || {
            intake::run(&submissions, &judge, batch_gas, &checked, &stage.metrics);
            drop(running);
            Ok(())
        })?;
        threads.start("others", move || {
            others::run(&messages, &seal_ended, &others, &arrived);
            Ok(())
        })?;
        let stage = common.clone();
        threads.start("seal", move || {
            let sealed = seal.run(&to_seal, &intake_ended, arrivals, &from_root, &finalised, &stage);
            drop(sealing);
            sealed
        })?;
        let stage = common.clone();
        threads.start_deep("execute", move || execute::run(&engine, rules, &to_execute, &executed, &stage))?;
        let stage = common.clone();
        threads.start("root", move || root::run(&to_root, &results, &applied, &committed, &stage))?;
        let stage = common.clone();
        threads.start("publish", move || {
            publish::run(&to_publish, &published, &subscribers, &waiters, &stage);
            Ok(())
        })?;
        let stage = common.clone();
        threads.start("commit", move || commit::run(commit, &to_commit, &room, &stage))?;
        Ok(Self { threads: threads.started })
    }

    /// Waits until all stages have ended.
    pub(crate) fn join(self) {
        for thread in self.threads {
            // A panic is caught inside the thread and reported as a fault.
            let _ = thread.join();
        }
    }
}

struct Threads {
    faults: Faults,
    queue: SubmitQueue,
    started: Vec<JoinHandle<()>>,
}

impl Threads {
    fn start(
        &mut self,
        stage: &'static str,
        run: impl FnOnce() -> Result<(), Fault> + Send + 'static,
    ) -> io::Result<()> {
        let run = self.guarded(stage, run);
        self.started.push(thread::Builder::new().name(stage.to_owned()).spawn(run)?);
        Ok(())
    }

    /// On a thread that executes at full speed.
    fn start_deep(
        &mut self,
        stage: &'static str,
        run: impl FnOnce() -> Result<(), Fault> + Send + 'static,
    ) -> io::Result<()> {
        let run = self.guarded(stage, run);
        self.started.push(rustorium_runtime::spawn(stage, run)?);
        Ok(())
    }

    fn guarded(
        &self,
        stage: &'static str,
        run: impl FnOnce() -> Result<(), Fault> + Send + 'static,
    ) -> impl FnOnce() + Send + 'static {
        let (faults, queue) = (self.faults.clone(), self.queue.clone());
        move || {
            let fault = match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(())) => return,
                Ok(Err(fault)) => fault,
                Err(_) => Fault::Panicked(stage),
            };
            faults.report(stage, fault);
            // A channel keeps what is in it for as long as it has a sender: only when the way in is closed do all
            // stages end, and every ticket is answered.
            queue.close();
        }
    }
}

/// Hands something on; false if the next stage has ended, which has said why.
fn hand_on<T>(to: &Sender<T>, value: T) -> bool {
    to.send(value).is_ok()
}

/// The next thing to work on, or none when the stage before has ended.
fn next<T>(from: &Receiver<T>) -> Option<T> {
    from.recv().ok()
}
