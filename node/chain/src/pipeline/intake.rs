//! Checks what is submitted, in batches, and refuses what could never be executed.

use crossbeam_channel::Sender;

use super::hand_on;
use crate::{
    handle::Promise,
    metrics::Metrics,
    submit::{Accepted, Refused, Submissions},
    verify::{Checked, Judge, Meaning},
};

/// Records of a batch: a batch of 64 signatures already costs half of 64 single ones.
const BATCH_RECORDS: usize = 256;
/// Bytes of a batch.
const BATCH_BYTES: usize = 2 << 20;

/// A record that may be appended, and whom to tell when it is durable.
pub(crate) struct Taken {
    pub(crate) record: Checked,
    pub(crate) answer: Promise<Result<Accepted, Refused>>,
}

/// Runs until the queue is closed or the next stage has ended.
pub(super) fn run(submissions: &Submissions, judge: &Judge, to: &Sender<Vec<Taken>>, metrics: &Metrics) {
    loop {
        let batch = submissions.take(BATCH_RECORDS, BATCH_BYTES);
        if batch.is_empty() {
            return;
        }
        let _span = tracing::debug_span!("verify", records = batch.len()).entered();
        let (records, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.record, one.answer)).unzip();
        let mut taken = Vec::with_capacity(records.len());
        for (record, answer) in judge.check(records).into_iter().zip(answers) {
            match record.meaning {
                Meaning::Junk(refused) => {
                    tracing::debug!(%refused, "refused");
                    metrics.refused.add(1);
                    answer.keep(Err(refused));
                }
                Meaning::Transaction(ref transaction) => {
                    tracing::trace!(transaction = %transaction.hash, "verified");
                    taken.push(Taken { record, answer });
                }
                Meaning::Control(_) => taken.push(Taken { record, answer }),
            }
        }
        if !taken.is_empty() && !hand_on(to, taken) {
            return;
        }
    }
}
