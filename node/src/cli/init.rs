//! `rustorium init`: the directories of a new network.

use std::{net::SocketAddr, path::PathBuf};

use clap::value_parser;
use rustorium_types::id::{Address, Amount};
use serde_json::json;

use super::{CliError, Output, context::passphrase, output::table};
use crate::{
    dev::EPOCH_LENGTH,
    founding::{Founded, Founding, found},
    genesis,
};

const EXAMPLES: &str = "Examples:
  rustorium init net --validators 4                        four directories, to be started each
  rustorium init net --validators 4 --followers 1 --dev    with the dev accounts, whose keys everybody has
  rustorium init net --validators 7 --chain-id my-chain --balance acc1…=1_000_000
  rustorium init net --shards 4 --broker 10.0.0.1:9092,10.0.0.2:9092,10.0.0.3:9092
  rustorium start --data-dir net/validator-1";

/// Makes the directories of a new network: a genesis, and keys and settings of each node.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InitArgs {
    /// Where the directories are made.
    directory: PathBuf,
    /// How many validators.
    #[arg(long, value_name = "N", default_value_t = 4)]
    validators: u16,
    /// How many nodes that follow.
    #[arg(long, value_name = "N", default_value_t = 0)]
    followers: u16,
    /// Where the first node answers; each next one a port above. Others reach it 1,000 ports below.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8645")]
    listen: SocketAddr,
    /// The chain's name for people.
    #[arg(long, value_name = "NAME", default_value = "rustorium")]
    chain_id: String,
    /// Lanes that all nodes share, fixed for good [default: 1 with a broker, else none].
    #[arg(long, value_name = "N")]
    shards: Option<u32>,
    /// Brokers that have them, Redpanda or Apache Kafka; they may also be named in the nodes' settings later.
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',')]
    broker: Vec<String>,
    /// A dev chain: it takes control records, and everybody knows its accounts' keys.
    #[arg(long)]
    dev: bool,
    /// What an account starts with, in base units; may be given again.
    #[arg(long, value_name = "ACCOUNT=AMOUNT", value_parser = balance)]
    balance: Vec<(Address, Amount)>,
    /// Heights of an epoch: the validators change at its end, if they decided so.
    #[arg(long, value_name = "HEIGHTS", default_value_t = EPOCH_LENGTH, value_parser = value_parser!(u64).range(1..))]
    epoch_length: u64,
}

fn balance(text: &str) -> Result<(Address, Amount), String> {
    let (address, amount) = text.split_once('=').ok_or("a balance is ACCOUNT=AMOUNT")?;
    let address = address.parse().map_err(|error| format!("`{address}`: {error}"))?;
    let amount = amount.replace('_', "").parse().map_err(|error| format!("`{amount}`: {error}"))?;
    Ok((address, amount))
}

pub(crate) fn run(args: InitArgs, output: &Output) -> Result<(), CliError> {
<<<<<<< HEAD
    let InitArgs { directory, validators, followers, listen, chain_id, dev, balance: balances, epoch_length } = args;
    let founding =
        Founding { directory: directory.clone(), validators, followers, listen, chain_id, dev, balances, epoch_length };
=======
    let InitArgs { directory, validators, followers, listen, chain_id, shards, broker, dev, balance } = args;
    let founding = Founding {
        directory: directory.clone(),
        validators,
        followers,
        listen,
        chain_id,
        shards: shards.unwrap_or_else(|| u32::from(!broker.is_empty())),
        brokers: broker,
        dev,
        balances: balance,
    };
>>>>>>> next
    let chosen = passphrase("A passphrase for the nodes' keys: ")?;
    let nodes = found(&founding, &chosen).map_err(|error| CliError::usage(error.to_string()))?;
    let hash = genesis::load(&directory).ok().flatten().map(|genesis| genesis.hash().to_string()).unwrap_or_default();
    if output.json {
        let nodes: Vec<_> =
            nodes.iter().map(|Founded { name, directory }| json!({ "name": name, "directory": directory })).collect();
        output.data(&json!({ "genesisHash": hash, "nodes": nodes }));
    } else {
        let rows = nodes.iter().map(|node| [node.name.clone(), node.directory.display().to_string()]);
        output.line(format!(
            "genesis {hash}\n\n{}\n\nStart each: rustorium start --data-dir DIRECTORY",
            table(["NODE", "DIRECTORY"], rows)
        ));
    }
    Ok(())
}
