//! `rustorium upgrade`: other code for a contract, and what it would break.

use std::path::PathBuf;

use rustorium_types::{
    abi::{
        MethodKind,
        compat::{self, Item},
    },
    code::Code,
    transaction::Message,
};
use serde_json::{Value, json};

use super::{
    CliError, Context,
    call::count,
    deploy::Module,
    submit::{self, Plan, WaitFor},
};

const EXAMPLES: &str = "Examples:
  rustorium upgrade hello ./hello --dry-run      says what would break, changes nothing
  rustorium upgrade hello hello.wasm             runs the new code's `migrate`";

/// Gives a contract other code.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UpgradeArgs {
    /// The contract: its name or address.
    contract: String,
    /// The project, which is built first, or a .wasm file.
    path: PathBuf,
    /// The arguments of the new code's `migrate` by name, or @FILE.json.
    #[arg(value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// Goes on although the new code cannot read what is stored, and migrates nothing.
    #[arg(long)]
    allow_breaks: bool,
    /// Gas that it may use [default: what the sender can pay for].
    #[arg(long, value_name = "GAS", value_parser = count)]
    gas: Option<u64>,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// How long to wait.
    #[arg(long, value_enum, default_value_t)]
    wait: WaitFor,
}

pub(crate) async fn run(args: UpgradeArgs, context: &Context) -> Result<(), CliError> {
    let module = Module::of(&args.path)?;
    let (contract, before) = context.contract_and_abi(&args.contract).await?;
    let people = context.people().await?;
    let breaks = compat::breaks(&before, &module.abi);
    let migrates = module.abi.method(MethodKind::Migrate, MethodKind::Migrate.text()).is_some();
    for broken in &breaks {
        context.output.warn(format!("this upgrade breaks its users: {broken}"));
    }
    let storage_breaks = breaks.iter().any(|broken| broken.item == Item::Storage);
    if storage_breaks && !migrates && !args.allow_breaks && !args.dry_run {
        let message = "the new code cannot read what is stored, and has no `migrate`";
        let hint = "add a `migrate`, or go on with `--allow-breaks`";
        return Err(CliError::new(Code::BadUserInput, message).hint(hint));
    }
    let encoded = module.arguments(MethodKind::Migrate, &args.arguments, &|name| people.address(name))?;
    let messages =
        vec![Message::StoreCode { wasm: module.wasm }, Message::Upgrade { contract, code: module.hash, args: encoded }];
    let plan = Plan { messages, gas: args.gas, wait: args.wait.into(), dry_run: args.dry_run };
    let outcome = submit::run(context, plan).await?;
    let breaks: Vec<Value> = breaks.iter().map(|broken| broken.to_string().into()).collect();
    let mut object = json!({
        "address": contract.to_string(),
        "codeHash": module.hash.to_string(),
        "transaction": outcome.transaction.map(|hash| hash.to_string()),
        "height": outcome.height(),
        "gasUsed": outcome.gas_used(),
        "migrated": migrates,
        "breaks": breaks,
        "dryRun": args.dry_run,
    });
    if let Some(trace) = &outcome.trace {
        object["trace"] = trace.clone();
    }
    context.output.show(&object, || {
        let text = outcome.text(&format!("upgrade {}", args.contract), 1, &people);
        format!("{text}\n  code         {}", module.hash)
    });
    Ok(())
}
