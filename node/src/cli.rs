//! The command line: `rustorium`.
//!
//! - one file for each command under `cli/`, named as it is
//! - [`output`]: data on stdout, the rest on stderr; text or JSON · [`error`]: exit codes
//! - [`context`]: the node, the chain, who sends · [`names`]: the name book · [`arguments`]: `name=value` by the ABI
//! - [`submit`]: from messages to an outcome · [`verify`]: answers that need no trust
//!
//! Commands that a node answers run on one thread, so that they start in milliseconds.

mod abi;
mod account;
mod arguments;
mod block;
mod build;
mod call;
mod completions;
mod config;
mod context;
mod contract;
mod db;
mod deploy;
mod dev;
mod error;
mod events;
mod init;
mod load;
mod localnet;
mod names;
mod new;
mod output;
mod peers;
mod query;
mod start;
mod state;
mod status;
mod submit;
mod test;
mod trace;
mod transfer;
mod tx;
mod upgrade;
mod validator;
mod verify;

use std::process::ExitCode;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use crate::telemetry;

pub(crate) use context::Context;
pub(crate) use error::CliError;
pub(crate) use output::Output;

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed
  2  the command line is wrong
  3  the contract reverted
  4  a proof did not verify
  5  no node answers";

const EXAMPLES: &str = "A first round:
  rustorium dev                                   a chain of one machine; keep it running
  rustorium new hello --template token            a contract project
  rustorium deploy hello --name hello symbol=HI decimals=2 supply=1_000_000
  rustorium call hello transfer to=bob amount=500
  rustorium query hello balance_of account=bob --verify";

/// A chain for contracts written in Rust, whose answers can be checked by whoever asks.
#[derive(Debug, Parser)]
#[command(name = "rustorium", version, about, after_help = EXIT_CODES, before_long_help = EXAMPLES)]
#[command(propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
struct Global {
    /// The node to ask.
    #[arg(long, global = true, value_name = "URL", env = "RUSTORIUM_NODE", default_value = DEFAULT_NODE)]
    node: String,
    /// Who sends: a key's name or an address [default: the first dev account on a dev chain].
    #[arg(long, global = true, value_name = "ACCOUNT", env = "RUSTORIUM_FROM")]
    from: Option<String>,
    /// Text for people, or one JSON object (one a line for streams).
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    output: Format,
    /// Says more on stderr; twice for everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// `--from` is impersonated.
    #[arg(skip)]
    impersonates: bool,
}

const DEFAULT_NODE: &str = "http://127.0.0.1:8645";

impl Cli {
    /// Of `dev impersonate ACCOUNT COMMAND …` the command, from that account; what is given behind the command counts.
    fn impersonated(self) -> Self {
        let Command::Dev(args) = &self.command else { return self };
        let Some((account, command)) = args.impersonation() else { return self };
        let line = std::iter::once("rustorium").chain(command.iter().map(String::as_str));
        let mut inner = Self::try_parse_from(line).unwrap_or_else(|error| error.exit());
        inner.global.from = Some(account.into());
        inner.global.impersonates = true;
        if inner.global.node == DEFAULT_NODE {
            inner.global.node.clone_from(&self.global.node);
        }
        if self.global.output == Format::Json {
            inner.global.output = Format::Json;
        }
        inner.global.verbose = inner.global.verbose.max(self.global.verbose);
        inner
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a chain of one machine, or commands the one that runs.
    Dev(dev::DevArgs),
    /// Makes the directories of a new network.
    Init(init::InitArgs),
    /// Runs a node of a network.
    Start(start::StartArgs),
    /// Runs a network of this machine.
    Localnet(localnet::LocalnetArgs),
    /// Makes a contract project.
    New(new::NewArgs),
    /// Builds a contract to WebAssembly.
    Build(build::BuildArgs),
    /// Runs a contract's tests and shows what its methods cost.
    Test(test::TestArgs),
    /// Puts a contract on the chain and names it.
    Deploy(deploy::DeployArgs),
    /// Gives a contract other code.
    Upgrade(upgrade::UpgradeArgs),
    /// Shows a contract, or hands over the right to upgrade it.
    #[command(subcommand)]
    Contract(contract::ContractCommand),
    /// Runs a contract's method in a transaction.
    Call(call::CallArgs),
    /// Asks a contract's view.
    Query(query::QueryArgs),
    /// Reads a value of a contract's storage.
    State(state::StateArgs),
    /// Lists a contract's events, and follows them.
    Events(events::EventsArgs),
    /// Shows a transaction; prepares, signs, sends or decodes one.
    Tx(tx::TxArgs),
    /// Executes a past transaction again and shows what it did, step by step.
    Trace(trace::TraceArgs),
    /// Shows a block.
    Block(block::BlockArgs),
    /// Makes, imports, lists, shows and funds accounts.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Moves native value.
    Transfer(transfer::TransferArgs),
    /// Shows what a node knows of its chain.
    Status,
    /// Shows which other nodes a node is connected to.
    Peers,
    /// Lists the validators; proposes, signs and submits a change of them.
    Validator(validator::ValidatorArgs),
    /// Shows what a contract offers.
    Abi(abi::AbiArgs),
    /// Checks a data directory, or says what is in it.
    #[command(subcommand)]
    Db(db::DbCommand),
    /// Executes a chain's whole log again and compares every root.
    Replay(db::ReplayArgs),
    /// Measures a node with token transfers.
    Load(load::LoadArgs),
    /// Checks a node's settings.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Prints completions for a shell.
    Completions(completions::CompletionsArgs),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse().impersonated();
    let output = Output::new(cli.global.output == Format::Json);
    match run(cli, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.exit as u8)
        }
    }
}

fn run(cli: Cli, output: &Output) -> Result<(), CliError> {
    let Cli { global, command } = cli;
    let context = || Context::new(output, &global.node, global.from.as_deref(), global.impersonates);
    let sends = matches!(
        &command,
        Command::Call(_) | Command::Transfer(_) | Command::Deploy(_) | Command::Upgrade(_) | Command::Contract(_)
    );
    if global.impersonates && !sends {
        return Err(CliError::usage("only call, transfer, deploy, upgrade and contract set-admin can be impersonated"));
    }
    // A node logs as it runs; a command says something only when asked to.
    let serves = match &command {
        Command::Dev(args) => args.serves(),
        Command::Start(_) => true,
        _ => false,
    };
    if !serves {
        telemetry::log_to_stderr(global.verbose);
    }
    match command {
        Command::Init(args) => init::run(args, output),
        Command::Start(args) => start::run(args, global.verbose + 1, output),
        Command::Localnet(args) => localnet::run(args, output),
        Command::New(args) => new::run(args, output),
        Command::Build(args) => build::run(args, output),
        Command::Test(args) => test::run(args, output),
        Command::Db(command) => db::run(command, output),
        Command::Replay(args) => db::replay_log(args, output),
        Command::Config(command) => config::run(command, output),
        Command::Completions(args) => completions::run(args),
        Command::Dev(args) if args.serves() => dev::serve(args, global.verbose + 1, output),
        Command::Dev(args) => wait_for(dev::control(args, &context()?)),
        Command::Deploy(args) => wait_for(deploy::run(args, &context()?)),
        Command::Upgrade(args) => wait_for(upgrade::run(args, &context()?)),
        Command::Contract(command) => wait_for(contract::run(command, &context()?)),
        Command::Call(args) => wait_for(call::run(args, &context()?)),
        Command::Query(args) => wait_for(query::run(args, &context()?)),
        Command::State(args) => wait_for(state::run(args, &context()?)),
        Command::Events(args) => wait_for(events::run(args, &context()?)),
        Command::Tx(args) => wait_for(tx::run(args, &context()?)),
        Command::Trace(args) => wait_for(trace::run(args, &context()?)),
        Command::Block(args) => wait_for(block::run(args, &context()?)),
        Command::Account(command) => wait_for(account::run(command, &context()?)),
        Command::Transfer(args) => wait_for(transfer::run(args, &context()?)),
        Command::Status => wait_for(status::run(&context()?)),
        Command::Validator(args) if args.is_offline() => validator::run_offline(args, output),
        Command::Validator(args) => wait_for(validator::run(args, &context()?)),
        Command::Peers => wait_for(peers::run(&context()?)),
        Command::Abi(args) => wait_for(abi::run(args, &context()?)),
        Command::Load(args) => wait_for(load::run(args, &context()?)),
    }
}

fn wait_for(command: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_and_a_contract_s_arguments_do_not_collide() {
        let line = "rustorium call token transfer_from from=alice to=bob amount=5 --dry-run --from carol";
        let cli = Cli::try_parse_from(line.split(' ')).expect("parses");
        assert_eq!(cli.global.from.as_deref(), Some("carol"));
        let Command::Call(args) = cli.command else { panic!("a call") };
        assert_eq!(args.arguments, ["from=alice", "to=bob", "amount=5"]);
        assert!(args.dry_run);
    }

    #[test]
    fn every_command_of_the_table_parses() {
        let zero = rustorium_types::id::Hash::ZERO;
        let trusting = format!("query hello balance_of account=bob --height 5 --verify --trust {zero} --max-age 5s");
        let key_line = format!("validator propose --add {zero} --remove {zero}");
        for line in [
            "dev --data-dir d --listen 127.0.0.1:0 --block-time 0 --durability none --seed s",
            "dev --genesis genesis.toml",
            "dev time +1h",
            "dev mine",
            "dev set alice balance=5 nonce=3",
            "dev set hello balances[bob]=5 code=hello .balance=1",
            "dev impersonate bob call hello transfer to=bob amount=5 --dry-run",
            "dev snapshot --list",
            "dev revert 5",
            "dev dump state.jsonl --height 5",
            "dev load state.jsonl",
            "init net --validators 4 --followers 1 --listen 127.0.0.1:0 --dev --chain-id n --epoch-length 40",
            "start --data-dir net/validator-1",
            "localnet --validators 4 --followers 1 --data-dir d --listen 127.0.0.1:0",
            "new hello --template token",
            "build",
            "build hello",
            "test hello",
            "deploy hello --name hello --admin none supply=1",
            "deploy hello.wasm --name hello @args.json",
            "upgrade hello hello --dry-run",
            "contract show hello",
            "contract set-admin hello none",
            "call hello transfer to=bob amount=5 --value 1 --gas 5 --wait certified",
            "query hello balance_of account=bob",
            trusting.as_str(),
            "state hello balances bob --verify",
            "events hello",
            "events hello Transfer --where to=bob --after 1.0.0.00000000 --follow --limit 5",
            "events hello --from-height 5",
            "tx 0x00",
            "tx prepare @input.json",
            "tx sign @prepared.json",
            "tx send @signed.json",
            "tx decode 0x00",
            "block latest",
            "account new carla",
            "account import carla",
            "account list",
            "account show carla",
            "account fund carla amount=5",
            "transfer to=bob amount=5",
            "status",
            "peers",
            "validator list",
            "validator new net/validator-5 --genesis net/genesis.toml --peer id@127.0.0.1:7645 --listen 127.0.0.1:0",
            key_line.as_str(),
            "validator sign change.json --data-dir net/validator-1",
            "validator submit change.json --from carol",
            "abi hello",
            "db check --data-dir d",
            "db stats --data-dir d",
            "replay --data-dir d --into e",
            "load --transfers 5",
            "config check",
            "completions bash",
            "--output json status",
            "status --output json -vv --node http://h:1",
        ] {
            let words = std::iter::once("rustorium").chain(line.split(' '));
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
        }
    }
}
