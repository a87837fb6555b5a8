//! Errors that are nobody's transaction's fault.

use std::path::PathBuf;

use thiserror::Error;

use crate::state::StateError;

/// Why an execution came to nothing. It has no receipt and no effects, and says nothing of the transaction: the
/// caller must stop, because another machine may well be able to run it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// State could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The machine could not run WebAssembly: no memory, no address space, no thread.
    #[error("the WebAssembly engine failed")]
    Engine(#[source] EngineError),
}

/// A failure of the WebAssembly engine or of the machine under it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// wasmtime failed.
    #[error("{0:#}")]
    Wasmtime(wasmtime::Error),
    /// A thread to execute on could not be started.
    #[error("a thread to execute on could not be started")]
    Thread(#[source] std::io::Error),
    /// An invariant of this crate does not hold.
    #[error("the runtime is wrong about itself: {0}")]
    Invariant(&'static str),
}

/// Why a [`Runtime`](crate::Runtime) could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The engine refuses its configuration, or cannot reserve address space for its pool.
    #[error("the WebAssembly engine could not be set up")]
    Engine(#[source] EngineError),
    /// The directory of compiled modules could not be made.
    #[error("the directory of compiled modules, {}, could not be made", path.display())]
    CacheDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl From<EngineError> for ExecuteError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<wasmtime::Error> for EngineError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Wasmtime(error)
    }
}
