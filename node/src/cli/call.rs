//! `rustorium call`: a method of a contract, in a transaction.

use rustorium_types::{abi::MethodKind, id::Amount, transaction::Message};

use super::{
    CliError, Context, arguments,
    submit::{self, Plan, WaitFor},
};

const EXAMPLES: &str = "Examples:
  rustorium call token transfer to=bob amount=1_000
  rustorium call token transfer_from from=alice to=bob amount=5 --dry-run
  rustorium call shop buy item=\"a hat\" --value 250 --from carol --wait certified";

/// Runs a contract's method in a transaction.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CallArgs {
    /// The contract: its name or address.
    contract: String,
    /// The method.
    method: String,
    /// Its arguments by name, or @FILE.json.
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) arguments: Vec<String>,
    /// Native value that goes with it, in base units.
    #[arg(long, value_name = "AMOUNT", value_parser = amount, default_value = "0")]
    value: Amount,
    /// Gas that it may use [default: what the sender can pay for].
    #[arg(long, value_name = "GAS", value_parser = count)]
    gas: Option<u64>,
    /// Only say what would happen.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How long to wait.
    #[arg(long, value_enum, default_value_t)]
    wait: WaitFor,
}

/// An amount in base units, `_` between digits allowed.
pub(crate) fn amount(text: &str) -> Result<Amount, String> {
    arguments::number(text).parse().map_err(|_| "an amount is a whole number of base units".into())
}

/// A count, `_` between digits allowed.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    arguments::number(text).parse().map_err(|_| "a whole number is needed".into())
}

pub(crate) async fn run(args: CallArgs, context: &Context) -> Result<(), CliError> {
    let (contract, abi) = context.contract_and_abi(&args.contract).await?;
    let people = context.people().await?;
    let method = arguments::method(&abi, MethodKind::Call, &args.method)?;
    if args.value != Amount::ZERO && !method.payable {
        return Err(CliError::usage(format!("`{}` takes no value", method.name)));
    }
    let encoded = arguments::encode(&abi, method, &args.arguments, &|name| people.address(name))?;
    let message = Message::Call { contract, method: method.name.clone(), args: encoded, value: args.value };
    let plan = Plan { messages: vec![message], gas: args.gas, wait: args.wait.into(), dry_run: args.dry_run };
    let outcome = submit::run(context, plan).await?;
    let what = format!("{}.{}", args.contract, args.method);
    context.output.show(&outcome.object(0), || outcome.text(&what, 0, &people));
    Ok(())
}
