//! `rustorium dev`: a chain of one machine, and commands to it.
//!
//! The first line on stdout says where it answers, once it does; it is JSON unless stdout is a terminal, where
//! a person reads the same as text on stderr.

use std::{
    io::{IsTerminal, stdout},
    net::SocketAddr,
    path::PathBuf,
};

use rustorium_client::signer::secret_text;
use rustorium_types::{
    code::Code,
    time::{format_timestamp, parse_timestamp},
};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    CliError, Context, Output, arguments,
    names::project_folder,
    output::{digits, table},
    transfer::{named, required},
};
use crate::{config::Config, dev, node::Node, telemetry};

const EXAMPLES: &str = "Examples:
  rustorium dev
  rustorium dev --listen 127.0.0.1:0 --seed demo --output json
  rustorium dev time +1h                    block times are an hour ahead from now on
  rustorium dev time 2030-01-01T00:00:00Z   the next block is not before that
  rustorium dev mine                        seals a block, even an empty one
  rustorium dev set bob balance=1_000";

/// Runs a chain of one machine, or commands the one that runs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct DevArgs {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    command: Option<DevCommand>,
}

#[derive(Debug, clap::Args)]
struct ServeArgs {
    /// Where the chain is kept [default: .rustorium/dev of the project].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where it answers; port 0 takes a free one [default: 127.0.0.1:8645].
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Milliseconds between two blocks at the least [default: 0].
    #[arg(long, value_name = "MILLISECONDS")]
    block_time: Option<u64>,
    /// When an accepted transaction is on the disk [default: fsync].
    #[arg(long, value_name = "fsync|none", value_parser = ["fsync", "none"])]
    durability: Option<String>,
    /// Decides the genesis of a new chain, so that the same seed gives the same one.
    #[arg(long, value_name = "SEED", conflicts_with = "genesis")]
    seed: Option<String>,
    /// A genesis.toml that a new chain starts from.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// A file of settings; see `rustorium config keys`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum DevCommand {
    /// Moves the chain's clock: `+1h` ahead of the system's, or to a time, never back.
    Time {
        /// `+DURATION`, or a time in RFC 3339.
        #[arg(value_name = "+DURATION|TIME")]
        time: String,
    },
    /// Seals blocks, even empty ones.
    Mine {
        /// How many.
        #[arg(default_value_t = 1)]
        blocks: u32,
    },
    /// Sets what an account has, out of nothing.
    Set {
        /// Its name or address.
        account: String,
        /// `balance=AMOUNT` in base units.
        #[arg(value_name = "NAME=VALUE", required = true)]
        arguments: Vec<String>,
    },
}

impl DevArgs {
    /// Whether this runs a node, rather than commanding one.
    pub(crate) const fn serves(&self) -> bool {
        self.command.is_none()
    }
}

impl ServeArgs {
    fn config(&self) -> Result<Config, CliError> {
        let path = |path: &PathBuf| path.display().to_string();
        let mut flags: Vec<(&str, String)> = Vec::new();
        flags.extend(self.data_dir.as_ref().map(|directory| ("data_dir", path(directory))));
        flags.extend(self.listen.map(|address| ("listen", address.to_string())));
        flags.extend(self.block_time.map(|time| ("chain.block_time_ms", time.to_string())));
        flags.extend(self.durability.clone().map(|durability| ("chain.durability", durability)));
        flags.extend(self.seed.clone().map(|seed| ("dev.seed", seed)));
        flags.extend(self.genesis.as_ref().map(|genesis| ("dev.genesis", path(genesis))));
        let load = || Config::load(self.config.as_deref(), std::env::vars(), &flags);
        let mut config = load().map_err(|error| CliError::usage(error.to_string()))?;
        if config.data_dir == Config::default().data_dir {
            config.data_dir = project_folder(&std::env::current_dir()?).join("dev");
        }
        Ok(config)
    }
}

pub(crate) fn serve(args: DevArgs, verbosity: u8, output: &Output) -> Result<(), CliError> {
    let config = args.serve.config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let _collecting = telemetry::start(verbosity, &config.telemetry)?;
        // Listened for from the start: a node that is told to stop while it recovers stops too.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let directory = config.data_dir.clone();
        let node = tokio::select! {
            node = Node::start(config) => node?,
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        };
        announce(&node, &directory, output);
        let fault = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            fault = node.stopped() => fault,
        };
        let closed = node.shutdown().await;
        match fault.or(closed.err()) {
            None => Ok(()),
            Some(fault) => Err(CliError::new(Code::Internal, format!("the chain stopped: {fault}"))),
        }
    })
}

fn announce(node: &Node, directory: &std::path::Path, output: &Output) {
    let genesis = node.genesis();
    let endpoints = node.endpoints();
    let accounts: Vec<Value> = dev::accounts()
        .into_iter()
        .map(|account| {
            let balance = genesis.balances.iter().find(|(address, _)| *address == account.address.into());
            json!({
                "name": account.name,
                "address": account.address.to_string(),
                "balance": balance.map_or_else(|| "0".into(), |(_, balance)| balance.to_string()),
                "secretKey": secret_text(&account.secret_key).as_str(),
            })
        })
        .collect();
    let ready = json!({
        "event": "ready",
        "chainId": genesis.chain_id,
        "genesisHash": node.genesis_hash().to_string(),
        "rest": endpoints.rest,
        "graphql": endpoints.graphql,
        "websocket": endpoints.websocket,
        "metrics": endpoints.metrics,
        "accounts": accounts,
    });
    if output.json || !stdout().is_terminal() {
        output.data(&ready);
    }
    if output.is_terminal() && !output.json {
        let rows = dev::accounts().into_iter().map(|account| [account.name.into(), account.address.to_string()]);
        output.note(format!(
            "A chain of one machine, kept in {}\n\n  chain      {}\n  REST       {}\n  GraphQL    {}\n  metrics    {}\n\n\
             Everybody knows the keys of its accounts, with {} {} each:\n{}\n\nCtrl-C stops it; what was accepted is kept.",
            directory.display(),
            node.genesis_hash(),
            endpoints.rest,
            endpoints.graphql,
            endpoints.metrics,
            digits(dev::BALANCE),
            genesis.symbol,
            table(["NAME", "ADDRESS"], rows),
        ));
    }
}

pub(crate) async fn control(args: DevArgs, context: &Context) -> Result<(), CliError> {
    let Some(command) = args.command else { return Ok(()) };
    let (controls, what) = match command {
        DevCommand::Time { time } => time_control(&time)?,
        DevCommand::Mine { blocks } => {
            let what = if blocks == 1 { "sealed a block".into() } else { format!("sealed {blocks} blocks") };
            (vec![json!({ "mine": {} }); blocks as usize], what)
        }
        DevCommand::Set { account, arguments } => {
            let [balance] = named(["balance"], &arguments)?;
            let balance = arguments::number(&required("balance", balance)?);
            let address = context.people().await?.address_or_error(&account)?.to_string();
            let what = format!("{account} has {}", digits(&balance));
            (vec![json!({ "setBalance": { "address": address, "amount": balance } })], what)
        }
    };
    let mut height = Value::Null;
    for control in controls {
        let answer: Value = context.client.post("/v1/dev/control", &[], &control).await?;
        height = answer["height"].clone();
    }
    let object = json!({ "height": height });
    context.output.show(&object, || format!("{what} at height {height}"));
    Ok(())
}

fn time_control(text: &str) -> Result<(Vec<Value>, String), CliError> {
    if let Some(offset) = text.strip_prefix('+') {
        let offset =
            humantime::parse_duration(offset).map_err(|error| CliError::usage(format!("`{text}`: {error}")))?;
        let milliseconds =
            u64::try_from(offset.as_millis()).map_err(|_| CliError::usage(format!("`{text}` is too far")))?;
        let what = format!("block times are {} ahead", humantime::format_duration(offset));
        return Ok((vec![json!({ "timeOffset": { "milliseconds": milliseconds } })], what));
    }
    let time = parse_timestamp(text)
        .ok_or_else(|| CliError::usage(format!("`{text}` is neither +DURATION (as +1h) nor a time in RFC 3339")))?;
    let time = format_timestamp(time);
    Ok((vec![json!({ "timeAtLeast": { "time": time } })], format!("the chain's time is {time} or later")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_offsets_or_points() {
        let control = |text| time_control(text).map(|(controls, _)| controls).map_err(|error| error.text());
        assert_eq!(control("+1h 5s"), Ok(vec![json!({"timeOffset": {"milliseconds": 3_605_000}})]));
        let time = "2030-01-01T00:00:00.000Z";
        assert_eq!(control("2030-01-01T00:00:00Z"), Ok(vec![json!({"timeAtLeast": {"time": time}})]));
        assert!(control("tomorrow").is_err() && control("+soon").is_err());
    }
}
