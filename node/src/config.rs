//! What a node is told: a TOML file, then the environment (`RUSTORIUM_…`), then flags; later wins.
//!
//! Every field says its unit and its default. A key that is not here is refused with the nearest one that is,
//! because a setting that is silently ignored is worse than a node that does not start.
//!
//! Invariant: a [`Config`] that [`Config::load`] returned has been validated and is not checked again.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use rustorium_network::PeerAddress;
use serde::{Deserialize, Serialize};
use thiserror::Error;

mod broker;
mod layers;

pub use broker::{Broker, Sasl};
pub use layers::Key;

/// Settings of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the chain is kept: genesis, log, state, compiled modules. Default `.rustorium/dev`.
    pub data_dir: PathBuf,
    /// Where REST, GraphQL and WebSocket answer. Default `127.0.0.1:8645`; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where `/metrics` answers. Empty, the default: the same address, 1,000 ports above (free if `listen` is).
    #[serde(with = "optional_text")]
    pub metrics_listen: Option<SocketAddr>,
    /// Settings of dev chains.
    pub dev: Dev,
    /// How blocks are made.
    pub chain: Chain,
    /// How state is kept.
    pub storage: Storage,
    /// Other nodes of the chain.
    pub network: Network,
    /// The lanes that all nodes of the chain share.
    pub broker: Broker,
    /// What is taken in before it is executed.
    pub admission: Admission,
    /// What clients may ask for.
    pub api: Api,
    /// What the node says of itself.
    pub telemetry: Telemetry,
}

/// Settings of dev chains; they matter when the data directory is new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dev {
    /// Decides the genesis, so that the same seed gives the same chain. Empty, the default: random.
    pub seed: String,
    /// A `genesis.toml` to start from instead of making one. Empty, the default: none.
    #[serde(with = "optional_text")]
    pub genesis: Option<PathBuf>,
    /// Shared lanes of the chain. Default 0: one if `broker.bootstrap` names a broker, else none.
    pub shards: u32,
}

/// How blocks are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chain {
    /// Milliseconds between two blocks at the least. Default 0: as soon as there is something and execution is idle.
    pub block_time_ms: u64,
    /// When an accepted transaction is on the disk. Default `fsync`.
    pub durability: Durability,
}

/// When an accepted transaction is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Before its sender hears that it is accepted.
    #[default]
    Fsync,
    /// When the system gets to it: a power failure may lose what was accepted. For tests.
    None,
}

/// Other nodes of the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Where other nodes reach this one, over UDP, as `0.0.0.0:7645`. Empty, the default: the chain is this machine's
    /// alone.
    #[serde(with = "optional_text")]
    pub listen: Option<SocketAddr>,
    /// Addresses that others are told, where they differ from `listen`. Default none.
    pub advertised: Vec<SocketAddr>,
    /// Nodes to be connected to, each as `ID@ADDRESS:PORT`. Others are learnt from them. Default none.
    pub peers: Vec<String>,
}

/// How state is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Bytes of contract state kept in memory. Default 67,108,864 (64 MiB).
    pub cache_bytes: u64,
    /// Recent heights whose state can be read and proved. Default 1,024.
    pub proof_window: u64,
}

/// What is taken in before it is executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admission {
    /// Transactions accepted and not yet executed, of all senders. Default 100,000; more are `RATE_LIMITED`.
    pub pending: usize,
    /// The same, of one sender. Default 512; the nonce window bounds it too.
    pub pending_per_sender: usize,
    /// Bytes of them, of all senders. Default 268,435,456 (256 MiB).
    pub pending_bytes: usize,
}

/// What clients may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Open connections. Default 1,000; the next one gets the place of the longest idle. The system's limit of open
    /// files must be above it, `sockets` and some hundred more.
    pub connections: usize,
    /// Open WebSockets, which count apart. Default 1,000; more are `RATE_LIMITED`.
    pub sockets: usize,
    /// Bytes of a request's body. Default 8,388,608 (8 MiB: a batch, or the largest code as JSON).
    pub body_bytes: usize,
    /// Bytes of bodies that may be held at a time, 64 KiB of each aside. Default 134,217,728 (128 MiB).
    pub buffered_body_bytes: usize,
    /// Milliseconds for a request's head to arrive. Default 10,000.
    pub header_timeout_ms: u64,
    /// Milliseconds for a request's body to arrive. Default 30,000.
    pub body_timeout_ms: u64,
    /// Milliseconds in which a client must take some of what it is sent. Default 30,000.
    pub write_timeout_ms: u64,
    /// Milliseconds for an answer, waits aside. Default 30,000.
    pub request_timeout_ms: u64,
    /// Items of a page at the most. Default 100.
    pub page_size: usize,
    /// Transactions of one submission at the most. Default 1,000.
    pub batch_size: usize,
    /// Depth of a GraphQL query at the most. Default 16.
    pub query_depth: usize,
    /// Complexity of a GraphQL query at the most: one a field, times the page size below a connection. Default 20,000.
    pub query_complexity: usize,
    /// Bytes of a GraphQL response at the most. Default 16,777,216 (16 MiB).
    pub response_bytes: usize,
    /// Subscriptions of one WebSocket at the most. Default 100.
    pub subscriptions: usize,
    /// Gas of a view that is asked for without a witness. Default 100,000,000.
    pub view_gas: u64,
    /// Origins whose pages may call the API, or `*` for all. Default `*`: the API knows no cookies.
    pub origins: Vec<String>,
}

/// What the node says of itself, on stderr and to a collector. `RUST_LOG` decides how much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// How log lines are written. Default `text`.
    pub log_format: LogFormat,
    /// Where spans are sent, by OTLP over HTTP, as `http://127.0.0.1:4318`. Empty, the default: nowhere.
    pub otlp_endpoint: String,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from(".rustorium/dev"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8645)),
            metrics_listen: None,
            dev: Dev::default(),
            chain: Chain::default(),
            storage: Storage::default(),
            network: Network::default(),
            broker: Broker::default(),
            admission: Admission::default(),
            api: Api::default(),
            telemetry: Telemetry::default(),
        }
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self { block_time_ms: 0, durability: Durability::Fsync }
    }
}

impl Network {
    /// The nodes to be connected to.
    ///
    /// # Errors
    /// When one is not `ID@ADDRESS:PORT`.
    pub fn addresses(&self) -> Result<Vec<PeerAddress>, ConfigError> {
        let parse = |text: &String| {
            text.parse().map_err(|error| ConfigError::Value {
                key: "network.peers".into(),
                reason: format!("`{text}` is not ID@ADDRESS:PORT: {error}"),
            })
        };
        self.peers.iter().map(parse).collect()
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, proof_window: 1_024 }
    }
}

impl Default for Admission {
    fn default() -> Self {
        Self { pending: 100_000, pending_per_sender: 512, pending_bytes: 256 << 20 }
    }
}

impl Default for Api {
    fn default() -> Self {
        Self {
            connections: 1_000,
            sockets: 1_000,
            body_bytes: 8 << 20,
            buffered_body_bytes: 128 << 20,
            header_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            write_timeout_ms: 30_000,
            request_timeout_ms: 30_000,
            page_size: 100,
            batch_size: 1_000,
            query_depth: 16,
            query_complexity: 20_000,
            response_bytes: 16 << 20,
            subscriptions: 100,
            view_gas: 100_000_000,
            origins: vec!["*".into()],
        }
    }
}

/// Why settings are refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration is not TOML: {0}")]
    Syntax(#[source] Box<toml::de::Error>),
    /// There is no such key.
    #[error("there is no setting `{key}`; did you mean `{nearest}`?")]
    UnknownKey {
        /// The key as it was given.
        key: String,
        /// The known key nearest to it.
        nearest: String,
    },
    /// A value is of another type, or out of range.
    #[error("setting `{key}`: {reason}")]
    Value {
        /// Whose value.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Config {
    /// Settings from a file if there is one, variables of the environment, and flags as keys and texts.
    ///
    /// Keys are dotted (`chain.block_time_ms`); a variable is `RUSTORIUM_` and the key in capitals with `_` for
    /// the dots. Other variables of that prefix are left alone unless one looks like a misspelt setting.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &[(&str, String)],
    ) -> Result<Self, ConfigError> {
        let config: Self = layers::merge(file, environment, flags)?;
        config.validate()?;
        Ok(config)
    }

    /// Every setting there is: its key, its variable and its default, in order of key.
    pub fn keys() -> Vec<Key> {
        layers::keys()
    }

    /// The settings as a file would say them.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_default()
    }

    /// Where metrics answer.
    ///
    /// # Errors
    /// When there is no port 1,000 above.
    pub fn metrics_address(&self) -> Result<SocketAddr, ConfigError> {
        if let Some(address) = self.metrics_listen {
            return Ok(address);
        }
        let port = match self.listen.port() {
            0 => 0,
            port => port.checked_add(METRICS_OFFSET).ok_or_else(|| ConfigError::Value {
                key: "listen".into(),
                reason: format!("there is no port {METRICS_OFFSET} above {port} for metrics; set `metrics_listen`"),
            })?,
        };
        Ok(SocketAddr::new(self.listen.ip(), port))
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let api = &self.api;
        let within = |key: &str, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(ConfigError::Value { key: key.into(), reason: format!("{value} is not from {low} to {high}") })
        };
        within("api.page_size", api.page_size as u64, 1, 1_000)?;
        within("api.batch_size", api.batch_size as u64, 1, 10_000)?;
        within("api.body_bytes", api.body_bytes as u64, 64 << 10, 1 << 30)?;
        within("api.connections", api.connections as u64, 1, 1_000_000)?;
        within("api.sockets", api.sockets as u64, 0, 1_000_000)?;
        within("api.buffered_body_bytes", api.buffered_body_bytes as u64, 1 << 20, 1 << 40)?;
        within("api.query_depth", api.query_depth as u64, 8, 64)?;
        within("api.header_timeout_ms", api.header_timeout_ms, 100, 600_000)?;
        within("api.body_timeout_ms", api.body_timeout_ms, 100, 600_000)?;
        within("api.write_timeout_ms", api.write_timeout_ms, 100, 600_000)?;
        within("api.request_timeout_ms", api.request_timeout_ms, 100, 600_000)?;
        within("storage.proof_window", self.storage.proof_window, 16, 1 << 32)?;
        within("storage.cache_bytes", self.storage.cache_bytes, 1 << 20, 1 << 40)?;
        within("chain.block_time_ms", self.chain.block_time_ms, 0, 600_000)?;
        within("admission.pending", self.admission.pending as u64, 1, 10_000_000)?;
        within("admission.pending_per_sender", self.admission.pending_per_sender as u64, 1, 768)?;
        self.network.addresses()?;
        self.broker.validate()?;
        let collector = &self.telemetry.otlp_endpoint;
        if !collector.is_empty() && !collector.starts_with("http://") {
            let reason = format!("`{collector}` is no collector's address: it is http://HOST:PORT");
            return Err(ConfigError::Value { key: "telemetry.otlp_endpoint".into(), reason });
        }
        self.metrics_address().map(|_| ())
    }
}

const METRICS_OFFSET: u16 = 1_000;

/// An optional value that a file writes as text, empty for none: TOML has no null, and a key that is left out
/// could not be listed among the known ones.
mod optional_text {
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<T: Text, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.as_ref().map(Text::text).unwrap_or_default())
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
        D: Deserializer<'de>,
    {
        match String::deserialize(deserializer)?.as_str() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(D::Error::custom),
        }
    }

    pub(super) trait Text {
        fn text(&self) -> String;
    }

    impl Text for std::net::SocketAddr {
        fn text(&self) -> String {
            self.to_string()
        }
    }

    impl Text for std::path::PathBuf {
        fn text(&self) -> String {
            self.display().to_string()
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn load(toml: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let flags: Vec<_> = flags.iter().map(|(key, value)| (*key, value.to_string())).collect();
        Config::load(Some(file.path()), environment, &flags)
    }

    #[test]
    fn later_layers_win() {
        let file =
            "listen = \"127.0.0.1:1\"\n[chain]\nblock_time_ms = 5\ndurability = \"none\"\n[api]\npage_size = 7\n";
        let config = load(
            file,
            &[("RUSTORIUM_LISTEN", "127.0.0.1:2"), ("RUSTORIUM_API_PAGE_SIZE", "1_000"), ("RUSTORIUM_FROM", "alice")],
            &[("listen", "127.0.0.1:3")],
        )
        .unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.metrics_address().unwrap().port(), 1003);
        assert_eq!((config.chain.block_time_ms, config.chain.durability), (5, Durability::None));
        assert_eq!(config.api.page_size, 1_000);
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        let nearest = |error: ConfigError| match error {
            ConfigError::UnknownKey { nearest, .. } => nearest,
            other => other.to_string(),
        };
        assert_eq!(nearest(load("[chain]\nblock_time = 5", &[], &[]).unwrap_err()), "chain.block_time_ms");
        assert_eq!(nearest(load("", &[("RUSTORIUM_LISTN", "x")], &[]).unwrap_err()), "RUSTORIUM_LISTEN");
        assert_eq!(nearest(load("", &[], &[("datadir", "x")]).unwrap_err()), "data_dir");
    }

    #[test]
    fn wrong_values_are_told_by_key() {
        let error = |result: Result<Config, ConfigError>| result.unwrap_err().to_string();
        assert!(error(load("", &[("RUSTORIUM_CHAIN_BLOCK_TIME_MS", "soon")], &[])).contains("`chain.block_time_ms`"));
        assert!(error(load("[api]\npage_size = 0", &[], &[])).contains("from 1 to 1000"));
        assert!(error(load("listen = \"here\"", &[], &[])).contains("listen"));
        assert!(error(load("[chain]\ndurability = \"maybe\"", &[], &[])).contains("durability"));
        for (broker, says) in [
            ("bootstrap = [\"here\"]", "\"here\" is no broker's address"),
            ("bootstrap = [\"here:1\"]\ntopic_prefix = \"my lanes\"", "is no topic's name"),
            ("bootstrap = [\"here:1\"]\nreplication = 1\nmin_insync_replicas = 2", "2 of 1 copies"),
            ("bootstrap = [\"here:1\"]\nsasl = \"plain\"\nsasl_username = \"node\"", "SASL PLAIN"),
            ("sasl = \"scram\"", "`broker.sasl`"),
        ] {
            let said = error(load(&format!("[broker]\n{broker}"), &[], &[]));
            assert!(said.contains(says), "{said} does not say {says}");
        }
        assert!(error(load("[telemetry]\notlp_endpoint = \"collector\"", &[], &[])).contains("http://HOST:PORT"));
    }

    #[test]
    fn the_defaults_read_back() {
        assert_eq!(load(&Config::default().to_toml(), &[], &[]).unwrap(), Config::default());
    }
}
