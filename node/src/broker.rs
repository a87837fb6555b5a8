//! The lanes that all nodes of a chain share, on a broker: what joins `rustorium-redpanda` to the chain.
//!
//! ```text
//! chain ── offer ──► Port ──► topics ──► Reader, one thread ── Exchange::store ──► the chain's log
//!                               ▲            │ from where the log ends, on from where the log says
//!                               └── place ───┘
//! ```
//!
//! The broker keeps bytes, and is believed in nothing else. It can be away: then what is submitted goes to validators'
//! own lanes. It can contradict what was read before: then the lane is set aside, and what is final stays as it is.
//! Neither stops the chain.
//!
//! Nothing is remembered at the broker, and no position beside the log (`place.rs`).

mod figures;
mod place;
mod reader;
mod retention;
mod standing;
mod stretch;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use rustorium_chain::{chain::Chain, exchange::SharedLanes};
use rustorium_redpanda::{Change, Lanes, Role, SettingsError, Shard, TopicsError};
use rustorium_types::genesis::Genesis;
use thiserror::Error;

use self::{reader::Reader, standing::Standing};
use crate::config;

/// For a broker's answer to one question. A node that starts while the broker is away waits for it once.
const REQUEST: Duration = Duration::from_secs(5);
/// For a record to come back: hundreds of times what a broker of one region takes, and short enough for a client to wait.
const PATIENCE: Duration = Duration::from_secs(2);
/// For the reader to end when it is told to: it may wait for an answer.
const ENDING: Duration = Duration::from_secs(1);

/// A chain's topics, as one node has them.
pub(crate) struct Topics {
    lanes: Lanes,
    standing: Arc<Standing>,
}

/// Why the topics cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// A setting.
    #[error("setting `broker`: {0}")]
    Settings(#[from] SettingsError),
    /// The topics are not as they have to be.
    #[error(transparent)]
    Topics(#[from] TopicsError),
    /// The system gives no thread.
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
}

/// What reads the topics, until it is told to stop.
pub(crate) struct Reading {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Topics {
    /// The topics of a chain, made where they are missing and checked; none if the settings name no broker. Blocks for
    /// a broker's answers.
    ///
    /// # Errors
    /// When a setting cannot be used or a topic is not as it has to be; never because a broker is away.
    pub(crate) fn connect(broker: &config::Broker, genesis: &Genesis) -> Result<Option<Arc<Self>>, BrokerError> {
        let Some(mut settings) = broker.settings(genesis) else { return Ok(None) };
        settings.timeouts.request = REQUEST;
        let standing = Arc::new(Standing::new(genesis.shards));
        let heard = Arc::clone(&standing);
        let lanes = Lanes::connect(settings, move |change| heard.heed(&change))?;
        let topics = Arc::new(Self { lanes, standing });
        match topics.prepare() {
            Ok(()) => {}
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "the broker is away: transactions are kept by this node until it is there");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Some(topics))
    }

    /// How a chain hands records to them.
    pub(crate) fn port(self: &Arc<Self>) -> Box<dyn SharedLanes> {
        Box::new(Port(Arc::clone(self)))
    }

    /// Begins to read them into a chain's log. `deletes` if what is final is to be deleted from them.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn read(self: &Arc<Self>, chain: Chain, deletes: bool) -> Result<Reading, BrokerError> {
        let stop = Arc::new(AtomicBool::new(false));
        let reader = Reader::new(Arc::clone(self), chain, Arc::clone(&stop), deletes);
        let thread = std::thread::Builder::new().name("broker".into()).spawn(move || reader.run());
        Ok(Reading { stop, thread: thread.map_err(BrokerError::Thread)? })
    }

    /// Makes the topics that are missing, and checks all.
    fn prepare(&self) -> Result<(), TopicsError> {
        let made = self.lanes.prepare()?;
        for shard in made {
            let topic = self.lanes.settings().topic(shard);
            tracing::info!(topic, "made a topic");
        }
        self.standing.set_checked();
        Ok(())
    }
}

impl Reading {
    /// Tells the reader to stop, and waits for it, but not for a broker that it waits for.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Release);
        let ended = async {
            while !self.thread.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // A thread that waits for an answer ends with the process.
        let _ = tokio::time::timeout(ENDING, ended).await;
    }
}

/// The chain's way to the topics.
struct Port(Arc<Topics>);

impl SharedLanes for Port {
    fn offer(&self, lane: u32, record: Bytes) -> bool {
        // Whether it was acknowledged is seen by its coming back.
        self.is_up(lane) && self.0.lanes.submit(Shard(lane), &record).is_ok()
    }

    fn is_up(&self, lane: u32) -> bool {
        self.0.standing.takes(lane)
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

impl Standing {
    fn heed(&self, change: &Change) {
        match change {
            Change::Up(Role::Producer) => {
                self.set_up(true);
                tracing::info!("the broker is there: transactions go to shared lanes");
            }
            Change::Down(Role::Producer) => {
                self.set_up(false);
                tracing::warn!("the broker is away: transactions go to validators' own lanes");
            }
            Change::ProducerRenewed { error, reason } => {
                tracing::warn!(%error, reason, "the broker fenced the producer off: a new one takes its place");
            }
            _ => {}
        }
    }
}
