//! `rustorium tx`: a transaction, and its way by hand: prepare, sign, send, decode.
//!
//! Preparing needs a node, signing needs only a key: so they may happen on two machines. A file goes from one
//! step to the next, and a fee payer signs the same one after the sender.

use std::path::Path;

use borsh::{BorshDeserialize, BorshSerialize};
use rustorium_client::{
    model::{SignedInput, Wait},
    text::hex,
};
use rustorium_types::{
    code::Code,
    hash::{code_hash, contract_id},
    id::{Address, Hash},
    time::format_timestamp,
    transaction::{Authorisation, Body, Message, Signed},
};
use serde_json::{Value, json};

use super::{
    CliError, Context, arguments,
    submit::{self, WaitFor, signature_json},
};

const EXAMPLES: &str = "Examples:
  rustorium tx 0x…
  rustorium tx prepare @input.json > prepared.json --output json
  rustorium tx sign @prepared.json --from carol --output json > signed.json
  rustorium tx send @signed.json --wait certified
  rustorium tx decode 0x…

input.json: {\"messages\": [{\"call\": {\"contract\": \"con1…\", \"method\": \"transfer\", \"args\": {\"to\": \"acc1…\", \"amount\": \"5\"}}}]}";

/// Shows a transaction; prepares, signs, sends or decodes one.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct TxArgs {
    /// The transaction's hash.
    #[arg(required = true)]
    hash: Option<String>,
    #[command(subcommand)]
    command: Option<TxCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum TxCommand {
    /// Makes a body of JSON and says what it would do.
    Prepare {
        /// A JSON object of messages and terms: `@FILE`, or `@-` for stdin. Its sender is `--from` if left out.
        #[arg(value_name = "@FILE")]
        input: String,
    },
    /// Signs a body, as its sender or as its fee payer.
    Sign {
        /// What `prepare` or `sign` printed, as `@FILE`, or the body as 0x….
        #[arg(value_name = "@FILE|BODY")]
        input: String,
        /// The genesis hash of its chain; asked of the node if left out.
        #[arg(long, value_name = "HASH")]
        genesis: Option<Hash>,
    },
    /// Submits what was signed.
    Send {
        /// What `sign` printed, as `@FILE`, or the signed transaction as 0x….
        #[arg(value_name = "@FILE|SIGNED")]
        input: String,
        /// How long to wait.
        #[arg(long, value_enum, default_value_t)]
        wait: WaitFor,
    },
    /// Shows what bytes mean, without a node.
    Decode {
        /// A body or signed transaction as 0x…, or `@FILE` with JSON of one.
        #[arg(value_name = "@FILE|BYTES")]
        input: String,
    },
}

pub(crate) async fn run(args: TxArgs, context: &Context) -> Result<(), CliError> {
    match (args.command, args.hash) {
        (None, hash) => {
            let hash = hash.unwrap_or_default();
            let hash: Hash = hash.parse().map_err(|error| CliError::usage(format!("`{hash}`: {error}")))?;
            context.output.listing(&context.client.transaction(&hash).await?);
            Ok(())
        }
        (Some(TxCommand::Prepare { input }), _) => prepare(context, &input).await,
        (Some(TxCommand::Sign { input, genesis }), _) => sign(context, &input, genesis).await,
        (Some(TxCommand::Send { input, wait }), _) => send(context, &input, wait.into()).await,
        (Some(TxCommand::Decode { input }), _) => decode(context, &input),
    }
}

async fn prepare(context: &Context, input: &str) -> Result<(), CliError> {
    let path = input.strip_prefix('@').ok_or_else(|| CliError::usage("give the input as @FILE"))?;
    let mut object = arguments::read_json(Path::new(path))?;
    let Value::Object(fields) = &mut object else {
        return Err(CliError::usage("the input is a JSON object with `messages`"));
    };
    if !fields.contains_key("sender") {
        fields.insert("sender".into(), context.sender().await?.to_string().into());
    }
    let prepared: Value = context.client.post("/v1/transactions/prepare", &[], &object).await?;
    context.output.listing(&prepared);
    Ok(())
}

async fn sign(context: &Context, input: &str, genesis: Option<Hash>) -> Result<(), CliError> {
    let given = Given::read(input)?;
    let genesis = match genesis {
        Some(genesis) => genesis,
        None => context.chain().await?.genesis_hash,
    };
    if given.body.chain[..] != genesis.0[..4] {
        let message = format!("the body was made for another chain than {genesis}");
        return Err(CliError::new(Code::WrongChain, message));
    }
    let signer = context.signer().await?;
    let digest = given.body.digest(&genesis);
    let authorisation = encoded(&signer.authorise(&digest));
    let (mut auth, mut fee_payer_auth) = (given.auth, given.fee_payer_auth);
    let is_payer = given.body.fee_payer == Some(signer.account());
    if given.body.sender == signer.account() {
        auth = Some(authorisation);
    } else if is_payer {
        fee_payer_auth = Some(authorisation);
    } else {
        let message = format!("{} is neither the sender nor the fee payer", signer.account());
        return Err(CliError::usage(message).hint("say who signs with `--from`"));
    }
    let object = json!({
        "hash": digest.to_string(),
        "body": hex::format(&encoded(&given.body)),
        "auth": auth.map(|auth| hex::format(&auth)),
        "feePayerAuth": fee_payer_auth.map(|auth| hex::format(&auth)),
    });
    context.output.listing(&object);
    Ok(())
}

async fn send(context: &Context, input: &str, wait: Wait) -> Result<(), CliError> {
    let given = Given::read(input)?;
    let genesis = context.chain().await?.genesis_hash;
    let hash = given.body.digest(&genesis);
    let auth = given.auth.ok_or_else(|| CliError::usage("it is not signed; `rustorium tx sign` comes first"))?;
    let signed = SignedInput { body: encoded(&given.body), auth, fee_payer_auth: given.fee_payer_auth };
    let status = submit::submit(context, &signed, hash, wait).await?;
    let people = context.people().await?;
    let outcome = submit::outcome(&people, Some(hash), status)?;
    context.output.show(&outcome.object(0), || outcome.text("transaction", 0, &people));
    Ok(())
}

fn decode(context: &Context, input: &str) -> Result<(), CliError> {
    let Given { body, auth, fee_payer_auth } = Given::read(input)?;
    let authorisation = |bytes: Option<Vec<u8>>| {
        bytes.and_then(|bytes| borsh::from_slice::<Authorisation>(&bytes).ok()).map(|auth| auth.account().to_string())
    };
    let object = json!({
        "version": body.version,
        "chain": hex::format(&body.chain),
        "sender": body.sender.to_string(),
        "nonce": body.nonce.0,
        "validUntil": body.valid_until.map(format_timestamp),
        "gasLimit": body.gas_limit.0,
        "maxGasPrice": body.max_gas_price.to_string(),
        "feePayer": body.fee_payer.map(|payer| payer.to_string()),
        "memo": hex::format(&body.memo),
        "messages": body.messages.iter().map(|message| message_object(message, body.sender.into())).collect::<Vec<_>>(),
        "signedBy": authorisation(auth),
        "feePayerSignedBy": authorisation(fee_payer_auth),
    });
    context.output.listing(&object);
    Ok(())
}

fn message_object(message: &Message, sender: Address) -> Value {
    let text = |value: &dyn ToString| value.to_string();
    match message {
        Message::Transfer { to, amount } => json!({ "type": "Transfer", "to": text(to), "amount": text(amount) }),
        Message::StoreCode { wasm } => {
            json!({ "type": "StoreCode", "code": code_hash(wasm).to_string(), "size": wasm.len() })
        }
        Message::Instantiate { code, salt, admin, label, args, value } => json!({
            "type": "Instantiate", "contract": contract_id(sender, salt).to_string(), "code": text(code),
            "salt": hex::format(salt), "admin": admin.as_ref().map(ToString::to_string), "label": label, "raw": hex::format(args),
            "value": text(value),
        }),
        Message::Call { contract, method, args, value } => json!({
            "type": "Call", "contract": text(contract), "method": method, "raw": hex::format(args), "value": text(value),
        }),
        Message::Upgrade { contract, code, args } => json!({
            "type": "Upgrade", "contract": text(contract), "code": text(code), "raw": hex::format(args),
        }),
        Message::SetAdmin { contract, admin } => json!({
            "type": "SetAdmin", "contract": text(contract), "admin": admin.as_ref().map(ToString::to_string),
        }),
        Message::SetValidators { change, signatures } => json!({
            "type": "SetValidators", "epoch": change.epoch.0, "number": change.number,
            "validators": change.validators.iter().map(|key| hex::format(key)).collect::<Vec<_>>(),
            "signatures": signatures.iter().map(signature_json).collect::<Vec<_>>(),
        }),
    }
}

/// Writing to memory does not fail.
fn encoded(value: &impl BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).unwrap_or_default()
}

/// A body with the signatures that it has so far.
struct Given {
    body: Body,
    auth: Option<Vec<u8>>,
    fee_payer_auth: Option<Vec<u8>>,
}

impl Given {
    /// From `@FILE` with JSON of `prepare` or `sign`, or from the bytes of a body or signed transaction.
    fn read(input: &str) -> Result<Self, CliError> {
        if let Some(path) = input.strip_prefix('@') {
            let object = arguments::read_json(Path::new(path))?;
            let bytes = |name: &str| object.get(name).and_then(Value::as_str).and_then(hex::parse);
            let body = bytes("body").or_else(|| bytes("bytes"));
            let body = body.ok_or_else(|| CliError::usage(format!("{path} has no `body` of 0x and hex digits")))?;
            let given = Self::of_bytes(&body)?;
            let auth = bytes("auth").or(given.auth);
            let fee_payer_auth = bytes("feePayerAuth").or(given.fee_payer_auth);
            return Ok(Self { body: given.body, auth, fee_payer_auth });
        }
        Self::of_bytes(&hex::parse(input).ok_or_else(|| CliError::usage("bytes are 0x and pairs of hex digits"))?)
    }

    fn of_bytes(bytes: &[u8]) -> Result<Self, CliError> {
        if let Ok(Signed { body, authorisation, fee_payer_authorisation }) = Signed::try_from_slice(bytes) {
            let auth = Some(encoded(&authorisation));
            let fee_payer_auth = fee_payer_authorisation.as_ref().map(encoded);
            return Ok(Self { body, auth, fee_payer_auth });
        }
        let body = Body::try_from_slice(bytes);
        let body = body.map_err(|_| CliError::usage("these bytes are neither a body nor a signed transaction"))?;
        Ok(Self { body, auth: None, fee_payer_auth: None })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustorium_client::{Signer, Terms};
    use rustorium_types::id::{Amount, Gas, Nonce};

    use super::*;

    #[test]
    fn bodies_and_signed_ones_are_told_apart() {
        let signer = Signer::from_secret(&[7; 32]);
        let terms = Terms {
            genesis: Hash([1; 32]),
            nonce: Nonce(1),
            gas_limit: Gas(1),
            max_gas_price: Amount(1),
            valid_until: None,
            memo: vec![],
        };
        let body =
            terms.body(signer.account(), vec![Message::Transfer { to: signer.account().into(), amount: Amount(5) }]);
        let (signed, _) = signer.sign(body.clone(), &Hash([1; 32]));
        let read = Given::read(&hex::format(&borsh::to_vec(&body).unwrap())).unwrap();
        assert!(read.body == body && read.auth.is_none());
        let read = Given::read(&hex::format(&signed.to_bytes())).unwrap();
        assert!(read.body == body && read.auth.is_some());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), serde_json::to_string(&SignedInput::from(&signed)).unwrap()).unwrap();
        let read = Given::read(&format!("@{}", file.path().display())).unwrap();
        assert!(read.body == body && read.auth.is_some());
        assert!(Given::read("0x00").is_err() && Given::read("zz").is_err());
    }
}
