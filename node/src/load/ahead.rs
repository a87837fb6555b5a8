//! Connections that run ahead: they submit on when the last submission is accepted.
//!
//! Each remembers its submissions that may not be executed yet, and before there are too many waits for a receipt of
//! the oldest one. What a connection submits later has later places in the log, so when all of its last submission is
//! executed, so is all that it submitted; the clock stops there, and every receipt is read behind it.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustorium_client::{
    Client, ClientError,
    model::{SignedInput, Wait},
};
use rustorium_types::id::Hash;
use tokio::{task::JoinSet, time::sleep};

use super::{Clock, LoadError, LoadOptions, Outcome};

/// Between two looks at a transaction that is not executed yet.
const PAUSE: Duration = Duration::from_millis(5);

/// Batches that connections take in turns.
struct Queue {
    batches: Vec<Vec<SignedInput>>,
    taken: AtomicUsize,
}

impl Queue {
    fn new(batches: Vec<Vec<SignedInput>>) -> Arc<Self> {
        Arc::new(Self { batches, taken: AtomicUsize::new(0) })
    }

    /// The next batch and its number.
    fn take(&self) -> Option<(usize, &[SignedInput])> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        self.batches.get(number).map(|batch| (number, &**batch))
    }

    /// The same batches once more.
    fn rewind(&self) {
        self.taken.store(0, Ordering::Relaxed);
    }
}

pub(super) async fn submit_all(
    client: &Client,
    batches: Vec<Vec<SignedInput>>,
    options: &LoadOptions,
    progress: impl Fn(&str),
) -> Result<Outcome, LoadError> {
    let queue = Queue::new(batches);
    let mut total = Outcome::default();
    let mut running = JoinSet::new();
    let clock = Clock::start(None);
    for _ in 0..options.connections {
        running.spawn(submit(client.clone(), Arc::clone(&queue), options.under_way));
    }
    total.join(&mut running).await?;
    total.seconds = clock.seconds();
    progress("reading receipts");
    queue.rewind();
    for _ in 0..options.connections {
        running.spawn(read(client.clone(), Arc::clone(&queue), options.batch));
    }
    total.join(&mut running).await?;
    Ok(total)
}

async fn submit(client: Client, queue: Arc<Queue>, most_under_way: usize) -> Result<Outcome, ClientError> {
    let mut outcome = Outcome::default();
    let mut under_way = VecDeque::new();
    let mut last = None;
    let clock = Clock::start(None);
    while let Some((number, batch)) = queue.take() {
        if under_way.len() == most_under_way
            && let Some(Some(oldest)) = under_way.pop_front()
        {
            executed(&client, &oldest).await?;
        }
        let due = clock.due(number).await;
        let results = client.submit(batch, Wait::Accepted).await?;
        outcome.latencies.add(due.elapsed());
        let accepted = results.iter().filter(|result| result.status.is_some());
        under_way.push_back(accepted.filter_map(|result| result.hash).next_back());
        last = Some(batch);
    }
    if let Some(batch) = last {
        client.submit(batch, Wait::Executed).await?;
    }
    Ok(outcome)
}

async fn executed(client: &Client, hash: &Hash) -> Result<(), ClientError> {
    while client.transaction(hash).await?["status"]["type"] == "Pending" {
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Reads receipts. What is known is not executed again, so a transaction that is submitted once more is answered with
/// what became of it.
async fn read(client: Client, queue: Arc<Queue>, batch_size: usize) -> Result<Outcome, ClientError> {
    let mut outcome = Outcome::default();
    while let Some((number, batch)) = queue.take() {
        outcome.count(number * batch_size, &client.submit(batch, Wait::Executed).await?);
    }
    Ok(outcome)
}
