//! `rustorium validator`: who validates, and how that changes.
//!
//! ```text
//! new      a node's directory, with a key that may become a validator's
//! propose  the next set, into a file ──► sign, by each of a quorum, on its own machine ──► submit, by anybody
//! ```
//!
//! Signing needs no node: the file says all that is signed, and is readable.

use std::{
    collections::BTreeSet,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use rustorium_client::text;
use rustorium_types::{
    code::Code,
    ed25519::{PublicKey, SigningKey},
    id::{Epoch, Hash},
    transaction::Message,
    validators::{Electorate, RefusedChange, ValidatorChange, ValidatorSignature},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    CliError, Context, Output,
    context::passphrase,
    output::{digits, table},
    submit::{self, Plan, signature_json},
};
use crate::{
    dev,
    founding::{self, Joining},
    genesis,
};

const EXAMPLES: &str = "Examples:
  rustorium validator new net/validator-5 --genesis net/genesis.toml --peer ID@ADDRESS:PORT
  rustorium start --data-dir net/validator-5               it follows until it is a validator
  rustorium validator propose --add 0x… > change.json
  rustorium validator sign change.json --data-dir net/validator-1     and so on: a quorum
  rustorium validator submit change.json --from carol
  rustorium validator list";

/// Lists the validators; proposes, signs and submits a change of them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ValidatorArgs {
    #[command(subcommand)]
    command: ValidatorCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ValidatorCommand {
    /// Lists the validators, and those that are decided for the next epoch.
    List,
    /// Makes the directory of a node that is to become a validator; it follows until then.
    New {
        /// Where; it may hold a copy of the network's chain.
        directory: PathBuf,
        /// The network's genesis.toml.
        #[arg(long, value_name = "FILE")]
        genesis: PathBuf,
        /// A node of the network; may be given again.
        #[arg(long = "peer", value_name = "ID@ADDRESS:PORT")]
        peers: Vec<String>,
        /// Where it answers. Others reach it 1,000 ports below.
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8645")]
        listen: SocketAddr,
    },
    /// Prints a change of the validators, for them to sign.
    Propose {
        /// The public key of a validator to come; may be given again.
        #[arg(long, value_name = "KEY")]
        add: Vec<Hash>,
        /// The public key of a validator to go; may be given again.
        #[arg(long, value_name = "KEY")]
        remove: Vec<Hash>,
    },
    /// Adds a validator's signature to a change, without asking a node.
    Sign {
        /// What `propose` printed.
        file: PathBuf,
        /// The validator's directory, with its keys.
        #[arg(long, value_name = "DIR", required_unless_present = "dev")]
        data_dir: Option<PathBuf>,
        /// With the key of `rustorium dev`, which everybody has.
        #[arg(long, conflicts_with = "data_dir")]
        dev: bool,
    },
    /// Sends a change that enough validators signed, in a transaction of anybody's.
    Submit {
        /// What was signed.
        file: PathBuf,
    },
}

impl ValidatorArgs {
    /// Whether no node is asked.
    pub(crate) const fn is_offline(&self) -> bool {
        matches!(self.command, ValidatorCommand::New { .. } | ValidatorCommand::Sign { .. })
    }
}

/// A change as people read it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangeFile {
    /// The chain.
    #[serde(with = "text")]
    genesis_hash: Hash,
    /// The epoch in which it is to be decided.
    epoch: u64,
    /// Which change of the chain's validators it is.
    number: u64,
    /// All next validators.
    validators: Vec<Key>,
    /// Of those who agree.
    signatures: Vec<SignatureText>,
}

/// A validator's public key.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
struct Key(#[serde(with = "text")] Hash);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureText {
    validator: Key,
    #[serde(with = "text::hex")]
    signature: Vec<u8>,
}

/// What a node says of the validators.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Validators {
    epoch: u64,
    validators: Vec<Key>,
    changes: u64,
    next: Option<NextValidators>,
}

#[derive(Deserialize)]
struct NextValidators {
    validators: Vec<Key>,
}

/// The commands that ask no node.
pub(crate) fn run_offline(args: ValidatorArgs, output: &Output) -> Result<(), CliError> {
    match args.command {
        ValidatorCommand::New { directory, genesis, peers, listen } => new(directory, &genesis, peers, listen, output),
        ValidatorCommand::Sign { file, data_dir, .. } => sign(&file, data_dir.as_deref(), output),
        _ => Ok(()),
    }
}

/// The commands that a node answers.
pub(crate) async fn run(args: ValidatorArgs, context: &Context) -> Result<(), CliError> {
    match args.command {
        ValidatorCommand::List => {
            let answer: Value = context.client.get("/v1/validators", &[]).await?;
            context.output.show(&answer, || listing(&answer));
            Ok(())
        }
        ValidatorCommand::Propose { add, remove } => propose(context, &add, &remove).await,
        ValidatorCommand::Submit { file } => submit(context, &file).await,
        _ => Ok(()),
    }
}

fn new(
    directory: PathBuf,
    genesis: &Path,
    peers: Vec<String>,
    listen: SocketAddr,
    output: &Output,
) -> Result<(), CliError> {
    let genesis = genesis::read(genesis).map_err(|error| CliError::usage(error.to_string()))?;
    let joining = Joining { directory, genesis, peers, listen };
    let chosen = passphrase("A passphrase for the node's keys: ")?;
    let joined = founding::join(&joining, &chosen).map_err(|error| CliError::usage(error.to_string()))?;
    let (directory, key) = (joining.directory.display().to_string(), Hash(joined.validator).to_string());
    let address = joined.address.to_string();
    output.show(&json!({ "directory": directory, "validator": key, "address": address }), || {
        format!("validator  {key}\naddress    {address}\n\nStart it: rustorium start --data-dir {directory}")
    });
    Ok(())
}

async fn propose(context: &Context, add: &[Hash], remove: &[Hash]) -> Result<(), CliError> {
    if add.is_empty() && remove.is_empty() {
        return Err(CliError::usage("nothing would change: name keys with `--add` and `--remove`"));
    }
    let known = Validators::ask(context).await?;
    let decided = known.next.map_or(known.validators, |next| next.validators);
    let mut keys: BTreeSet<Hash> = decided.into_iter().map(|key| key.0).collect();
    for key in remove {
        if !keys.remove(key) {
            return Err(CliError::new(Code::NotFound, format!("{key} is no validator: there is nothing to remove")));
        }
    }
    for key in add {
        if !PublicKey(key.0).is_point() {
            return Err(CliError::usage(format!("{key} is no ed25519 key")));
        }
        if !keys.insert(*key) {
            return Err(CliError::new(Code::AlreadyExists, format!("{key} is a validator already")));
        }
    }
    let file = ChangeFile {
        genesis_hash: context.chain().await?.genesis_hash,
        epoch: known.epoch,
        number: known.changes + 1,
        validators: keys.into_iter().map(Key).collect(),
        signatures: Vec::new(),
    };
    context.output.show(&file, || file.to_text());
    Ok(())
}

/// The key of a directory whose node is of this chain.
fn key_of(data_dir: &Path, chain: Hash) -> Result<SigningKey, CliError> {
    let usage = |message: String| CliError::usage(message);
    let genesis = genesis::load(data_dir).map_err(|error| usage(error.to_string()))?;
    if genesis.map(|genesis| genesis.hash()) != Some(chain) {
        let message = format!("the change is of chain {chain}, and {} is not", data_dir.display());
        return Err(CliError::new(Code::WrongChain, message));
    }
    let chosen = passphrase("The passphrase of the node's keys: ")?;
    let keys = founding::keys(data_dir, &chosen).map_err(|error| usage(error.to_string()))?;
    keys.validator.ok_or_else(|| usage(format!("{} has no validator's key", data_dir.display())))
}

fn sign(path: &Path, data_dir: Option<&Path>, output: &Output) -> Result<(), CliError> {
    let mut file = ChangeFile::read(path)?;
    let key = match data_dir {
        Some(data_dir) => key_of(data_dir, file.genesis_hash)?,
        None => dev::validator_key(),
    };
    let one = file.change().sign(&key, &file.genesis_hash);
    file.signatures.retain(|before| before.validator.0.0 != one.validator);
    file.signatures.push(SignatureText { validator: Key(Hash(one.validator)), signature: one.signature.to_vec() });
    file.signatures.sort_by_key(|signature| signature.validator.0);
    file.write(path)?;
    let signed = file.signatures.len();
    output.show(&json!({ "signature": signature_json(&one), "signatures": signed }), || {
        let (number, epoch, count) = (file.number, file.epoch, file.validators.len());
        format!(
            "signed change {number} of the validators, for epoch {epoch}: {count} validators from the next epoch on\n\
             signed by   {}\nsignatures  {signed}",
            Hash(one.validator)
        )
    });
    Ok(())
}

async fn submit(context: &Context, path: &Path) -> Result<(), CliError> {
    let file = ChangeFile::read(path)?;
    let (chain, known) = (context.chain().await?.genesis_hash, Validators::ask(context).await?);
    if chain != file.genesis_hash {
        let message = format!("the change is of chain {}, and the node's is {chain}", file.genesis_hash);
        return Err(CliError::new(Code::WrongChain, message));
    }
    let (change, signatures) = (file.change(), file.signatures()?);
    // The chain says only that one is wrong.
    if let Some(wrong) = signatures.iter().find(|one| !one.is_over(&change, &chain)) {
        let message = format!("the signature of {} is not over this change: sign it again", Hash(wrong.validator));
        return Err(CliError::new(Code::InvalidSignature, message));
    }
    let validators: Vec<[u8; 32]> = known.validators.iter().map(|key| key.0.0).collect();
    let electorate =
        Electorate { chain: &chain, epoch: Epoch(known.epoch), changes: known.changes, validators: &validators };
    change.check(&electorate, &signatures).map_err(refused)?;
    let plan = Plan::of(vec![Message::SetValidators { change, signatures }]);
    let outcome = submit::run(context, plan).await?;
    let people = context.people().await?;
    context.output.show(&outcome.object(0), || outcome.text("validator submit", 0, &people));
    Ok(())
}

fn refused(error: RefusedChange) -> CliError {
    CliError::new(error.code(), error.to_string())
}

/// The validators of now and of later, side by side.
fn listing(answer: &Value) -> String {
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_array().into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect()
    };
    let (now, next) = (keys(&answer["validators"]), &answer["next"]);
    let number = |value: &Value| digits(value.as_u64().unwrap_or_default());
    let mut text = format!(
        "epoch    {}, to height {}\nquorum   {} of {}\nchanges  {}\n",
        number(&answer["epoch"]),
        number(&answer["lastHeight"]),
        number(&answer["quorum"]),
        now.len(),
        number(&answer["changes"]),
    );
    let later = if next.is_null() { now.clone() } else { keys(&next["validators"]) };
    if !next.is_null() {
        let (epoch, height) = (number(&next["epoch"]), number(&next["firstHeight"]));
        text += &format!("next     {} from epoch {epoch} on, at height {height}\n", later.len());
    }
    let rows = now.union(&later).map(|key| {
        let part = match (now.contains(key), later.contains(key)) {
            (true, true) => "",
            (true, false) => "leaves",
            _ => "comes",
        };
        [key.clone(), part.to_owned()]
    });
    text + "\n" + &table(["VALIDATOR", ""], rows)
}

impl Validators {
    async fn ask(context: &Context) -> Result<Self, CliError> {
        Ok(context.client.get("/v1/validators", &[]).await?)
    }
}

impl ChangeFile {
    fn read(path: &Path) -> Result<Self, CliError> {
        let wrong = |error: &dyn std::fmt::Display| CliError::usage(format!("{}: {error}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
        serde_json::from_str(&text).map_err(|error| wrong(&error))
    }

    fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// All or nothing: signatures of others are in it.
    fn write(&self, path: &Path) -> Result<(), CliError> {
        let temporary = path.with_extension("new");
        let written: io::Result<()> =
            fs::write(&temporary, self.to_text() + "\n").and_then(|()| fs::rename(&temporary, path));
        written.map_err(|error| CliError::usage(format!("{}: {error}", path.display())))
    }

    fn change(&self) -> ValidatorChange {
        let validators = self.validators.iter().map(|key| key.0.0).collect();
        ValidatorChange { epoch: Epoch(self.epoch), number: self.number, validators }
    }

    fn signatures(&self) -> Result<Vec<ValidatorSignature>, CliError> {
        let one = |SignatureText { validator, signature }: &SignatureText| {
            let wrong = |_| CliError::usage(format!("the signature of {}: 64 bytes are needed", validator.0));
            Ok(ValidatorSignature {
                validator: validator.0.0,
                signature: signature.as_slice().try_into().map_err(wrong)?,
            })
        };
        self.signatures.iter().map(one).collect()
    }
}
