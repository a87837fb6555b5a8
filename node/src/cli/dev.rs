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
use rustorium_types::code::Code;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    CliError, Context, Output,
    names::project_folder,
    output::{digits, table},
};
use crate::{config::Config, dev, membership::Keys, node::Node, telemetry};

mod control;
mod dump;

const EXAMPLES: &str = "Examples:
  rustorium dev
  rustorium dev --listen 127.0.0.1:0 --seed demo --output json
  rustorium dev --broker 127.0.0.1:9092     transactions go through Redpanda or Kafka; one copy of each topic
  rustorium dev time +1h                    block times are an hour ahead from now on
  rustorium dev time 2030-01-01T00:00:00Z   the next block is not before that
  rustorium dev mine                        seals a block, even an empty one
  rustorium dev set bob balance=1_000 nonce=7
  rustorium dev set hello 'balances[bob]=500' code=../hello
  rustorium dev impersonate acc1… call hello transfer to=bob amount=5
  rustorium dev snapshot                    says the height that `dev revert HEIGHT` comes back to
  rustorium dev dump state.jsonl            and `dev load state.jsonl` on another chain";

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
    /// Brokers that have the chain's shared lanes: Redpanda, or Apache Kafka.
    #[arg(long, value_name = "HOST:PORT,…")]
    broker: Option<String>,
    /// Shared lanes of a new chain [default: 1 with a broker, else none].
    #[arg(long, value_name = "N")]
    shards: Option<u32>,
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
    /// Sets what an account or a contract has, out of nothing.
    Set {
        /// Its name or address.
        target: String,
        /// Of an account `balance=AMOUNT` and `nonce=HIGHEST-USED`; of a contract also `code=PATH|FILE.wasm` and
        /// storage: `FIELD=VALUE`, `FIELD[KEY,…]=VALUE` or `0xKEY=0xVALUE`, `null` to remove. A field called as
        /// one of these has a dot in front.
        #[arg(value_name = "NAME=VALUE", required = true)]
        arguments: Vec<String>,
    },
    /// Runs a command as any account, without its key: `impersonate ACCOUNT call …`.
    Impersonate {
        /// The account: its name or address.
        account: String,
        /// `call`, `transfer`, `deploy`, `upgrade` or `contract set-admin`, with its arguments.
        #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Keeps the state, to come back to it with `revert`; says the height that names it.
    Snapshot {
        /// Lists the snapshots that are kept.
        #[arg(long)]
        list: bool,
    },
    /// Brings the state back to a snapshot; what was executed since is undone and may be executed again.
    Revert {
        /// The height that `snapshot` said.
        snapshot: u64,
    },
    /// Writes the whole state to a file.
    Dump {
        /// The file.
        file: PathBuf,
        /// The state after this block [default: the newest].
        #[arg(long, value_name = "HEIGHT")]
        height: Option<u64>,
    },
    /// Puts a dumped state over that of this chain.
    Load {
        /// The file.
        file: PathBuf,
    },
}

impl DevArgs {
    /// Whether this runs a node, rather than commanding one.
    pub(crate) const fn serves(&self) -> bool {
        self.command.is_none()
    }

    /// Whom to impersonate with which command, if that is what this is.
    pub(crate) fn impersonation(&self) -> Option<(&str, &[String])> {
        match &self.command {
            Some(DevCommand::Impersonate { account, command }) => Some((account, command)),
            _ => None,
        }
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
        flags.extend(self.broker.clone().map(|brokers| ("broker.bootstrap", brokers)));
        flags.extend(self.shards.map(|shards| ("dev.shards", shards.to_string())));
        let load = || Config::load(self.config.as_deref(), std::env::vars(), &flags);
        let mut config = load().map_err(|error| CliError::usage(error.to_string()))?;
        if config.data_dir == Config::default().data_dir {
            config.data_dir = project_folder(&std::env::current_dir()?).join("dev");
        }
        Ok(config)
    }
}

pub(crate) fn serve(args: DevArgs, verbosity: u8, output: &Output) -> Result<(), CliError> {
    serve_node(args.serve.config()?, None, verbosity, output)
}

/// Runs a node until it is told to stop: alone, or with the keys of one of several.
pub(super) fn serve_node(config: Config, keys: Option<Keys>, verbosity: u8, output: &Output) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let _collecting = telemetry::start(verbosity, &config.telemetry)?;
        // Listened for from the start: a node that is told to stop while it recovers stops too.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let directory = config.data_dir.clone();
        let node = tokio::select! {
            node = Node::start_among(config, keys) => node?,
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        };
        announce(&node, &directory, output);
        let ended = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            fault = node.stopped() => fault.map(|fault| format!("the chain stopped: {fault}")),
            why = node.left_behind() => Some(why),
        };
        let closed = node.shutdown().await;
        match ended.or_else(|| closed.err().map(|fault| format!("the chain stopped: {fault}"))) {
            None => Ok(()),
            Some(why) => Err(CliError::new(Code::Internal, why)),
        }
    })
}

fn announce(node: &Node, directory: &std::path::Path, output: &Output) {
    let genesis = node.genesis();
    let endpoints = node.endpoints();
    let accounts: Vec<Value> = dev::accounts()
        .into_iter()
        .filter(|_| genesis.dev)
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
    if output.is_terminal() && !output.json && !genesis.dev {
        output.note(format!(
            "A node of {}, kept in {}\n\n  chain      {}\n  REST       {}\n  GraphQL    {}\n  metrics    {}\n\n\
             Ctrl-C stops it.",
            genesis.chain_id,
            directory.display(),
            node.genesis_hash(),
            endpoints.rest,
            endpoints.graphql,
            endpoints.metrics,
        ));
    } else if output.is_terminal() && !output.json {
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

/// Commands the chain that runs.
pub(crate) async fn control(args: DevArgs, context: &Context) -> Result<(), CliError> {
    match args.command {
        Some(command) => control::run(command, context).await,
        None => Ok(()),
    }
}
