//! The stages on the caller's thread: nothing happens but in [`Stepped::step`].
//!
//! For simulations, in which a run is a function of what is handed in: time, submissions, what others send, what a
//! driver asks, and when a step is taken. What the stages do is the same as on threads of their own.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::Receiver;
use rustorium_types::id::Gas;

use super::{
    BATCH_GAS_SHIFT, CommitPolicy, Common, Parts, Seal, Subscribers, commit, execute,
    intake::{self, CHECKED_BYTES, CHECKED_RECORDS, WAITING, Waiting},
    publish, root,
};
use crate::{
    clock::Clock,
    cut::Rules,
    engine::Engine,
    exchange::Message,
    fault::Fault,
    submit::{Submissions, SubmitQueue},
    verify::Judge,
    waiters::Waiters,
};

/// The stages of a chain that is stepped.
pub struct Stepped {
    common: Common,
    queue: SubmitQueue,
    submissions: Submissions,
    messages: Receiver<Message>,
    judge: Judge,
    /// Checked, and waiting for the log.
    waiting: Waiting,
    seal: Seal,
    engine: Engine,
    /// What holds in the epoch of the next block.
    rules: Rules,
    subscribers: Arc<Subscribers>,
    waiters: Arc<Waiters>,
    clock: Clock,
    policy: CommitPolicy,
    /// When the database is committed, if something is to be.
    due: Option<Duration>,
}

impl Stepped {
    pub(crate) fn new(parts: Parts, clock: Clock) -> Self {
        let Parts { common, queue, submissions, messages, judge, seal, engine, rules, subscribers, waiters, commit } =
            parts;
        Self {
            common,
            queue,
            submissions,
            messages,
            judge,
            waiting: Waiting::new(WAITING),
            seal,
            engine,
            rules,
            subscribers,
            waiters,
            clock,
            policy: commit,
            due: None,
        }
    }

    /// Does all that there is to do. Answers how long until there is more if nothing comes.
    ///
    /// # Errors
    /// Why the chain cannot go on. It is stopped then.
    pub fn step(&mut self) -> Result<Duration, Arc<Fault>> {
        self.advance().map_err(|fault| {
            self.common.faults.report("step", fault);
            self.queue.close();
            self.common.faults.first().unwrap_or_else(|| Arc::new(Fault::Panicked("step")))
        })
    }

    /// Takes no more, and ends as a node that is told to stop: what was taken in is durable, what is final committed.
    ///
    /// # Errors
    /// Why it could not.
    pub fn finish(mut self) -> Result<(), Arc<Fault>> {
        self.queue.close();
        self.step()?;
        self.seal.ledger.close().map_err(Fault::from)?;
        commit::commit(&self.common)?;
        Ok(())
    }

    fn advance(&mut self) -> Result<Duration, Fault> {
        while self.take_in()? | self.seal_and_execute()? {}
        self.commit_if_due()?;
        Ok(self.seal.ledger.patience(&*self.seal.driver))
    }

    /// Brings what was submitted and sent to the log; whether there was anything.
    fn take_in(&mut self) -> Result<bool, Fault> {
        let mut took = false;
        if let Some(batch) = self.submissions.take(CHECKED_RECORDS, CHECKED_BYTES) {
            took |= !batch.is_empty();
            intake::check(batch, &self.judge, &mut self.waiting, &self.common.metrics);
        }
        let gas = Gas(self.judge.limits().block_gas.0 >> BATCH_GAS_SHIFT);
        while !self.waiting.is_empty() && !self.seal.ledger.is_full() {
            self.seal.ledger.take(intake::next_batch(&mut self.waiting, gas))?;
            took = true;
        }
        while let Ok(message) = self.messages.try_recv() {
            if let Some(arrival) = message.judged(&self.judge) {
                self.seal.ledger.arrived(arrival)?;
            }
            took = true;
        }
        Ok(took)
    }

    /// Gives the driver its turn; whether a block became final.
    fn seal_and_execute(&mut self) -> Result<bool, Fault> {
        let Some(finalised) = self.seal.turn()? else { return Ok(false) };
        let executed = execute::execute(&self.engine, &mut self.rules, finalised, &self.common)?;
        let (results, published) = root::apply(executed, &self.common)?;
        self.seal.ledger.executed(results);
        publish::publish(&published, &self.subscribers, &self.waiters, &self.common);
        Ok(true)
    }

    fn commit_if_due(&mut self) -> Result<(), Fault> {
        let waiting = self.common.store.uncommitted();
        let now = self.clock.elapsed();
        let due = *self.due.get_or_insert_with(|| now.saturating_add(self.policy.interval));
        if waiting.blocks == 0 {
            self.due = None;
        } else if due <= now || waiting.bytes >= self.policy.bytes || waiting.blocks >= self.policy.blocks {
            commit::commit(&self.common)?;
            self.due = None;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Stepped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stepped").finish_non_exhaustive()
    }
}
