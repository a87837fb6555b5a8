//! The composition root: the only place that knows every part of a node.
//!
//! ```text
//! start     listeners bound ─► genesis ─► chain opened (recovers) ─► served
//! shutdown  refuse ─► answer what was asked ─► drain the pipeline ─► commit
//! ```
//!
//! Listeners are bound first, because a taken port is the likeliest mistake and nothing has been written by then.
//! Whatever is not needed for the first answer (GraphQL's schema, OpenAPI) is made when it is first asked for.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustorium_chain::{
    chain::{Chain, ChainConfig, Network, OpenError},
    clock::Clock,
    exchange::{Alone, SharedLanes},
    fault::Fault,
    pipeline::{CommitPolicy, Published},
    storage::{Durability, StoreOptions},
};
use rustorium_runtime::{Runtime, RuntimeConfig, RuntimeError};
use rustorium_types::{
    block::Outcome,
    ed25519::SigningKey,
    genesis::Genesis,
    id::{Hash, Height, Timestamp},
};
use thiserror::Error;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    admission::{Admission, Pool},
    api::{
        self, App, Parts, Workers,
        server::{self, Bounds},
    },
    broker::{BrokerError, Reading, Topics},
    config::{self, Config, ConfigError},
    dev,
    feed::{Feed, Heights},
    genesis::{self, GenesisError},
    membership::{self, Keys, Membership, MembershipError},
    metrics::{self, Connections, Metrics},
    peers::Links,
};

/// For answers under way when a node stops; the rest of the five seconds is the last commit's.
const DRAIN: Duration = Duration::from_secs(2);
/// Open connections of the metrics' listener.
const METRICS_CONNECTIONS: usize = 64;
/// Files that are no client's: the log, the database, modules, the metrics' connections.
const OTHER_FILES: u64 = 512;

/// A running node.
pub struct Node {
    chain: Chain,
    genesis: Genesis,
    genesis_hash: Hash,
    endpoints: Endpoints,
    membership: Option<Membership>,
    reading: Option<Reading>,
    stop: watch::Sender<bool>,
    servers: JoinSet<()>,
}

/// Where a node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// REST, and the explorer.
    pub rest: String,
    /// GraphQL.
    pub graphql: String,
    /// Streams of JSON.
    pub websocket: String,
    /// Prometheus.
    pub metrics: String,
}

/// Why a node does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something else listens on the port.
    #[error(
        "{address} is in use, perhaps by another node: stop that one, or choose another address with `{setting}` \
         (port 0 takes a free one)"
    )]
    PortInUse {
        /// The address.
        address: SocketAddr,
        /// The setting that says so.
        setting: &'static str,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no genesis to start from.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The directory holds another chain.
    #[error(
        "{} holds the chain {found}, but {wanted} is asked for: choose another --data-dir, or leave the genesis out",
        .directory.display()
    )]
    OtherChain {
        /// The data directory.
        directory: std::path::PathBuf,
        /// The chain in it.
        found: Hash,
        /// The chain that was asked for.
        wanted: Hash,
    },
    /// The chain is not one that this node can run alone.
    #[error("this genesis is not a dev chain's: this version runs dev chains only")]
    NotADevChain,
    /// A directory that `rustorium init` did not make.
    #[error("{} holds no chain: `rustorium init` makes the directories of a new network", .0.display())]
    NoGenesis(std::path::PathBuf),
    /// A broker, and a chain without shared lanes.
    #[error(
        "the chain in {} has no shared lanes, and its genesis fixes that: start it without a broker, or begin a new one \
         in another directory with --shards",
        .0.display()
    )]
    NoShards(std::path::PathBuf),
    /// Another number of shared lanes than the chain has.
    #[error(
        "the chain in {} has {found} shared lanes, not {wanted}, and its genesis fixes that: leave the number out, or \
         begin a new chain in another directory",
        .directory.display()
    )]
    OtherShards {
        /// The data directory.
        directory: std::path::PathBuf,
        /// How many the chain has.
        found: u32,
        /// How many were asked for.
        wanted: u32,
    },
    /// The broker's topics cannot be used.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The node cannot take part in its network.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// The system has no randomness.
    #[error("the system has no randomness: {0}")]
    Randomness(getrandom::Error),
    /// The WebAssembly runtime cannot be set up.
    #[error("the runtime cannot be set up")]
    Runtime(#[from] RuntimeError),
    /// The chain cannot be opened.
    #[error("the chain in the data directory cannot be opened")]
    Chain(#[from] OpenError),
    /// The system gives no threads.
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
}

impl Node {
    /// Starts a node, on the caller's tokio runtime.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_among(config, None).await
    }

    /// As [`Node::start`]; with keys, as one of several nodes of its chain.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub async fn start_among(config: Config, keys: Option<Keys>) -> Result<Self, StartError> {
        raise_open_files(&config.api);
        let api_listener = bind(config.listen, "listen").await?;
        let metrics_listener = bind(config.metrics_address()?, "metrics_listen").await?;
        let address = |listener: &TcpListener, wanted| {
            listener.local_addr().map_err(|source| StartError::Listen { address: wanted, source })
        };
        let endpoints =
            Endpoints::at(address(&api_listener, config.listen)?, address(&metrics_listener, config.listen)?);
        let genesis = genesis_of(&config, keys.is_some())?;
        let key = match &keys {
            // A node that only follows has no lane: its network key is no validator's.
            Some(keys) => keys.validator.clone().unwrap_or_else(|| SigningKey::from_seed(keys.network)),
            None => dev::validator_key(),
        };
        let chain_config = chain_config(&config, &genesis, key)?;
        let topics = topics_of(&config, &genesis).await?;
        let shared: Box<dyn SharedLanes> = match &topics {
            Some(topics) => topics.port(),
            None => Box::new(Alone),
        };
        let (chain, membership) = match &keys {
            Some(keys) => {
                let (chain, membership) = membership::join(&config, &genesis, keys, chain_config, shared)?;
                (chain, Some(membership))
            }
            None => (Chain::open_among(chain_config, Network { shared, ..Network::default() })?, None),
        };
        let read = topics.as_ref().map(|topics| topics.read(chain.clone(), config.broker.delete_final));
        let reading = read.transpose()?;
        let (stop, stopping) = watch::channel(false);
        let links = membership.as_ref().map(|membership| Arc::clone(membership.links()));
        let app = assemble(&config, &chain, links, topics, stopping.clone())?;

        let mut servers = JoinSet::new();
        let bounds = Bounds {
            connections: config.api.connections,
            header_timeout: Duration::from_millis(config.api.header_timeout_ms),
            write_timeout: Duration::from_millis(config.api.write_timeout_ms),
            drain: DRAIN,
        };
        let counted = app.metrics().connections();
        servers.spawn(server::serve(api_listener, api::router(app.clone()), bounds, counted, stopping.clone()));
        // Scrapers are few, and not what `http_connections` counts.
        let bounds = Bounds { connections: METRICS_CONNECTIONS, ..bounds };
        servers.spawn(server::serve(
            metrics_listener,
            api::metrics_router(app),
            bounds,
            Connections::default(),
            stopping,
        ));
        let genesis_hash = genesis.hash();
        tracing::info!(rest = endpoints.rest, chain = %genesis_hash, height = %chain.snapshot().height(), "ready");
        Ok(Self { chain, genesis, genesis_hash, endpoints, membership, reading, stop, servers })
    }

    /// Where it answers.
    pub const fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Its chain's genesis.
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// What names its chain.
    pub const fn genesis_hash(&self) -> Hash {
        self.genesis_hash
    }

    /// Ends when the chain stops by itself, with the reason; `None` if it was shut down.
    pub async fn stopped(&self) -> Option<Arc<Fault>> {
        self.chain.stopped().await.ok()
    }

    /// Ends when the node can no longer take part in its network, with the reason.
    pub async fn left_behind(&self) -> String {
        match &self.membership {
            Some(membership) => membership.failed().await,
            None => std::future::pending().await,
        }
    }

    /// Refuses what is new, answers what was asked, executes and commits what was accepted.
    ///
    /// # Errors
    /// What had stopped the chain before.
    pub async fn shutdown(mut self) -> Result<(), Arc<Fault>> {
        self.stop.send_replace(true);
        while self.servers.join_next().await.is_some() {}
<<<<<<< HEAD
        if let Some(membership) = self.membership.take() {
            membership.leave().await;
=======
        if let Some(reading) = self.reading.take() {
            reading.stop().await;
        }
        if let Some(membership) = self.membership.take()
            && let Err(error) = membership.leave().await
        {
            tracing::warn!(%error, "consensus did not end well");
>>>>>>> next
        }
        let chain = self.chain.clone();
        let closed = tokio::task::spawn_blocking(move || chain.shutdown()).await;
        tracing::info!(height = %self.chain.snapshot().height(), "stopped");
        // The task does not panic and is not aborted.
        closed.unwrap_or(Ok(()))
    }
}

impl Endpoints {
    fn at(api: SocketAddr, metrics: SocketAddr) -> Self {
        Self {
            rest: format!("http://{api}"),
            graphql: format!("http://{api}/graphql"),
            websocket: format!("ws://{api}/ws"),
            metrics: format!("http://{metrics}/metrics"),
        }
    }
}

/// The system's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Raises the limit of open files to what the configured connections need, as far as the system lets it.
fn raise_open_files(api: &config::Api) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = (api.connections + api.sockets) as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    let (Some(current), maximum) = (limit.current, limit.maximum) else { return };
    let raised = maximum.map_or(needed, |maximum| needed.min(maximum)).max(current);
    let failed = raised > current && setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_err();
    if failed || raised < needed {
        tracing::warn!(
            needed,
            allowed = if failed { current } else { raised },
            "the system allows fewer open files than `api.connections` and `api.sockets` need: raise `ulimit -n`, or \
             lower them"
        );
    }
}

async fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse { address, setting },
        _ => StartError::Listen { address, source },
    })
}

/// The genesis of the data directory; a new directory gets one.
fn genesis_of(config: &Config, among: bool) -> Result<Genesis, StartError> {
    let directory = &config.data_dir;
    let found = genesis::load(directory)?;
    let has_broker = !config.broker.bootstrap.is_empty();
    let shards = found.as_ref().map_or(config.dev.shards.max(has_broker.into()), |found| found.shards);
    let wanted = match &config.dev.genesis {
        Some(file) => Some(genesis::read(file)?),
        None if !config.dev.seed.is_empty() => {
            Some(dev::genesis(&config.dev.seed, shards).map_err(StartError::Randomness)?)
        }
        None => None,
    };
    if let Some(known) = found.as_ref().or(wanted.as_ref()) {
        let (found, wanted) = (known.shards, config.dev.shards);
        if wanted != 0 && found != wanted {
            return Err(StartError::OtherShards { directory: directory.clone(), found, wanted });
        }
        if has_broker && found == 0 {
            return Err(StartError::NoShards(directory.clone()));
        }
    }
    let genesis = match (found, wanted) {
        (Some(found), Some(wanted)) if found != wanted => {
            let (found, wanted) = (found.hash(), wanted.hash());
            return Err(StartError::OtherChain { directory: directory.clone(), found, wanted });
        }
        (Some(found), _) if among => return Ok(found),
        (Some(found), _) => return require_dev(found),
        (None, Some(wanted)) => wanted,
        (None, None) if among => return Err(StartError::NoGenesis(directory.clone())),
        (None, None) => dev::genesis("", shards).map_err(StartError::Randomness)?,
    };
    let genesis = if among { genesis } else { require_dev(genesis)? };
    genesis::store(directory, &genesis)?;
    Ok(genesis)
}

/// The topics of the chain's shared lanes, if it has some and a broker is named.
async fn topics_of(config: &Config, genesis: &Genesis) -> Result<Option<Arc<Topics>>, StartError> {
    let (broker, genesis) = (config.broker.clone(), genesis.clone());
    let connected = tokio::task::spawn_blocking(move || Topics::connect(&broker, &genesis)).await;
    // The task does not panic and is not aborted.
    Ok(connected.unwrap_or(Ok(None))?)
}

fn require_dev(genesis: Genesis) -> Result<Genesis, StartError> {
    if genesis.dev { Ok(genesis) } else { Err(StartError::NotADevChain) }
}

fn chain_config(config: &Config, genesis: &Genesis, key: SigningKey) -> Result<ChainConfig, StartError> {
    let cache_dir = Some(config.data_dir.join("modules"));
    let runtime = Runtime::new(RuntimeConfig { cache_dir, ..RuntimeConfig::default() })?;
    let durability = match config.chain.durability {
        config::Durability::Fsync => Durability::Fsync,
        config::Durability::None => Durability::None,
    };
    Ok(ChainConfig {
        directory: config.data_dir.clone(),
        genesis: genesis.clone(),
        key,
        clock: Clock::new(now),
        runtime,
        store: StoreOptions {
            durability,
            window: config.storage.proof_window,
            state_cache_bytes: usize::try_from(config.storage.cache_bytes).unwrap_or(usize::MAX),
            ..StoreOptions::default()
        },
        commit: CommitPolicy::default(),
        block_time: Duration::from_millis(config.chain.block_time_ms),
    })
}

/// Joins the chain's news to those who wait for it.
fn assemble(
    config: &Config,
    chain: &Chain,
    links: Option<Arc<Links>>,
    topics: Option<Arc<Topics>>,
    stop: watch::Receiver<bool>,
) -> Result<App, StartError> {
    let admission = Admission::new(chain.clone(), &config.admission);
    let feed = Arc::new(Feed::new(heights(chain)));
    let metrics = Arc::new(Metrics::default());
    let news = News { feed: feed.clone(), pool: admission.pool().clone(), metrics: metrics.clone() };
    chain.on_publish(Box::new(move |block| news.take(block)));
    // What was published before this listened.
    feed.publish(heights(chain));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = Workers::start(threads).map_err(StartError::Thread)?;
    let (config, chain) = (config.clone(), chain.clone());
    Ok(App::new(Parts { config, chain, admission, feed, metrics, links, topics, workers, stop }))
}

fn heights(chain: &Chain) -> Heights {
    let snapshot = chain.snapshot();
    Heights { executed: snapshot.height(), certified: snapshot.certified() }
}

/// Those whom a block concerns.
struct News {
    feed: Arc<Feed>,
    pool: Arc<Pool>,
    metrics: Arc<Metrics>,
}

impl News {
    fn take(&self, published: &Published) {
        let block = &published.block;
        let height: Height = block.sealed.header.height;
        if published.reverted_to.is_some() {
            self.pool.reverted();
        }
        let consumed: Vec<_> =
            block.receipts.iter().map(|receipt| (receipt.transaction, receipt.sender, receipt.nonce)).collect();
        self.pool.executed(&consumed, height);
        for (hash, _) in &published.no_ops {
            self.pool.no_op(*hash, height);
            self.metrics.transaction(metrics::Outcome::NoOp);
        }
        for receipt in &block.receipts {
            self.metrics.transaction(match receipt.outcome {
                Outcome::Success { .. } => metrics::Outcome::Success,
                Outcome::Failure(_) => metrics::Outcome::Failure,
                Outcome::Dropped { .. } => metrics::Outcome::Dropped,
            });
        }
        self.metrics.block(published.execution, block.receipts.len(), block.events.len());
        self.feed.publish(Heights { executed: height, certified: published.snapshot.certified() });
    }
}
