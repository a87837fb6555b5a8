//! Makes executed blocks durable in the database: several at once, and never on the way to publishing them.
//!
//! The log has all of them, so what is not committed when the node dies is executed again. On a full disk a commit
//! takes until there is room (`storage/backend.rs`); blocks wait in memory meanwhile, up to a bound (`root.rs`).
//!
//! Nobody waits for a commit, and one keeps a core busy for some 50 ms: so this thread lets the others go first.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::Common;
use crate::fault::Fault;

/// When blocks are committed: as soon as one of these is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitPolicy {
    /// This long after the first of them. Default: 500 ms, so that little is executed again after a crash.
    pub interval: Duration,
    /// They take about this many bytes. Default: 8 MiB, some thousand transactions.
    pub bytes: usize,
    /// There are this many of them. Default: no limit.
    pub blocks: u64,
}

impl Default for CommitPolicy {
    fn default() -> Self {
        Self { interval: Duration::from_millis(500), bytes: 8 << 20, blocks: u64::MAX }
    }
}

/// How nice the thread is, of 19: it gets a third of a core where the others want all of them.
const NICENESS: i32 = 5;

/// Runs until the stage before has ended, and commits what is left then.
pub(super) fn run(policy: CommitPolicy, from: &Receiver<()>, room: &Sender<()>, common: &Common) -> Result<(), Fault> {
    // Linux takes it for the thread that asks. Where it is refused, commits are only less polite.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let mut due: Option<Instant> = None;
    loop {
        let ended = match due {
            None => from.recv().is_err(),
            Some(due) => from.recv_deadline(due) == Err(RecvTimeoutError::Disconnected),
        };
        let waiting = common.store.uncommitted();
        common.metrics.uncommitted_blocks.set(waiting.blocks);
        common.metrics.uncommitted_bytes.set(waiting.bytes as u64);
        let reached = waiting.bytes >= policy.bytes || waiting.blocks >= policy.blocks;
        if waiting.blocks > 0 && (ended || reached || due.is_some_and(|due| Instant::now() >= due)) {
            match commit(common) {
                // Only a chain that is shut down does not wait for room. It loses nothing: the log has these blocks.
                Err(Fault::Store(error)) if error.is_full() && !common.store.room().is_patient() => {
                    tracing::warn!(blocks = waiting.blocks, "no room to commit: executed again at the next start");
                    return Ok(());
                }
                outcome => outcome?,
            }
            due = None;
            // A token that nobody has taken yet says the same.
            let _ = room.try_send(());
        } else if waiting.blocks > 0 && due.is_none() {
            due = Instant::now().checked_add(policy.interval);
        }
        if ended {
            return Ok(());
        }
    }
}

/// Commits what is executed.
pub(super) fn commit(common: &Common) -> Result<(), Fault> {
    let started = Instant::now();
    let blocks = common.metrics.uncommitted_blocks.get();
    let _span = tracing::debug_span!("commit", blocks).entered();
    let height = common.store.commit()?;
    let took = started.elapsed();
    tracing::debug!(height = height.0, ms = took.as_millis() as u64, "committed");
    common.metrics.commits.add(1);
    common.metrics.commit_us.add_time(took);
    common.metrics.commit_blocks.add(blocks);
    let waiting = common.store.uncommitted();
    common.metrics.uncommitted_blocks.set(waiting.blocks);
    common.metrics.uncommitted_bytes.set(waiting.bytes as u64);
    Ok(())
}
