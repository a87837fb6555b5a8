//! From messages to an outcome: nonce, gas, signature, submission, wait; or a dry run instead.

use rustorium_client::{
    ClientError, Problem, Terms,
    model::{ContractError, PrepareInput, Prepared, Receipt, SignedInput, SubmitResult, TransactionStatus, Wait},
    text::hex,
};
use rustorium_types::{
    code::Code,
    id::{AccountId, Amount, Gas, Hash, Nonce},
    transaction::Message,
    validators::ValidatorSignature,
};
use serde_json::{Map, Value, json};

use super::{
    CliError, Context,
    context::People,
    output::{digits, listing},
    trace::Tree,
};

/// Submissions of one transaction at the most: another process may take the same nonce first.
const ATTEMPTS: usize = 5;

/// A word for how long to wait.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub(crate) enum WaitFor {
    /// Until it will be executed, whatever happens to the node.
    Accepted,
    /// Until its receipt can be read.
    #[default]
    Executed,
    /// Until a header that validators signed commits to its result.
    Certified,
}

impl From<WaitFor> for Wait {
    fn from(wait: WaitFor) -> Self {
        match wait {
            WaitFor::Accepted => Self::Accepted,
            WaitFor::Executed => Self::Executed,
            WaitFor::Certified => Self::Certified,
        }
    }
}

/// What to do, and how.
pub(crate) struct Plan {
    pub(crate) messages: Vec<Message>,
    /// Gas at the most; what the sender can pay for if left out.
    pub(crate) gas: Option<u64>,
    pub(crate) wait: Wait,
    /// Only say what would happen.
    pub(crate) dry_run: bool,
}

impl Plan {
    /// Messages, waiting for their execution.
    pub(crate) fn of(messages: Vec<Message>) -> Self {
        Self { messages, gas: None, wait: Wait::Executed, dry_run: false }
    }
}

/// What became of a transaction that did not fail.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// None of a dry run.
    pub(crate) transaction: Option<Hash>,
    /// None while it is pending.
    pub(crate) receipt: Option<Receipt>,
    /// One for each message.
    pub(crate) results: Vec<Value>,
    pub(crate) events: Vec<Value>,
    /// Of a dry run: what it would do, step by step.
    pub(crate) trace: Option<Value>,
}

/// Carries a plan out.
///
/// # Errors
/// Also if the transaction failed, which is exit code 3.
pub(crate) async fn run(context: &Context, plan: Plan) -> Result<Outcome, CliError> {
    if plan.dry_run {
        return dry_run(context, plan).await;
    }
    let sender = context.sender().await?;
    let signer = if context.impersonates { None } else { Some(context.signer().await?) };
    let chain = context.chain().await?;
    let _progress = context.output.progress("waiting for the chain");
    for _ in 0..ATTEMPTS {
        let account = context.client.account(sender.into()).await?;
        let value = plan.messages.iter().map(value_of).fold(0u128, u128::saturating_add);
        let affordable = account.balance.0.saturating_sub(value).checked_div(chain.gas_price.0).unwrap_or(u128::MAX);
        let affordable = u64::try_from(affordable).unwrap_or(u64::MAX).min(chain.limits.transaction_gas);
        let terms = Terms {
            genesis: chain.genesis_hash,
            nonce: Nonce(account.nonce_next),
            gas_limit: Gas(plan.gas.unwrap_or(affordable)),
            max_gas_price: chain.gas_price,
            valid_until: None,
            memo: Vec::new(),
        };
        let body = terms.body(sender, plan.messages.clone());
        let hash = body.digest(&chain.genesis_hash);
        let sent = match &signer {
            Some(signer) => {
                let (signed, _) = signer.sign(body, &chain.genesis_hash);
                submit(context, &SignedInput::from(&signed), hash, plan.wait).await
            }
            None => {
                let result = context.client.impersonate(&body, plan.wait).await;
                result.and_then(|result| status_of(context, result, hash))
            }
        };
        match sent {
            Err(error) if error.code() == Some(Code::NonceUsed) => {}
            Err(error) => return Err(CliError::from(error).around(hash_object(hash))),
            Ok(status) => return outcome(&context.people().await?, Some(hash), status),
        }
    }
    Err(CliError::new(Code::NonceUsed, "others keep using this account's nonces; try again when they are done"))
}

/// Submits one signed transaction. A wait that ran out is a pending transaction, not a failure.
pub(crate) async fn submit(
    context: &Context,
    signed: &SignedInput,
    hash: Hash,
    wait: Wait,
) -> Result<TransactionStatus, ClientError> {
    let mut results = context.client.submit(std::slice::from_ref(signed), wait).await?;
    status_of(context, results.remove(0), hash)
}

fn status_of(context: &Context, result: SubmitResult, hash: Hash) -> Result<TransactionStatus, ClientError> {
    match (result.code, result.status) {
        (None, Some(status)) => Ok(status),
        (None, None) => Ok(TransactionStatus::Pending {}),
        (Some(code), _) if code == Code::RequestTimeout.text() => {
            let text = result.message.unwrap_or_default();
            context.output.warn(format!("{hash} is accepted, but not there yet: {text}"));
            Ok(TransactionStatus::Pending {})
        }
        (Some(code), _) => {
            let message = result.message.unwrap_or_else(|| "the transaction is refused".into());
            Err(Problem { code, message, cursor: None, retry_after_ms: None, request_id: None }.into())
        }
    }
}

/// The outcome of a status, a failure being an error.
pub(crate) fn outcome(
    people: &People,
    transaction: Option<Hash>,
    status: TransactionStatus,
) -> Result<Outcome, CliError> {
    let around = |receipt: Option<&Receipt>, status: &str| {
        let mut object = transaction.map(hash_object).unwrap_or_default();
        if let Some(receipt) = receipt {
            object.extend(receipt_object(receipt));
        }
        object.insert("status".into(), status.into());
        object
    };
    match status {
        TransactionStatus::Success { receipt, results, events } => {
            Ok(Outcome { transaction, receipt: Some(receipt), results, events, trace: None })
        }
        TransactionStatus::Failure { receipt, error } => {
            let name = |address: &str| people.name(address);
            Err(failed(&error, around(Some(&receipt), "failure"), name))
        }
        TransactionStatus::Dropped { height, code } => {
            let known: Result<Code, _> = code.parse();
            let message = format!("dropped at height {height}: {code}");
            let error = CliError::new(known.unwrap_or(Code::Internal), message);
            Err(error.around(around(None, "dropped")))
        }
        _ => Ok(Outcome { transaction, receipt: None, results: Vec::new(), events: Vec::new(), trace: None }),
    }
}

/// A failure of a transaction or view as the error of a command.
pub(crate) fn failed(error: &ContractError, around: Map<String, Value>, name: impl Fn(&str) -> String) -> CliError {
    CliError::reverted(error, around, name)
}

async fn dry_run(context: &Context, plan: Plan) -> Result<Outcome, CliError> {
    let sender: AccountId = context.sender().await?;
    let messages = plan.messages.iter().map(message_input).collect();
    let input = PrepareInput { sender, messages, gas_limit: plan.gas, trace: true };
    let Prepared { dry_run, trace, .. } = context.client.prepare(&input).await?;
    let people = context.people().await?;
    if let Some(trace) = &trace {
        context.output.line(Tree::new(&context.output, &people, false).text(trace));
    }
    match outcome(&people, None, dry_run) {
        Ok(outcome) => Ok(Outcome { trace, ..outcome }),
        Err(error) => Err(error.beside("trace", trace.unwrap_or_default())),
    }
}

/// A message as the API takes it, its arguments encoded.
fn message_input(message: &Message) -> Value {
    let text = |value: &dyn ToString| value.to_string();
    match message {
        Message::Transfer { to, amount } => json!({ "transfer": { "to": text(to), "amount": text(amount) } }),
        Message::StoreCode { wasm } => json!({ "storeCode": hex::format(wasm) }),
        Message::Instantiate { code, salt, admin, label, args, value } => json!({ "instantiate": {
            "code": text(code), "salt": hex::format(salt), "admin": admin.as_ref().map(ToString::to_string), "label": label,
            "raw": hex::format(args), "value": text(value),
        } }),
        Message::Call { contract, method, args, value } => json!({ "call": {
            "contract": text(contract), "method": method, "raw": hex::format(args), "value": text(value),
        } }),
        Message::Upgrade { contract, code, args } => json!({ "upgrade": {
            "contract": text(contract), "code": text(code), "raw": hex::format(args),
        } }),
        Message::SetAdmin { contract, admin } => json!({ "setAdmin": {
            "contract": text(contract), "admin": admin.as_ref().map(ToString::to_string),
        } }),
        Message::SetValidators { change, signatures } => json!({ "setValidators": {
            "epoch": change.epoch.0, "number": change.number,
            "validators": change.validators.iter().map(|key| hex::format(key)).collect::<Vec<_>>(),
            "signatures": signatures.iter().map(signature_json).collect::<Vec<_>>(),
        } }),
    }
}

/// A validator's signature as the API takes it.
pub(crate) fn signature_json(one: &ValidatorSignature) -> Value {
    json!({ "validator": hex::format(&one.validator), "signature": hex::format(&one.signature) })
}

fn value_of(message: &Message) -> u128 {
    match message {
        Message::Transfer { amount: value, .. } | Message::Call { value, .. } | Message::Instantiate { value, .. } => {
            value.0
        }
        Message::StoreCode { .. }
        | Message::Upgrade { .. }
        | Message::SetAdmin { .. }
        | Message::SetValidators { .. } => Amount::ZERO.0,
    }
}

fn hash_object(hash: Hash) -> Map<String, Value> {
    Map::from_iter([("transaction".into(), hash.to_string().into())])
}

fn receipt_object(receipt: &Receipt) -> Map<String, Value> {
    Map::from_iter([
        ("height".into(), receipt.height.0.into()),
        ("gasUsed".into(), receipt.gas_used.into()),
        ("fee".into(), receipt.fee.to_string().into()),
        ("certifiedBy".into(), receipt.certified_by.map(|height| height.0).into()),
    ])
}

impl Outcome {
    /// The height, null while pending.
    pub(crate) fn height(&self) -> Option<u64> {
        self.receipt.as_ref().map(|receipt| receipt.height.0)
    }

    /// Gas used, null while pending.
    pub(crate) fn gas_used(&self) -> Option<u64> {
        self.receipt.as_ref().map(|receipt| receipt.gas_used)
    }

    /// The object of `call`, whose method's result is the message's of this number.
    pub(crate) fn object(&self, message: usize) -> Value {
        let mut object = Map::new();
        if let Some(transaction) = &self.transaction {
            object.insert("transaction".into(), transaction.to_string().into());
        } else {
            object.insert("dryRun".into(), true.into());
        }
        let status = if self.receipt.is_some() { "success" } else { "pending" };
        object.insert("height".into(), self.height().into());
        object.insert("status".into(), status.into());
        object.insert("return".into(), self.results.get(message).cloned().unwrap_or_default());
        object.insert("events".into(), self.events.iter().map(event_object).collect());
        if let Some(receipt) = &self.receipt {
            object.extend(receipt_object(receipt));
        }
        if let Some(trace) = &self.trace {
            object.insert("trace".into(), trace.clone());
        }
        object.into()
    }

    /// The text of `call`.
    pub(crate) fn text(&self, what: &str, message: usize, people: &People) -> String {
        let mut lines = Vec::new();
        let hash = self.transaction.map(|hash| format!("  transaction  {hash}"));
        match (&self.receipt, &self.transaction) {
            (None, _) => lines.push(format!("{what}: accepted, not executed yet")),
            (Some(receipt), None) => lines.push(format!("{what} would run with {} gas", digits(receipt.gas_used))),
            (Some(receipt), Some(_)) => {
                let certified = receipt.certified_by.map(|by| format!(", certified by {by}")).unwrap_or_default();
                let (gas, height) = (digits(receipt.gas_used), receipt.height);
                lines.push(format!("{what}: executed at height {height} with {gas} gas{certified}"));
            }
        }
        lines.extend(hash);
        match self.results.get(message) {
            None | Some(Value::Null) => {}
            Some(value) => lines.push(format!("  returned     {}", listing(value, 0).replace('\n', "\n    "))),
        }
        lines.extend(
            self.events.iter().map(|event| format!("  event        {}", event_text(&event_object(event), people))),
        );
        lines.join("\n")
    }
}

/// An event as commands print it.
pub(crate) fn event_object(event: &Value) -> Value {
    let field = |name: &str| event.get(name).cloned().unwrap_or_default();
    json!({
        "cursor": field("cursor"),
        "height": field("height"),
        "transaction": field("transaction"),
        "contract": field("contract"),
        "event": event.get("event").or_else(|| event.get("name")).cloned().unwrap_or_default(),
        "fields": field("fields"),
    })
}

/// An event in one line: `hello Transfer from=alice to=bob amount=5`.
pub(crate) fn event_text(event: &Value, people: &People) -> String {
    let text = |value: &Value| people.name(&rustorium_types::abi::json::plain(value));
    let fields = event["fields"].as_object().into_iter().flatten();
    let fields: String = fields.map(|(name, value)| format!(" {name}={}", text(value))).collect();
    format!("{} {}{fields}", text(&event["contract"]), text(&event["event"]))
}
