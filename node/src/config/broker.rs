//! Settings of the broker that has a chain's shared lanes, and what they come to for one chain.

use std::{num::NonZeroU32, path::PathBuf};

use rustorium_redpanda::{self as redpanda, Identity, Mechanism, Security, Settings, SettingsError, Tls};
use rustorium_types::{genesis::Genesis, id::Hash, limits::Limits, record};
use serde::{Deserialize, Serialize};

use super::{ConfigError, optional_text};

/// What topics' names end with, in front of the shard's number.
const TOPICS: &str = "transactions-";
/// Hexadecimal digits of the genesis hash in topics' names.
const CHAIN_DIGITS: usize = 16;

/// The lanes that all nodes of the chain share: a broker that speaks Kafka's protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Broker {
    /// Brokers to ask first, each `HOST:PORT`. Default none: what is submitted is kept by nodes alone.
    pub bootstrap: Vec<String>,
    /// What topics' names begin with; the shard's number follows. Empty, the default: `rustorium-`, 16 digits of the
    /// genesis hash, `-transactions-`, so that no two chains share a topic.
    pub topic_prefix: String,
    /// Copies of each topic. Default 0: 3, and 1 on a dev chain.
    pub replication: u16,
    /// Copies that must have a record before it is acknowledged. Default 0: 2, and 1 on a dev chain.
    pub min_insync_replicas: u16,
    /// Whether connections are encrypted. Default false.
    pub tls: bool,
    /// PEM of the authorities that sign the brokers' certificates. Empty, the default: those that the system trusts.
    #[serde(with = "optional_text")]
    pub tls_ca_file: Option<PathBuf>,
    /// PEM of this node's certificate, where brokers ask for one. Empty, the default: none.
    #[serde(with = "optional_text")]
    pub tls_certificate_file: Option<PathBuf>,
    /// PEM of its key.
    #[serde(with = "optional_text")]
    pub tls_key_file: Option<PathBuf>,
    /// A file with the key's passphrase. Empty, the default: it has none.
    #[serde(with = "optional_text")]
    pub tls_passphrase_file: Option<PathBuf>,
    /// How a name and a password are shown. Default `none`: they are not.
    pub sasl: Sasl,
    /// The name.
    pub sasl_username: String,
    /// A file with the password.
    #[serde(with = "optional_text")]
    pub sasl_password_file: Option<PathBuf>,
    /// Whether this node deletes from the topics what is final and in its database. Default false: nothing is deleted.
    pub delete_final: bool,
}

/// How a name and a password are shown to brokers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sasl {
    /// Not at all.
    #[default]
    None,
    /// As they are: only over TLS.
    Plain,
    /// The password proven without being sent, with SHA-256.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// The same with SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

impl Broker {
    /// How a chain's lanes are reached; none if no broker is named, or the chain has no shared lanes.
    pub(crate) fn settings(&self, genesis: &Genesis) -> Option<Settings> {
        let shards = NonZeroU32::new(genesis.shards)?;
        self.settings_of(genesis.hash(), shards, genesis.dev, &genesis.limits)
    }

    fn settings_of(&self, chain: Hash, shards: NonZeroU32, dev: bool, limits: &Limits) -> Option<Settings> {
        if self.bootstrap.is_empty() {
            return None;
        }
        let or = |chosen: u16, default: u16| if chosen == 0 { default } else { chosen };
        let (replication, min_insync_replicas) = if dev { (1, 1) } else { (3, 2) };
        let mut settings = Settings::new(self.bootstrap.clone(), shards);
        settings.topic_prefix = match self.topic_prefix.as_str() {
            "" => format!("rustorium-{}-{TOPICS}", &hex::encode(chain.0)[..CHAIN_DIGITS]),
            prefix => prefix.to_owned(),
        };
        settings.record_bytes = record::limit(limits);
        // A default gives way to what is chosen: there are never fewer copies than must be in sync.
        settings.replication = or(self.replication, replication.max(self.min_insync_replicas));
        settings.min_insync_replicas = or(self.min_insync_replicas, min_insync_replicas.min(settings.replication));
        settings.security = self.security();
        Some(settings)
    }

    fn security(&self) -> Security {
        let identity = self.tls_certificate_file.clone().zip(self.tls_key_file.clone());
        let identity = identity.map(|(certificate_file, key_file)| Identity {
            certificate_file,
            key_file,
            passphrase_file: self.tls_passphrase_file.clone(),
        });
        let tls = self.tls.then(|| Tls { ca_file: self.tls_ca_file.clone(), identity });
        let mechanism = match self.sasl {
            Sasl::None => None,
            Sasl::Plain => Some(Mechanism::Plain),
            Sasl::ScramSha256 => Some(Mechanism::ScramSha256),
            Sasl::ScramSha512 => Some(Mechanism::ScramSha512),
        };
        let sasl = mechanism.map(|mechanism| redpanda::Sasl {
            mechanism,
            username: self.sasl_username.clone(),
            password_file: self.sasl_password_file.clone().unwrap_or_default(),
        });
        Security { tls, sasl }
    }

    /// Checks what does not depend on a chain.
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, reason: String| Err(ConfigError::Value { key: key.into(), reason });
        if self.tls_certificate_file.is_some() != self.tls_key_file.is_some() {
            return wrong("broker.tls_key_file", "a certificate and its key go together".into());
        }
        if !self.tls && (self.tls_certificate_file.is_some() || self.tls_ca_file.is_some()) {
            return wrong("broker.tls", "it is false, and files of TLS are named".into());
        }
        let Some(settings) = self.settings_of(Hash([0; 32]), NonZeroU32::MIN, true, &Limits::default()) else {
            return Ok(());
        };
        if let Err(error) = settings.check() {
            return wrong(key_of(&error), error.to_string());
        }
        if self.sasl != Sasl::None && (self.sasl_username.is_empty() || self.sasl_password_file.is_none()) {
            return wrong("broker.sasl", "it takes `broker.sasl_username` and `broker.sasl_password_file`".into());
        }
        Ok(())
    }
}

/// The setting that is to blame.
fn key_of(error: &SettingsError) -> &'static str {
    match error {
        SettingsError::Topic(_) => "broker.topic_prefix",
        SettingsError::Replication { .. } => "broker.min_insync_replicas",
        SettingsError::PasswordInClear => "broker.sasl",
        SettingsError::NoServers | SettingsError::Server(_) => "broker.bootstrap",
        _ => "broker",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::dev;

    #[test]
    fn a_chain_s_topics_are_its_own_unless_they_are_named() {
        let broker = Broker { bootstrap: vec!["127.0.0.1:9092".into()], ..Broker::default() };
        let genesis = dev::genesis("lanes", 2).unwrap();
        let settings = broker.settings(&genesis).unwrap();
        let chain = hex::encode(genesis.hash().0);
        assert_eq!(settings.topic(redpanda::Shard(1)), format!("rustorium-{}-transactions-1", &chain[..16]));
        assert_eq!((settings.replication, settings.min_insync_replicas), (1, 1));
        let named = Broker { topic_prefix: "transactions-".into(), replication: 5, ..broker.clone() };
        let settings = named.settings(&Genesis { dev: false, ..genesis.clone() }).unwrap();
        assert_eq!(settings.topic(redpanda::Shard(0)), "transactions-0");
        assert_eq!((settings.replication, settings.min_insync_replicas), (5, 2));
        assert!(broker.settings(&Genesis { shards: 0, ..genesis.clone() }).is_none());
        assert!(Broker::default().settings(&genesis).is_none());
    }
}
