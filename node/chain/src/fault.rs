//! Why a running chain stopped by itself, and telling everyone once.
//!
//! A stage that cannot go on reports its fault and returns. Its channels close with it, so the stages before and
//! behind it come to their ends too: nothing is accepted, sealed or published after a fault.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustorium_runtime::{ExecuteError, StateError};
use thiserror::Error;

use crate::{
    consensus::ConsensusError,
    handle::{self, Handle, Promise},
    log::LogError,
    storage::StoreError,
};

/// Why a chain stopped by itself.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The log failed.
    #[error("the log failed")]
    Log(#[from] LogError),
    /// The consensus driver failed.
    #[error("consensus failed")]
    Consensus(#[from] ConsensusError),
    /// A block could not be executed.
    #[error("a block could not be executed")]
    Execute(#[from] ExecuteError),
    /// State could not be read.
    #[error("state could not be read")]
    State(#[from] StateError),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// A defect of this software.
    #[error("the {0} stage panicked: this is a defect")]
    Panicked(&'static str),
}

/// Where the first fault is kept. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    first: Option<Arc<Fault>>,
    waiting: Vec<Promise<Arc<Fault>>>,
    closed: bool,
}

impl Faults {
    /// Keeps a fault if it is the first, and tells those who wait.
    pub(crate) fn report(&self, stage: &'static str, fault: Fault) {
        tracing::error!(stage, error = &fault as &(dyn std::error::Error + 'static), "the chain stopped");
        let fault = Arc::new(fault);
        let mut state = self.lock();
        if state.first.is_none() {
            state.first = Some(Arc::clone(&fault));
            for waiting in state.waiting.drain(..) {
                waiting.keep(Arc::clone(&fault));
            }
        }
    }

    /// The first fault.
    pub(crate) fn first(&self) -> Option<Arc<Fault>> {
        self.lock().first.clone()
    }

    /// Waits for the first fault.
    pub(crate) fn wait(&self) -> Handle<Arc<Fault>> {
        let (promise, handle) = handle::promise();
        let mut state = self.lock();
        match &state.first {
            Some(fault) => promise.keep(Arc::clone(fault)),
            None if state.closed => drop(promise),
            None => state.waiting.push(promise),
        }
        handle
    }

    /// Says that there will be no fault any more.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
