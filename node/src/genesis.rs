//! A genesis as a file for people, and as the bytes that a data directory keeps.
//!
//! ```text
//! DATA_DIR/genesis.toml    what a person reads, copies and hands to `--genesis`
//! DATA_DIR/genesis.borsh   what was hashed: the chain of this directory
//! ```
//!
//! Invariant: the two say the same; a directory in which they differ is refused, because somebody edited one
//! and means a chain that this directory does not hold.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustorium_chain::{chain::logged_genesis, log::LogError};
use rustorium_types::{
    genesis::Genesis,
    id::{Address, Amount, Gas, Hash},
    limits::Limits,
    time::{format_timestamp, parse_timestamp},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The file for people.
pub const TOML_FILE: &str = "genesis.toml";
/// The file of the bytes.
pub const BORSH_FILE: &str = "genesis.borsh";

/// Why there is no genesis to start from.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is not TOML of a genesis.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// A value is not what its field needs.
    #[error("genesis: `{field}`: {reason}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There is only a log to tell which chain this is, and it does not.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The bytes are not a genesis of this version.
    #[error("{} is not a genesis that this version knows", .0.display())]
    Encoding(PathBuf),
    /// The two files differ.
    #[error(
        "genesis.toml in {} was edited and no longer describes this chain ({hash}); restore it, or start a new \
         chain from it: --genesis FILE --data-dir NEW_DIRECTORY",
        .directory.display()
    )]
    Edited {
        /// The data directory.
        directory: PathBuf,
        /// The chain's.
        hash: Hash,
    },
}

/// The genesis of a data directory, `None` if it holds no chain yet.
///
/// # Errors
/// If it cannot be read, or its two files differ.
pub fn load(directory: &Path) -> Result<Option<Genesis>, GenesisError> {
    let path = directory.join(BORSH_FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        // A directory that was rebuilt from its log has only that, and a log begins with its genesis.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(logged_genesis(directory)?),
        Err(source) => return Err(GenesisError::File { path, source }),
    };
    let genesis: Genesis = borsh::from_slice(&bytes).map_err(|_| GenesisError::Encoding(path))?;
    let text = directory.join(TOML_FILE);
    if text.exists() && read(&text)? != genesis {
        return Err(GenesisError::Edited { directory: directory.to_owned(), hash: genesis.hash() });
    }
    Ok(Some(genesis))
}

/// Writes both files, the bytes last: a directory with the bytes has both.
///
/// # Errors
/// If they cannot be written.
pub fn store(directory: &Path, genesis: &Genesis) -> Result<(), GenesisError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| GenesisError::File { path, source }
    };
    fs::create_dir_all(directory).map_err(failed(directory))?;
    let bytes = borsh::to_vec(genesis).unwrap_or_default();
    for (name, content) in [(TOML_FILE, to_toml(genesis).into_bytes()), (BORSH_FILE, bytes)] {
        let path = directory.join(name);
        let temporary = directory.join(format!("{name}.new"));
        let written = fs::File::create(&temporary).and_then(|mut file| {
            file.write_all(&content)?;
            file.sync_all()
        });
        written.map_err(failed(&temporary))?;
        fs::rename(&temporary, &path).map_err(failed(&path))?;
    }
    fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed(directory))
}

/// Reads a `genesis.toml`.
///
/// # Errors
/// If it cannot be read or is not a genesis.
pub fn read(path: &Path) -> Result<Genesis, GenesisError> {
    let text = fs::read_to_string(path).map_err(|source| GenesisError::File { path: path.to_owned(), source })?;
    let file: File = toml::from_str(&text)
        .map_err(|source| GenesisError::Syntax { path: path.to_owned(), source: Box::new(source) })?;
    file.try_into()
}

/// The text of a `genesis.toml`.
pub fn to_toml(genesis: &Genesis) -> String {
    let mut text = format!(
        "# The genesis of a Rustorium chain. Its hash names the chain: {}\n# Amounts are in base units.\n\n",
        genesis.hash()
    );
    text.push_str(&toml::to_string(&File::from(genesis)).unwrap_or_default());
    text
}

/// [`Genesis`] as text says it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u16,
    chain_id: String,
    dev: bool,
    salt: String,
    time: String,
    symbol: String,
    decimals: u8,
    fee_account: String,
    gas_price: String,
    epoch_length: u64,
    state_lag: u64,
    shards: u32,
    validators: Vec<String>,
    verifying_keys: Vec<String>,
    limits: FileLimits,
    balances: Vec<FileBalance>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLimits {
    block_bytes: u32,
    block_records: u32,
    block_gas: u64,
    transaction_bytes: u32,
    transaction_gas: u64,
    code_bytes: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileBalance {
    address: String,
    amount: String,
}

impl From<&Genesis> for File {
    fn from(genesis: &Genesis) -> Self {
        let limits = &genesis.limits;
        let balance = |(address, amount): &(Address, Amount)| FileBalance {
            address: address.to_string(),
            amount: amount.to_string(),
        };
        Self {
            version: genesis.version,
            chain_id: genesis.chain_id.clone(),
            dev: genesis.dev,
            salt: Hash(genesis.salt).to_string(),
            time: format_timestamp(genesis.time),
            symbol: genesis.symbol.clone(),
            decimals: genesis.decimals,
            fee_account: genesis.fee_account.to_string(),
            gas_price: genesis.gas_price.to_string(),
            epoch_length: genesis.epoch_length,
            state_lag: genesis.state_lag,
            shards: genesis.shards,
            validators: genesis.validators.iter().map(|key| Hash(*key).to_string()).collect(),
            verifying_keys: genesis.verifying_keys.iter().map(Hash::to_string).collect(),
            limits: FileLimits {
                block_bytes: limits.block_bytes,
                block_records: limits.block_records,
                block_gas: limits.block_gas.0,
                transaction_bytes: limits.transaction_bytes,
                transaction_gas: limits.transaction_gas.0,
                code_bytes: limits.code_bytes,
            },
            balances: genesis.balances.iter().map(balance).collect(),
        }
    }
}

impl TryFrom<File> for Genesis {
    type Error = GenesisError;

    fn try_from(file: File) -> Result<Self, GenesisError> {
        let mut balances = Vec::with_capacity(file.balances.len());
        for balance in &file.balances {
            balances.push((parse("balances.address", &balance.address)?, parse("balances.amount", &balance.amount)?));
        }
        balances.sort_by_key(|(address, _)| *address);
        if balances.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(GenesisError::Value { field: "balances", reason: "an address stands there twice".into() });
        }
        let key = |text: &String| parse::<Hash>("validators", text).map(|hash| hash.0);
        let mut validators = file.validators.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        validators.sort_unstable();
        if validators.is_empty() {
            return Err(GenesisError::Value { field: "validators", reason: "there is none".into() });
        }
        let time = parse_timestamp(&file.time).ok_or_else(|| GenesisError::Value {
            field: "time",
            reason: format!("`{}` is not an RFC 3339 time", file.time),
        })?;
        let verifying_keys = file.verifying_keys.iter().map(|text| parse("verifying_keys", text));
        Ok(Self {
            version: file.version,
            chain_id: file.chain_id,
            dev: file.dev,
            salt: parse::<Hash>("salt", &file.salt)?.0,
            time,
            symbol: file.symbol,
            decimals: file.decimals,
            balances,
            fee_account: parse("fee_account", &file.fee_account)?,
            gas_price: parse("gas_price", &file.gas_price)?,
            epoch_length: file.epoch_length,
            state_lag: file.state_lag,
            shards: file.shards,
            limits: Limits {
                block_bytes: file.limits.block_bytes,
                block_records: file.limits.block_records,
                block_gas: Gas(file.limits.block_gas),
                transaction_bytes: file.limits.transaction_bytes,
                transaction_gas: Gas(file.limits.transaction_gas),
                code_bytes: file.limits.code_bytes,
            },
            validators,
            verifying_keys: verifying_keys.collect::<Result<_, _>>()?,
        })
    }
}

fn parse<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, GenesisError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| GenesisError::Value { field, reason: error.to_string() })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::dev;

    #[test]
    fn a_directory_gives_back_what_it_was_given() {
        let directory = tempfile::tempdir().unwrap();
        let genesis = dev::genesis("seed", 0).unwrap();
        assert_eq!(load(directory.path()).unwrap(), None);
        store(directory.path(), &genesis).unwrap();
        assert_eq!(load(directory.path()).unwrap(), Some(genesis.clone()));
        assert_eq!(read(&directory.path().join(TOML_FILE)).unwrap().hash(), genesis.hash());
    }

    #[test]
    fn an_edited_file_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        store(directory.path(), &dev::genesis("seed", 0).unwrap()).unwrap();
        let path = directory.path().join(TOML_FILE);
        let text = fs::read_to_string(&path).unwrap().replace("state_lag = 8", "state_lag = 7");
        fs::write(&path, text).unwrap();
        assert!(matches!(load(directory.path()), Err(GenesisError::Edited { .. })));
    }
}
