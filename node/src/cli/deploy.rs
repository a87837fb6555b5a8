//! `rustorium deploy`: code and a contract of it, in one transaction of two messages.

use std::path::{Path, PathBuf};

use rustorium_types::{
    abi::{Abi, Contract, MethodKind},
    code::Code,
    hash::{code_hash, contract_id},
    id::{Address, Amount, Hash},
    transaction::Message,
};
use serde_json::json;

use super::{
    CliError, Context, arguments,
    build::{CargoArgs, build},
    call::{amount, count},
    names::NameBook,
    submit::{self, Plan, WaitFor},
};

const EXAMPLES: &str = "Examples:
  rustorium deploy hello --name hello symbol=HI decimals=2 supply=1_000_000
  rustorium deploy target/wasm/hello.wasm --name hello @init.json --admin none";

/// Puts a contract on the chain and names it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeployArgs {
    /// The project, which is built first, or a .wasm file.
    path: PathBuf,
    /// The name to remember it by; also its label on the chain.
    #[arg(long)]
    name: String,
    /// The arguments of its `init` by name, or @FILE.json.
    #[arg(value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// Who may upgrade it: an account, a contract, or `none` [default: the sender].
    #[arg(long, value_name = "ACCOUNT|none")]
    admin: Option<String>,
    /// Native value that it starts with, in base units.
    #[arg(long, value_name = "AMOUNT", value_parser = amount, default_value = "0")]
    value: Amount,
    /// Gas that it may use [default: what the sender can pay for].
    #[arg(long, value_name = "GAS", value_parser = count)]
    gas: Option<u64>,
    /// Takes the name from another contract of this chain.
    #[arg(long)]
    replace: bool,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// How long to wait.
    #[arg(long, value_enum, default_value_t)]
    wait: WaitFor,
}

/// A module and what it offers.
pub(crate) struct Module {
    pub(crate) wasm: Vec<u8>,
    pub(crate) hash: Hash,
    pub(crate) abi: Abi,
}

impl Module {
    /// Reads a `.wasm` file, or builds the project at a path.
    pub(crate) fn of(path: &Path) -> Result<Self, CliError> {
        let wasm = if path.is_dir() {
            build(path, CargoArgs::default())?.bytes
        } else {
            std::fs::read(path).map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?
        };
        let abi = Abi::from_wasm(&wasm).map_err(|error| CliError::new(Code::InvalidModule, error.to_string()))?;
        // A module without an ABI is called with `tx` and encoded arguments; it has no names to offer here.
        let abi = match abi {
            Some(abi) => abi,
            None => Abi::from_entries(vec![rustorium_types::abi::Entry::Contract(Contract {
                abi_version: 0,
                name: "the contract".into(),
                version: String::new(),
                doc: String::new(),
            })])?,
        };
        Ok(Self { hash: code_hash(&wasm), wasm, abi })
    }

    /// The encoded arguments of a method that there may be only one of; none if it has no such method.
    pub(crate) fn arguments(
        &self,
        kind: MethodKind,
        given: &[String],
        names: rustorium_types::abi::json::Names<'_>,
    ) -> Result<Vec<u8>, CliError> {
        match self.abi.method(kind, kind.text()) {
            Some(method) => arguments::encode(&self.abi, method, given, names),
            None if given.is_empty() => Ok(Vec::new()),
            None => {
                Err(CliError::usage(format!("{} has no `{}` to take arguments", self.abi.contract.name, kind.text())))
            }
        }
    }
}

pub(crate) async fn run(args: DeployArgs, context: &Context) -> Result<(), CliError> {
    let module = Module::of(&args.path)?;
    let genesis = context.chain().await?.genesis_hash;
    let people = context.people().await?;
    let mut book = NameBook::open()?;
    if book.has(&args.name, &genesis) && !args.replace && !args.dry_run {
        let message = format!("`{}` names another contract of this chain already", args.name);
        let hint =
            "choose another name, give that contract this code with `upgrade`, or take the name with `--replace`";
        return Err(CliError::new(Code::AlreadyExists, message).hint(hint));
    }
    let sender: Address = context.sender().await?.into();
    let admin = match args.admin.as_deref() {
        None => Some(sender),
        Some("none") => None,
        Some(name) => Some(people.address_or_error(name)?),
    };
    let encoded = module.arguments(MethodKind::Init, &args.arguments, &|name| people.address(name))?;
    let mut salt = [0; 32];
    getrandom::fill(&mut salt)?;
    let contract = contract_id(sender, &salt);
    let messages = vec![
        Message::StoreCode { wasm: module.wasm },
        Message::Instantiate {
            code: module.hash,
            salt,
            admin,
            label: args.name.clone(),
            args: encoded,
            value: args.value,
        },
    ];
    let plan = Plan { messages, gas: args.gas, wait: args.wait.into(), dry_run: args.dry_run };
    let outcome = submit::run(context, plan).await?;
    if outcome.transaction.is_some() {
        book.insert(&args.name, &genesis, contract)?;
    }
    // With the new name among them.
    let people = context.people().await?;
    let mut object = json!({
        "address": contract.to_string(),
        "codeHash": module.hash.to_string(),
        "transaction": outcome.transaction.map(|hash| hash.to_string()),
        "height": outcome.height(),
        "gasUsed": outcome.gas_used(),
        "admin": admin.map(|admin| admin.to_string()),
    });
    if let Some(trace) = &outcome.trace {
        object["trace"] = trace.clone();
    }
    context.output.show(&object, || {
        let admin = admin.map_or_else(|| "nobody, ever".into(), |admin| people.name(&admin.to_string()));
        format!(
            "{}\n  address      {contract}\n  code         {}\n  admin        {admin}",
            outcome.text(&format!("deploy {}", args.name), usize::MAX, &people),
            module.hash
        )
    });
    Ok(())
}
