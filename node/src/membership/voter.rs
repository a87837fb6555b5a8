//! Consensus for as long as the node runs: it is started again after its disk was full.
//!
//! commonware's journals end with the first write that fails. The chain's log and database wait for room instead, and so
//! a full disk must not end the node: where consensus ended and there is no room, it is started again once there is. What
//! was written of a last entry is cut off then, as after a crash. Where there is room, the failure was another, and stands.
//!
//! ```text
//! network ── votes, certificates, resolver ──► pipes ──► consensus, until it fails ──► room? ──► the next one
//! ```

use std::{fs, io, io::Write as _, path::Path, sync::Arc, time::Duration};

use rustorium_chain::{chain::Chain, desk::Asks};
use rustorium_consensus::{Config, Consensus, Directory, Failure, Observer, Ports, Start};
use rustorium_network::{Message, Network};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::MembershipError;
use crate::peers;

/// Messages of a class on the way to consensus, besides the network's own queue.
const ON_THE_WAY: usize = 64;
/// Between two looks whether there is room.
const PAUSE: Duration = Duration::from_secs(1);
/// Bytes that there must be: more than the journals' buffers.
const ROOM_BYTES: usize = 4 << 20;

/// What consensus is started with, again and again.
pub(super) struct Parts {
    pub(super) settings: Config,
    pub(super) chain: Chain,
    pub(super) asks: Asks,
    pub(super) network: Network,
    pub(super) directory: Directory,
    pub(super) inbox: peers::Consensus,
    pub(super) observer: Arc<dyn Observer>,
}

/// Consensus that runs, or waits for room.
pub(super) struct Voter {
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

/// The ways into one consensus.
struct Pipes {
    votes: mpsc::Sender<Message>,
    certificates: mpsc::Sender<Message>,
    resolver: mpsc::Sender<Message>,
}

impl Voter {
    /// Starts it. `failures` are those that the observer hears of; `failed` is told of the one that stands.
    ///
    /// # Errors
    /// If it does not start the first time.
    pub(super) fn start(
        parts: Parts,
        failures: mpsc::UnboundedReceiver<Failure>,
        failed: impl FnOnce(Failure) + Send + 'static,
    ) -> Result<Self, MembershipError> {
        let (stop, stopped) = oneshot::channel();
        let first = parts.start()?;
        let task = tokio::spawn(run(parts, first, failures, failed, stopped));
        Ok(Self { stop, task })
    }

    /// Votes no more, and ends.
    pub(super) async fn stop(self) -> io::Result<()> {
        // Nobody hears it: it has ended.
        let _ = self.stop.send(());
        self.task.await.map_err(io::Error::other)?
    }
}

impl Parts {
    fn start(&self) -> Result<(Consensus, Pipes), MembershipError> {
        let (votes, votes_in) = mpsc::channel(ON_THE_WAY);
        let (certificates, certificates_in) = mpsc::channel(ON_THE_WAY);
        let (resolver, resolver_in) = mpsc::channel(ON_THE_WAY);
        let ports = Ports {
            network: self.network.clone(),
            directory: self.directory.clone(),
            votes: votes_in,
            certificates: certificates_in,
            resolver: resolver_in,
        };
        let start = Start::of(&self.chain)?.ok_or(MembershipError::Epoch)?;
        let settings = self.settings.clone();
        let consensus = Consensus::start(settings, start, self.asks.clone(), ports, Arc::clone(&self.observer))?;
        Ok((consensus, Pipes { votes, certificates, resolver }))
    }
}

async fn run(
    mut parts: Parts,
    first: (Consensus, Pipes),
    mut failures: mpsc::UnboundedReceiver<Failure>,
    failed: impl FnOnce(Failure),
    mut stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let (mut consensus, mut pipes) = first;
    loop {
        let failure = tokio::select! {
            _ = &mut stopped => None,
            failure = failures.recv() => failure,
            () = pipe(&mut parts.inbox, &pipes) => None,
        };
        let ended = tokio::task::spawn_blocking(move || consensus.stop()).await;
        let ended = ended.map_err(io::Error::other).flatten();
        let Some(failure) = failure else { return ended };
        if !matches!(failure, Failure::Engine | Failure::Storage) || has_room(&parts.settings.directory).await {
            failed(failure);
            return ended;
        }
        tracing::error!("the disk is full: this validator does not vote until there is room");
        (consensus, pipes) = loop {
            tokio::select! {
                _ = &mut stopped => return Ok(()),
                () = tokio::time::sleep(PAUSE) => {}
            }
            if !has_room(&parts.settings.directory).await {
                continue;
            }
            match parts.start() {
                Ok(started) => break started,
                Err(error) => tracing::error!(%error, "consensus is not started again yet"),
            }
        };
        tracing::info!("there is room again: consensus goes on");
    }
}

/// Hands on what comes in, for ever: without a network nothing comes in any more.
async fn pipe(inbox: &mut peers::Consensus, pipes: &Pipes) {
    async fn one(from: &mut mpsc::Receiver<Message>, to: &mpsc::Sender<Message>) {
        while let Some(message) = from.recv().await {
            // Of a consensus that has failed, messages are dropped, as the network drops.
            let _ = to.send(message).await;
        }
    }
    tokio::join!(
        one(&mut inbox.votes, &pipes.votes),
        one(&mut inbox.certificates, &pipes.certificates),
        one(&mut inbox.resolver, &pipes.resolver),
    );
    std::future::pending().await
}

/// Whether a directory's disk takes some more.
async fn has_room(directory: &Path) -> bool {
    let path = directory.join("room");
    let tried = tokio::task::spawn_blocking(move || {
        let written = fs::File::create(&path).and_then(|mut file| {
            file.write_all(&vec![0; ROOM_BYTES])?;
            file.sync_all()
        });
        let removed = fs::remove_file(&path);
        written.and(removed)
    });
    match tried.await {
        Ok(Err(error)) => !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded),
        _ => true,
    }
}
