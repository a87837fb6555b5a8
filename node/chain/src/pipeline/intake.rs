//! Checks what is submitted, in batches, refuses what could never be executed, and hands on the rest in the turns of
//! its senders.
//!
//! ```text
//! submissions ─► signatures ─► turns of senders ─► log
//!                              │
//!                              waits while the log holds enough for the next blocks
//! ```
//!
//! What is in the log runs in its order, so that whoever fills it makes everyone behind wait. Therefore the log takes
//! only what the next blocks can (`seal.rs`), and the rest waits here, where a sender with much gets one turn as one
//! with little does. Signatures hold by now: no turn is anybody's but the sender's own.

use std::time::{Duration, Instant};

use crossbeam_channel::{Select, Sender};
use rustorium_types::id::{AccountId, Gas};

use super::hand_on;
use crate::{
    ledger::Taken,
    metrics::Metrics,
    submit::{Bounds, Fair, Refused, Share, Submission, Submissions},
    verify::{Judge, Meaning},
};

/// Records whose signatures are checked together: a batch of 64 already costs half of 64 single ones.
pub(super) const CHECKED_RECORDS: usize = 256;
/// Bytes of them.
pub(super) const CHECKED_BYTES: usize = 2 << 20;
/// Records that go to the log at once.
const BATCH_RECORDS: usize = 1_024;
/// Bytes of them.
const BATCH_BYTES: usize = 2 << 20;
/// How long the log has to make room once the queue is closed.
const PATIENCE: Duration = Duration::from_millis(200);
/// What waits for the log. One sender has as many nonces as its window has.
pub(super) const WAITING: Bounds = Bounds { items: 16_384, items_each: 768, bytes: 64 << 20 };

/// By sender; control records have none.
pub(super) type Waiting = Fair<Option<AccountId>, Taken>;

/// Runs until the queue is closed and empty, or the next stage has ended. No batch has more than `gas`, but for its
/// last record. What there is no room for when the queue is closed was never accepted, and its tickets say so.
pub(super) fn run(submissions: &Submissions, judge: &Judge, gas: Gas, to: &Sender<Vec<Taken>>, metrics: &Metrics) {
    let mut waiting = Waiting::new(WAITING);
    let mut open = true;
    while open || !waiting.is_empty() {
        metrics.checked_records.set(waiting.len() as u64);
        let mut select = Select::new();
        let arrived = open.then(|| select.recv(submissions.arrived()));
        if !waiting.is_empty() {
            select.send(to);
        }
        let ready = if open { Ok(select.ready()) } else { select.ready_timeout(PATIENCE) };
        let Ok(ready) = ready else { return };
        if Some(ready) == arrived {
            match submissions.take(CHECKED_RECORDS, CHECKED_BYTES) {
                Some(batch) => check(batch, judge, &mut waiting, metrics),
                None => open = false,
            }
        } else if !hand_on(to, next_batch(&mut waiting, gas)) {
            return;
        }
    }
}

/// Refuses what could never be executed; the rest waits for its sender's turn.
pub(super) fn check(batch: Vec<Submission>, judge: &Judge, waiting: &mut Waiting, metrics: &Metrics) {
    if batch.is_empty() {
        return;
    }
    let started = Instant::now();
    let _span = tracing::debug_span!("verify", records = batch.len()).entered();
    metrics.checked_batches.add(batch.len() as u64);
    let (records, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.record, one.answer)).unzip();
    for (record, answer) in judge.check(records).into_iter().zip(answers) {
        let sender = match &record.meaning {
            Meaning::Junk(refused) => {
                tracing::debug!(%refused, "refused");
                metrics.refused.add(1);
                answer.keep(Err(*refused));
                continue;
            }
            Meaning::Transaction(transaction) => {
                tracing::trace!(transaction = %transaction.hash, "verified");
                Some(transaction.body.sender)
            }
            Meaning::Control(_) => None,
        };
        if let Err(taken) = waiting.push(sender, record.entered.len(), Taken { record, answer }) {
            metrics.refused.add(1);
            taken.answer.keep(Err(Refused::Busy(Share::Sender)));
        }
    }
    metrics.verify_us.add_time(started.elapsed());
}

/// What goes to the log next.
pub(super) fn next_batch(waiting: &mut Waiting, gas: Gas) -> Vec<Taken> {
    let mut batch = Vec::with_capacity(waiting.len().min(BATCH_RECORDS));
    let (mut batch_gas, mut batch_bytes) = (0, 0);
    while batch.len() < BATCH_RECORDS && batch_bytes < BATCH_BYTES && batch_gas < gas.0 {
        let Some((bytes, taken)) = waiting.pop() else { break };
        batch_gas = batch_gas.saturating_add(taken.record.gas.0);
        batch_bytes += bytes;
        batch.push(taken);
    }
    batch
}
