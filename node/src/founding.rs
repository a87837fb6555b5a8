//! The directories of a new network: one genesis, and for each node its keys and settings.
//!
//! ```text
//! DIR/genesis.toml            what all nodes start from
//! DIR/validator-1/node.toml   settings: where it answers, where others reach it, whom it knows
//!                /genesis.…   the chain
//!                /keys/       validator.json and network.json, encrypted; validator.journal
//!                /consensus/  the journal of votes, which is empty
//! DIR/follower-1/…            the same without a validator's key
//! ```

use std::{
    fs, io,
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
};

use rustorium_network::{Identity, PeerAddress};
use rustorium_types::{
    ed25519::SigningKey,
    genesis::Genesis,
    id::{Address, Amount, Hash},
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    config::{Broker, Config, Network},
    dev, genesis,
    genesis::GenesisError,
    journal,
    keystore::{Keystore, KeystoreError},
    membership::Keys,
};

/// A node's settings, in its directory.
pub const SETTINGS: &str = "node.toml";
/// The name of the key that a validator votes with.
pub const VALIDATOR_KEY: &str = "validator";
/// The name of the key that other nodes know a node by.
pub const NETWORK_KEY: &str = "network";
/// Ports of the network lie so far below those of the API.
const NETWORK_OFFSET: u16 = 1_000;

/// What a network begins with.
#[derive(Clone, Debug)]
pub struct Founding {
    /// Where the directories are made.
    pub directory: PathBuf,
    /// How many validators.
    pub validators: u16,
    /// How many nodes that follow.
    pub followers: u16,
    /// Where the first node answers; each next one a port above, and 0 any free one.
    pub listen: SocketAddr,
    /// The chain's name for people.
    pub chain_id: String,
    /// Lanes that all nodes share.
    pub shards: u32,
    /// Brokers that have them, each `HOST:PORT`; none: nodes keep what is submitted themselves.
    pub brokers: Vec<String>,
    /// Takes control records, and has the dev accounts.
    pub dev: bool,
    /// What accounts start with, besides the dev accounts of a dev chain.
    pub balances: Vec<(Address, Amount)>,
    /// Heights of an epoch.
    pub epoch_length: u64,
}

/// A node that is to become a validator of a network.
#[derive(Clone, Debug)]
pub struct Joining {
    /// Its directory.
    pub directory: PathBuf,
    /// The network's chain.
    pub genesis: Genesis,
    /// Nodes that it knows, as `ID@ADDRESS:PORT`.
    pub peers: Vec<String>,
    /// Where it answers.
    pub listen: SocketAddr,
}

/// A node whose directory was made for a network that there is.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The key that it votes with.
    pub validator: [u8; 32],
    /// Where others reach it.
    pub address: PeerAddress,
}

/// A node whose directory was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founded {
    /// Its name, and its directory's.
    pub name: String,
    /// Its directory.
    pub directory: PathBuf,
}

/// Why a network cannot be founded, or a node's keys not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FoundingError {
    /// A directory has something in it.
    #[error("{} is not empty: a network is founded once", .0.display())]
    NotEmpty(PathBuf),
    /// A directory that is a node's.
    #[error("{} is a node's already", .0.display())]
    Taken(PathBuf),
    /// A directory with another chain.
    #[error("{} holds the chain {found}, and the genesis is of another", .directory.display())]
    OtherChain {
        /// The directory.
        directory: PathBuf,
        /// The chain in it.
        found: Hash,
    },
    /// No validator, or more than a certificate can have.
    #[error("a network has 1 to 512 validators and at most 512 followers")]
    Count,
    /// There are not so many ports.
    #[error("there are no ports for so many nodes above {0}")]
    Ports(SocketAddr),
    /// A file or a socket.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No free port.
    #[error("no free UDP port")]
    Socket(#[source] io::Error),
    /// The system has no randomness.
    #[error("the system has no randomness: {0}")]
    Randomness(getrandom::Error),
    /// The genesis.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeystoreError),
    /// A journal of votes.
    #[error(transparent)]
    Journal(#[from] journal::JournalError),
}

struct Plan {
    name: String,
    validator: Option<Zeroizing<[u8; 32]>>,
    network: Zeroizing<[u8; 32]>,
    listen: SocketAddr,
    address: PeerAddress,
}

/// Makes the directories of a new network, the keys in them encrypted with a passphrase.
///
/// # Errors
/// If there is something already, or it cannot be written.
pub fn found(founding: &Founding, passphrase: &str) -> Result<Vec<Founded>, FoundingError> {
    let directory = &founding.directory;
    if !(1..=512).contains(&founding.validators) || founding.followers > 512 {
        return Err(FoundingError::Count);
    }
    if directory.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(FoundingError::NotEmpty(directory.clone()));
    }
    let plans = plan(founding)?;
    let genesis = first_state(founding, &plans)?;
    genesis::store(directory, &genesis)?;
    let addresses: Vec<String> = plans.iter().map(|plan| plan.address.to_string()).collect();
    let mut founded = Vec::with_capacity(plans.len());
    for (index, plan) in plans.into_iter().enumerate() {
        let home = directory.join(&plan.name);
        genesis::store(&home, &genesis)?;
        let keys = Keystore::new(home.join("keys"));
        keys.store(NETWORK_KEY, &plan.network, passphrase)?;
        if let Some(key) = &plan.validator {
            keys.store(VALIDATOR_KEY, key, passphrase)?;
            journal::found(&home)?;
        }
        let others = addresses.iter().enumerate().filter(|(other, _)| *other != index);
        // A follower is known to those whom it asks.
        let validators = usize::from(founding.validators);
        let peers = others.filter(|(other, _)| *other < validators).map(|(_, address)| address.clone()).collect();
        let network = Network { listen: Some(plan.address.address), peers, ..Network::default() };
        let broker = Broker { bootstrap: founding.brokers.clone(), ..Broker::default() };
        let config = Config { listen: plan.listen, network, broker, ..Config::default() };
        write(&home.join(SETTINGS), &settings(&config))?;
        founded.push(Founded { name: plan.name, directory: home });
    }
    Ok(founded)
}

/// Makes the directory of a node that is to become a validator, its keys encrypted with a passphrase. It follows until it is
/// one. The directory may hold a copy of the network's chain, but no node's keys.
///
/// # Errors
/// If there is a node already, or it cannot be written.
pub fn join(joining: &Joining, passphrase: &str) -> Result<Joined, FoundingError> {
    let Joining { directory, genesis, peers, listen } = joining;
    if directory.join(SETTINGS).exists() || directory.join("keys").exists() {
        return Err(FoundingError::Taken(directory.clone()));
    }
    if let Some(found) = genesis::load(directory)?.filter(|found| found != genesis) {
        return Err(FoundingError::OtherChain { directory: directory.clone(), found: found.hash() });
    }
    let mut held = Vec::new();
    let (listen, address) = addresses(*listen, 0, &mut held)?;
    let (validator, network) = (secret()?, secret()?);
    genesis::store(directory, genesis)?;
    let keys = Keystore::new(directory.join("keys"));
    keys.store(NETWORK_KEY, &network, passphrase)?;
    keys.store(VALIDATOR_KEY, &validator, passphrase)?;
    let network_settings = Network { listen: Some(address), peers: peers.clone(), ..Network::default() };
    write(&directory.join(SETTINGS), &settings(&Config { listen, network: network_settings, ..Config::default() }))?;
    let address = PeerAddress { id: Identity::from_seed(*network).id(), address };
    Ok(Joined { validator: SigningKey::from_seed(*validator).public_key().0, address })
}

/// The nodes whose directories lie in a network's, validators first.
///
/// # Errors
/// If it cannot be read.
pub fn founded(directory: &Path) -> Result<Vec<Founded>, FoundingError> {
    let failed = |source| FoundingError::File { path: directory.to_owned(), source };
    let mut founded = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        if let Some(name) = name.filter(|_| path.join(SETTINGS).exists()) {
            founded.push(Founded { name, directory: path });
        }
    }
    let order = |node: &Founded| {
        let (role, number) = node.name.rsplit_once('-').unwrap_or((&node.name, ""));
        (role != "validator", role.to_owned(), number.parse::<u32>().unwrap_or(u32::MAX))
    };
    founded.sort_by_key(order);
    Ok(founded)
}

/// The keys of a node's directory.
///
/// # Errors
/// If they are not there, or the passphrase is another.
pub fn keys(directory: &Path, passphrase: &str) -> Result<Keys, FoundingError> {
    let keystore = Keystore::new(directory.join("keys"));
    let network = *keystore.secret(NETWORK_KEY, passphrase)?;
    let validator = match keystore.find(VALIDATOR_KEY) {
        Some(_) => Some(SigningKey::from_seed(*keystore.secret(VALIDATOR_KEY, passphrase)?)),
        None => None,
    };
    Ok(Keys { validator, network, new_journal: false })
}

fn plan(founding: &Founding) -> Result<Vec<Plan>, FoundingError> {
    let names = (1..=founding.validators).map(|number| (format!("validator-{number}"), true));
    let names = names.chain((1..=founding.followers).map(|number| (format!("follower-{number}"), false)));
    // Kept open until all are chosen, so that no two are the same.
    let mut held = Vec::new();
    let mut plans = Vec::new();
    for (index, (name, votes)) in (0_u16..).zip(names) {
        let (listen, address) = addresses(founding.listen, index, &mut held)?;
        let network = secret()?;
        let address = PeerAddress { id: Identity::from_seed(*network).id(), address };
        let validator = if votes { Some(secret()?) } else { None };
        plans.push(Plan { name, validator, network, listen, address });
    }
    Ok(plans)
}

/// Where the node of an index answers, and where others reach it. Free ports are kept open in `held`.
fn addresses(
    first: SocketAddr,
    index: u16,
    held: &mut Vec<UdpSocket>,
) -> Result<(SocketAddr, SocketAddr), FoundingError> {
    if first.port() == 0 {
        let socket = UdpSocket::bind((first.ip(), 0)).map_err(FoundingError::Socket)?;
        let address = socket.local_addr().map_err(FoundingError::Socket)?;
        held.push(socket);
        return Ok((first, address));
    }
    let port = first.port().checked_add(index).filter(|port| *port > NETWORK_OFFSET);
    let port = port.ok_or(FoundingError::Ports(first))?;
    let at = |port| SocketAddr::new(first.ip(), port);
    Ok((at(port), at(port - NETWORK_OFFSET)))
}

fn secret() -> Result<Zeroizing<[u8; 32]>, FoundingError> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).map_err(FoundingError::Randomness)?;
    Ok(secret)
}

fn first_state(founding: &Founding, plans: &[Plan]) -> Result<Genesis, FoundingError> {
    let mut genesis = dev::genesis("", founding.shards).map_err(FoundingError::Randomness)?;
    let keys = plans.iter().filter_map(|plan| plan.validator.as_ref());
    genesis.validators = keys.map(|key| SigningKey::from_seed(**key).public_key().0).collect();
    genesis.validators.sort_unstable();
    genesis.chain_id.clone_from(&founding.chain_id);
    genesis.epoch_length = founding.epoch_length;
    if !founding.dev {
        genesis.dev = false;
        genesis.balances.clear();
    }
    genesis.balances.extend(founding.balances.iter().copied());
    genesis.balances.sort_by_key(|(address, _)| *address);
    genesis.balances.dedup_by_key(|(address, _)| *address);
    Ok(genesis)
}

/// The settings that are not the defaults.
fn settings(config: &Config) -> String {
    let peers: Vec<String> = config.network.peers.iter().map(|peer| format!("  \"{peer}\",\n")).collect();
    let listen = config.network.listen.map(|address| address.to_string()).unwrap_or_default();
    let brokers: Vec<String> = config.broker.bootstrap.iter().map(|broker| format!("{broker:?}")).collect();
    let broker = match brokers.is_empty() {
        true => String::new(),
        false => format!("\n[broker]\nbootstrap = [{}]\n", brokers.join(", ")),
    };
    format!(
        "# Settings of this node; `rustorium config keys` lists all there are.\nlisten = \"{}\"\n\n[network]\nlisten = \
         \"{listen}\"\npeers = [\n{}]\n{broker}",
        config.listen,
        peers.concat()
    )
}

fn write(path: &Path, text: &str) -> Result<(), FoundingError> {
    fs::write(path, text).map_err(|source| FoundingError::File { path: path.to_owned(), source })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn founding(directory: &Path) -> Founding {
        Founding {
            directory: directory.join("net"),
            validators: 3,
            followers: 1,
            listen: ([127, 0, 0, 1], 0).into(),
            chain_id: "test".into(),
            shards: 2,
            brokers: vec!["10.0.0.1:9092".into(), "10.0.0.2:9092".into()],
            dev: true,
            balances: Vec::new(),
            epoch_length: 1_000,
        }
    }

    #[test]
    fn nodes_share_a_genesis_and_know_the_validators() {
        let place = tempfile::tempdir().unwrap();
        let founding = founding(place.path());
        let nodes = found(&founding, "secret").unwrap();
        assert_eq!(nodes, founded(&founding.directory).unwrap());
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["validator-1", "validator-2", "validator-3", "follower-1"]);
        let genesis = genesis::load(&nodes[0].directory).unwrap().unwrap();
        for (node, peers) in nodes.iter().zip([2, 2, 2, 3]) {
            assert_eq!(genesis::load(&node.directory).unwrap().as_ref(), Some(&genesis));
            let config = Config::load(Some(&node.directory.join(SETTINGS)), [], &[]).unwrap();
            assert_eq!(config.network.addresses().unwrap().len(), peers, "{}", node.name);
            assert_eq!((&config.broker.bootstrap, genesis.shards), (&founding.brokers, 2));
            let keys = keys(&node.directory, "secret").unwrap();
            let votes = keys.validator.map(|key| key.public_key().0);
            assert_eq!(votes.is_some_and(|key| genesis.validators.contains(&key)), node.name != "follower-1");
            assert!(super::keys(&node.directory, "another").is_err());
        }
        assert!(matches!(found(&founding, "secret"), Err(FoundingError::NotEmpty(_))));
    }

    #[test]
    fn a_network_has_validators_and_ports() {
        let place = tempfile::tempdir().unwrap();
        let none = Founding { validators: 0, ..founding(place.path()) };
        assert!(matches!(found(&none, ""), Err(FoundingError::Count)));
        let high = Founding { listen: ([127, 0, 0, 1], 65_534).into(), ..founding(place.path()) };
        assert!(matches!(found(&high, ""), Err(FoundingError::Ports(_))));
    }
}
