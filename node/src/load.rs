//! Loads a node through its public API and says what it carried: what `rustorium load` calls.
//!
//! ```text
//! stage: deploy a token, fund the senders ─► sign every transfer ─► clock on
//!   connections take batches in turn and submit ─► clock off ─► read every receipt, check every balance
//! ```
//!
//! The clock runs from the first submission until the last receipt is readable; signing, funding and checking
//! are outside it. How connections go about it:
//!
//! - in a closed loop, one submission under way: the next when all of the last one is executed;
//! - ahead, several under way: the next when the last one is accepted, as long as no more than so many wait for
//!   execution;
//! - at a rate: batches are due at fixed times and a latency counts from the time due, so that a node that falls
//!   behind cannot hide it.

mod ahead;
mod clock;
mod stage;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rustorium_client::{
    Client, ClientError, Signer,
    model::{SignedInput, SubmitResult, TransactionStatus, Wait},
};
use serde::Serialize;
use thiserror::Error;
use tokio::task::JoinSet;

use clock::Clock;
pub use clock::{Latencies, Latency};
pub use stage::Stage;

/// Nonces that one sender may have under way: the window is 256 wide.
const UNDER_WAY: usize = 200;

/// What to load a node with.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Token transfers in all.
    pub transfers: usize,
    /// Connections that submit at the same time.
    pub connections: usize,
    /// Transfers of one submission.
    pub batch: usize,
    /// Submissions of one connection that may be accepted and not executed yet; 1 is a closed loop. Not with a rate.
    pub under_way: usize,
    /// Transfers a second; as fast as answers come if none.
    pub rate: Option<f64>,
    /// Accounts that send.
    pub senders: usize,
    /// Accounts that receive.
    pub recipients: usize,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadReport {
    /// Transfers that the node accepted.
    pub accepted: usize,
    /// Transfers that were executed with success.
    pub executed: usize,
    /// Transfers that were refused, dropped or failed.
    pub failed: usize,
    /// From the first submission until the last receipt.
    pub seconds: f64,
    /// Executed transfers a second.
    pub per_second: f64,
    /// From submission (with a rate: from the time due) until the receipts of the batch; with several under way,
    /// until the batch is accepted.
    pub latency_ms: Latency,
    /// Why the first of those that failed did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
}

/// Why there is no report.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// An option is zero.
    #[error("`{0}` must be at least 1")]
    Zero(&'static str),
    /// More under way than the nonce window takes.
    #[error(
        "{connections} connections with {under_way} × {batch} transfers under way need at least {needed} senders, or \
         nonces leave the window"
    )]
    Senders {
        /// As asked.
        connections: usize,
        /// As asked.
        batch: usize,
        /// As asked.
        under_way: usize,
        /// How many would do.
        needed: usize,
    },
    /// The node does not answer, or not in its own words.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The node did not do what prepares the load.
    #[error("{step} failed: {reason}")]
    Stage {
        /// What was tried.
        step: &'static str,
        /// What was answered.
        reason: String,
    },
    /// A balance is not what the receipts say.
    #[error("recipient {recipient} has {actual}; its receipts add up to {expected}")]
    Balance {
        /// The recipient's number.
        recipient: usize,
        /// What its receipts say.
        expected: u128,
        /// What the token says.
        actual: u128,
    },
}

impl LoadOptions {
    fn check(&self) -> Result<(), LoadError> {
        let counts = [
            ("--transfers", self.transfers),
            ("--connections", self.connections),
            ("--batch", self.batch),
            ("--under-way", self.under_way),
            ("--senders", self.senders),
            ("--recipients", self.recipients),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(LoadError::Zero(name));
        }
        let Self { connections, batch, under_way, .. } = *self;
        let needed = (connections * batch * under_way).div_ceil(UNDER_WAY);
        if self.rate.is_none() && self.senders < needed {
            return Err(LoadError::Senders { connections, batch, under_way, needed });
        }
        Ok(())
    }
}

/// Loads the node. `payer` funds the senders; `token` is the standard token's module.
///
/// # Errors
/// If the options make no sense, the node does not answer, or a balance is wrong afterwards. A transfer that
/// fails is counted.
pub async fn run(
    client: &Client,
    payer: &Signer,
    token: Vec<u8>,
    options: LoadOptions,
    progress: impl Fn(&str),
) -> Result<LoadReport, LoadError> {
    options.check()?;
    progress("deploying a token and funding the senders");
    let stage = Stage::set(client, payer, token, &options).await?;
    run_on(client, &stage, &options, progress).await
}

/// Loads the node on a stage that was set with the same options and not used yet.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    client: &Client,
    stage: &Stage,
    options: &LoadOptions,
    progress: impl Fn(&str),
) -> Result<LoadReport, LoadError> {
    options.check()?;
    progress("signing");
    let batches = stage.sign(options);
    progress("submitting");
    let outcome = if options.under_way > 1 && options.rate.is_none() {
        ahead::submit_all(client, batches, options, &progress).await?
    } else {
        submit_all(client, batches, options).await?
    };
    progress("checking balances");
    stage.check(client, &outcome.succeeded, options).await?;
    let executed = outcome.succeeded.len();
    Ok(LoadReport {
        accepted: outcome.accepted,
        executed,
        failed: options.transfers - executed,
        seconds: outcome.seconds,
        per_second: executed as f64 / outcome.seconds.max(f64::EPSILON),
        latency_ms: outcome.latencies.summary(),
        first_failure: outcome.first_failure,
    })
}

/// What the connections found.
#[derive(Default)]
struct Outcome {
    accepted: usize,
    /// The numbers of the transfers that succeeded.
    succeeded: Vec<usize>,
    seconds: f64,
    latencies: Latencies,
    first_failure: Option<String>,
}

async fn submit_all(
    client: &Client,
    batches: Vec<Vec<SignedInput>>,
    options: &LoadOptions,
) -> Result<Outcome, LoadError> {
    let batches = Arc::new(batches);
    let next = Arc::new(AtomicUsize::new(0));
    let clock = Clock::start(options.rate.map(|rate| options.batch as f64 / rate));
    // With a rate, as many as needed may be under way: a connection that waits must not delay the next batch.
    let workers = if options.rate.is_some() { batches.len().min(1_024) } else { options.connections };
    let mut running = JoinSet::new();
    for _ in 0..workers {
        let (client, batches, next, batch) = (client.clone(), Arc::clone(&batches), Arc::clone(&next), options.batch);
        running.spawn(async move {
            let mut outcome = Outcome::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(transactions) = batches.get(number) else { return Ok::<_, ClientError>(outcome) };
                let due = clock.due(number).await;
                let results = client.submit(transactions, Wait::Executed).await?;
                outcome.latencies.add(due.elapsed());
                outcome.count(number * batch, &results);
            }
        });
    }
    let mut total = Outcome::default();
    total.join(&mut running).await?;
    total.seconds = clock.seconds();
    Ok(total)
}

impl Outcome {
    /// Adds what workers find until all of them have ended.
    async fn join(&mut self, workers: &mut JoinSet<Result<Self, ClientError>>) -> Result<(), LoadError> {
        while let Some(worker) = workers.join_next().await {
            let part = worker.map_err(|error| LoadError::Stage { step: "submitting", reason: error.to_string() })??;
            self.accepted += part.accepted;
            self.succeeded.extend(part.succeeded);
            self.latencies.append(part.latencies);
            self.first_failure = self.first_failure.take().or(part.first_failure);
        }
        Ok(())
    }

    fn count(&mut self, first: usize, results: &[SubmitResult]) {
        for (offset, result) in results.iter().enumerate() {
            if result.status.is_some() {
                self.accepted += 1;
            }
            let failure = match &result.status {
                Some(TransactionStatus::Success { .. }) => {
                    self.succeeded.push(first + offset);
                    continue;
                }
                Some(TransactionStatus::Failure { error, .. }) => format!("{}: {}", error.code, error.message),
                Some(TransactionStatus::Dropped { code, .. }) => code.clone(),
                _ => result.message.clone().unwrap_or_default(),
            };
            self.first_failure.get_or_insert(failure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: LoadOptions = LoadOptions {
        transfers: 100,
        connections: 8,
        batch: 50,
        under_way: 1,
        rate: None,
        senders: 100,
        recipients: 10,
    };

    #[test]
    fn options_that_leave_the_nonce_window_are_refused() {
        assert!(OPTIONS.check().is_ok());
        assert!(matches!(LoadOptions { senders: 1, ..OPTIONS }.check(), Err(LoadError::Senders { needed: 2, .. })));
        let ahead = LoadOptions { under_way: 51, ..OPTIONS };
        assert!(matches!(ahead.check(), Err(LoadError::Senders { needed: 102, .. })));
        assert!(matches!(LoadOptions { batch: 0, ..OPTIONS }.check(), Err(LoadError::Zero("--batch"))));
    }
}
