//! Threads that run contracts for readers: views and dry runs.
//!
//! Contracts need a deep stack and may take long, so they run neither on the I/O threads nor on the engine's.
//! The queue is bounded: a node that is asked for more than it can run says so at once.

use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError, bounded};
use rustorium_types::code::Code;
use tokio::sync::oneshot;

use super::problem::ApiError;

/// Jobs that wait: some seconds of the dearest views.
const QUEUE: usize = 256;
/// When to try again if the queue is full: some of it has run by then.
const RUN_AFTER: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// The threads; they end when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct Workers {
    jobs: Sender<Job>,
}

impl Workers {
    /// Starts as many threads.
    ///
    /// # Errors
    /// If the system gives none.
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let (jobs, queue) = bounded::<Job>(QUEUE);
        for number in 0..threads {
            let queue = queue.clone();
            rustorium_runtime::spawn(&format!("view-{number}"), move || {
                while let Ok(job) = queue.recv() {
                    job();
                }
            })?;
        }
        Ok(Self { jobs })
    }

    /// Jobs that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.jobs.len()
    }

    /// Runs a job on one of the threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            // Whoever asked may have gone away.
            let _ = answer.send(job());
        });
        match self.jobs.try_send(job) {
            Ok(()) => answered.await.unwrap_or_else(|_| Err(ApiError::internal("a view's thread ended"))),
            Err(TrySendError::Full(_)) => {
                Err(ApiError::busy("the node runs as many views as it can; try again", RUN_AFTER))
            }
            Err(TrySendError::Disconnected(_)) => Err(ApiError::new(Code::LogUnavailable, "the node is stopping")),
        }
    }
}
