//! How the lanes are reached and kept. Plain fields, each with its unit and default, checked once by
//! [`Lanes::connect`](crate::Lanes::connect).

pub(crate) mod security;

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use thiserror::Error;

use self::security::Security;
use crate::{
    shard::Shard,
    topics::wanted::{MAX_MESSAGE_BYTES, RECORD_OVERHEAD_BYTES},
};

/// Lanes at the most: each is a topic, and every validator reads all of them.
const MAX_SHARDS: u32 = 1_024;
/// Bytes of a topic's name at the most, by Kafka's rule.
const MAX_TOPIC_BYTES: usize = 249;

/// How the lanes are reached and kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Brokers to ask first, each `host:port`. No default.
    pub bootstrap_servers: Vec<String>,
    /// How many lanes there are, as the genesis says. No default.
    pub shards: NonZeroU32,
    /// What the topics' names begin with; the shard's number follows. `transactions-`.
    pub topic_prefix: String,
    /// Bytes of a record at the most, as the genesis says. A longer one is refused when it is submitted, and read as
    /// its length and hash. That of a chain with the default limits.
    pub record_bytes: usize,
    /// Copies of each topic. 3.
    pub replication: u16,
    /// Copies that must have a record before it is acknowledged. 2.
    pub min_insync_replicas: u16,
    /// TLS and SASL. Neither.
    pub security: Security,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Records that may wait to be acknowledged; one more is refused. 32,768, as many as wait in a node's way in.
    pub queue_records: u32,
    /// Bytes of them. 64 MiB.
    pub queue_bytes: usize,
    /// Bytes of each lane that are read ahead, overshot by a fetch at most. 8 MiB: two blocks' worth.
    pub ahead_bytes: usize,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a broker's answer to one question: metadata, settings, bounds. 10 s.
    pub request: Duration,
    /// For the acknowledgement of a record, retries included; then its ticket says why there is none. 10 s.
    pub acknowledge: Duration,
    /// Between two statistics, which lag, round trip and [`Change`](crate::Change)s go by. 1 s.
    pub statistics: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(10),
            acknowledge: Duration::from_secs(10),
            statistics: Duration::from_secs(1),
        }
    }
}

/// Why settings cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// No broker is named.
    #[error("no broker is named: bootstrap servers are host:port, at least one of them")]
    NoServers,
    /// A broker's address that is none.
    #[error("{0:?} is no broker's address: it is host:port")]
    Server(String),
    /// Too many lanes.
    #[error("{0} shards are more than {MAX_SHARDS}")]
    Shards(u32),
    /// A topic's name that brokers refuse.
    #[error("{0:?} is no topic's name: at most {MAX_TOPIC_BYTES} of letters, digits, '.', '_' and '-'")]
    Topic(String),
    /// A limit of records that no topic could have.
    #[error("records of up to {0} bytes do not fit: a broker's message has at most {MAX_MESSAGE_BYTES}")]
    RecordBytes(usize),
    /// Fewer copies than must be in sync, or none.
    #[error(
        "min.insync.replicas is {min_insync} of {replication} copies: it is at least 1, and not more than there are"
    )]
    Replication {
        /// Copies.
        replication: u16,
        /// Of them, in sync.
        min_insync: u16,
    },
    /// A bound or time that is 0, or more than librdkafka takes.
    #[error("{name} is out of range")]
    OutOfRange {
        /// Of which setting.
        name: &'static str,
    },
    /// A password would be sent as it is.
    #[error("SASL PLAIN sends the password as it is: turn TLS on, or use SCRAM")]
    PasswordInClear,
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// librdkafka refuses what came of the settings.
    #[error("the client library refuses {name}: {reason}")]
    Refused {
        /// Which of its properties, or what it was doing.
        name: String,
        /// In its words.
        reason: String,
    },
}

impl Settings {
    /// Those of a network with these brokers and lanes.
    pub fn new(bootstrap_servers: Vec<String>, shards: NonZeroU32) -> Self {
        Self {
            bootstrap_servers,
            shards,
            topic_prefix: "transactions-".to_owned(),
            record_bytes: rustorium_types::limits::TRANSACTION_BYTES as usize + 1,
            replication: 3,
            min_insync_replicas: 2,
            security: Security::default(),
            timeouts: Timeouts::default(),
            queue_records: 32_768,
            queue_bytes: 64 << 20,
            ahead_bytes: 8 << 20,
        }
    }

    /// The topic of a lane.
    pub fn topic(&self, shard: Shard) -> String {
        format!("{}{shard}", self.topic_prefix)
    }

    /// All lanes.
    pub fn all_shards(&self) -> impl Iterator<Item = Shard> + use<> {
        (0..self.shards.get()).map(Shard)
    }

    pub(crate) fn bootstrap(&self) -> String {
        self.bootstrap_servers.join(",")
    }

    /// Whether they can be used, as far as that is seen without a broker and without reading a file.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.bootstrap_servers.is_empty() {
            return Err(SettingsError::NoServers);
        }
        for server in &self.bootstrap_servers {
            let port = server.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains([',', '/', ' ']));
            if port.and_then(|(_, port)| port.parse::<u16>().ok()).is_none() {
                return Err(SettingsError::Server(server.clone()));
            }
        }
        if self.shards.get() > MAX_SHARDS {
            return Err(SettingsError::Shards(self.shards.get()));
        }
        let longest = self.topic(Shard(self.shards.get() - 1));
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if longest.len() > MAX_TOPIC_BYTES || !longest.bytes().all(is_legal) {
            return Err(SettingsError::Topic(longest));
        }
        if self.record_bytes.saturating_add(RECORD_OVERHEAD_BYTES) > MAX_MESSAGE_BYTES {
            return Err(SettingsError::RecordBytes(self.record_bytes));
        }
        if self.min_insync_replicas == 0 || self.min_insync_replicas > self.replication {
            return Err(SettingsError::Replication {
                replication: self.replication,
                min_insync: self.min_insync_replicas,
            });
        }
        let milliseconds = |time: Duration| time.as_millis() as u64;
        let bounds = [
            ("timeouts.request", milliseconds(self.timeouts.request), 10..=300_000),
            ("timeouts.acknowledge", milliseconds(self.timeouts.acknowledge), 10..=300_000),
            ("timeouts.statistics", milliseconds(self.timeouts.statistics), 10..=60_000),
            ("queue_records", u64::from(self.queue_records), 1..=10_000_000),
            ("queue_bytes", self.queue_bytes as u64, 1_024..=2_000_000_000),
            ("ahead_bytes", self.ahead_bytes as u64, 1_024..=2_000_000_000),
        ];
        if let Some((name, ..)) = bounds.into_iter().find(|(_, value, range)| !range.contains(value)) {
            return Err(SettingsError::OutOfRange { name });
        }
        self.security.check()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{security::Sasl, *};

    fn settings() -> Settings {
        Settings::new(vec!["127.0.0.1:9092".to_owned()], NonZeroU32::new(4).unwrap())
    }

    #[test]
    fn the_defaults_are_sound() {
        settings().check().unwrap();
        assert_eq!(settings().topic(Shard(3)), "transactions-3");
    }

    #[test]
    fn every_wrong_setting_is_named() {
        let wrong = |change: fn(&mut Settings)| {
            let mut settings = settings();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        for (change, says) in [
            ((|it| it.bootstrap_servers.clear()) as fn(&mut Settings), "no broker"),
            (|it| it.bootstrap_servers = vec!["broker".to_owned()], "\"broker\" is no broker's address"),
            (|it| it.bootstrap_servers = vec!["a:1,b:2".to_owned()], "\"a:1,b:2\""),
            (|it| it.bootstrap_servers = vec![":9092".to_owned()], "\":9092\""),
            (|it| it.shards = NonZeroU32::MAX, "4294967295 shards"),
            (|it| it.topic_prefix = "my lanes/".to_owned(), "\"my lanes/3\""),
            (|it| it.record_bytes = MAX_MESSAGE_BYTES, "do not fit"),
            (|it| it.min_insync_replicas = 4, "4 of 3"),
            (|it| it.min_insync_replicas = 0, "0 of 3"),
            (|it| it.timeouts.request = Duration::ZERO, "timeouts.request"),
            (|it| it.queue_records = 0, "queue_records"),
            (|it| it.security.sasl = Some(Sasl::default()), "SASL PLAIN"),
        ] {
            let said = wrong(change);
            assert!(said.contains(says), "{said:?} does not name {says:?}");
        }
    }
}
