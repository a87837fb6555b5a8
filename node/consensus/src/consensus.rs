//! Consensus as the node runs it: a thread of its own with commonware's runtime, and a handle that ends it.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use commonware_cryptography::Signer;
use commonware_runtime::{Runner as _, Spawner as _, Supervisor as _, tokio::Config as RuntimeConfig, tokio::Runner};
use rustorium_chain::desk::Asks;
use tokio::sync::oneshot;

use crate::{
    committees::{Committees, private_key},
    config::{Config, Start, StartError},
    event::{Event, Failure, Observer},
    network::{self, Ports},
    validator::{self, Setup},
};

/// How long tasks have to end when consensus is stopped.
const STOPPING: Duration = Duration::from_secs(2);

/// Consensus that runs. Dropping it stops it, and blocks until it has.
#[derive(Debug)]
pub struct Consensus {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Consensus {
    /// Starts to take part in a chain's consensus, or to follow it where this node is no validator. Asks the chain at
    /// `asks` from its own threads, tells `observer` what happens, and goes on from `start`.
    ///
    /// # Errors
    /// If the settings or the place to start from do not hold together, or the thread cannot start.
    pub fn start(
        config: Config,
        start: Start,
        asks: Asks,
        ports: Ports,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, StartError> {
        config.timeouts.check()?;
        let epochs = config.epochs()?;
        let origin = start.check(config.chain, epochs)?;
        let key = private_key(&config.key).ok_or(StartError::Key)?;
        let committees = Committees::new(config.chain, &config.key).ok_or(StartError::Key)?;
        std::fs::create_dir_all(&config.directory).map_err(StartError::Thread)?;
        let setup = Setup {
            prefix: "consensus".to_owned(),
            chain: config.chain,
            epochs,
            me: key.public_key(),
            committees,
            origin,
            timeouts: config.timeouts,
            caution: config.caution,
            retained: config.retained_blocks,
            asks,
            observer: Arc::clone(&observer),
        };
        let runtime =
            RuntimeConfig::new().with_worker_threads(config.threads.max(1)).with_storage_directory(config.directory);
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("consensus".to_owned())
            .spawn(move || live(runtime, setup, ports, &*observer, stopped))
            .map_err(StartError::Thread)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }

    /// True once it has ended, whatever the reason: the observer was told.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it, and blocks until it has, two seconds at the most: nothing is asked, sent or written any more.
    ///
    /// # Errors
    /// If its thread died; the observer was told.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some(stop) = self.stop.take() {
            // Nobody hears it: it has ended.
            let _ = stop.send(());
        }
        let ended = self.thread.take().map(JoinHandle::join);
        ended.transpose().map(|_| ()).map_err(|_| io::Error::other("consensus' thread died"))
    }
}

impl Drop for Consensus {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "consensus was stopped");
        }
    }
}

/// The thread's life.
fn live(runtime: RuntimeConfig, setup: Setup, ports: Ports, observer: &dyn Observer, stopped: oneshot::Receiver<()>) {
    let life = catch_unwind(AssertUnwindSafe(|| {
        Runner::new(runtime).start(|context| async move {
            let validator = context.child("validator").spawn(move |context| async move {
                let (network, links) = network::open(&context, ports);
                validator::run(context, setup, network, links).await
            });
            let failure = tokio::select! {
                biased;
                _ = stopped => None,
                failure = validator => Some(failure.unwrap_or(Failure::Engine)),
            };
            if let Err(error) = context.stop(0, Some(STOPPING)).await {
                tracing::warn!(%error, "consensus' tasks did not end in time");
            }
            failure
        })
    }));
    match life {
        Ok(None) => {}
        Ok(Some(failure)) => observer.observe(Event::Failed(failure)),
        Err(_) => observer.observe(Event::Failed(Failure::Engine)),
    }
}
