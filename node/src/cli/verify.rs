//! Answers that need no trust in who gave them.
//!
//! ```text
//! trusted hash ─► genesis ─► validators of each epoch ─► certified header ─► result of the height ─► state root
//!    query: every entry that the view read is proven under the root; the contract's own code, one of those
//!           entries, runs here over nothing else; what it returns must be what the node said
//!    state: the contract's record and the value are proven under the root; the code hashes to what the record
//!           names, and its ABI says where the value is and what it means
//! ```
//!
//! Every failure says which check failed, and ends the process with exit code 4. What decides how arguments
//! are encoded and results are read is the ABI inside the proven code, never the one that the node sends.

mod failure;
mod heads;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rustorium_client::{ClientError, model::ViewResult};
use rustorium_light::{Policy, Trust, VerifiedHead, Wanted, WitnessState, verify_state, verify_witness};
use rustorium_runtime::{BlockContext, ExecuteError, Runtime, RuntimeConfig, StateError, StateKey, StateRead};
use rustorium_types::{
    abi::{Abi, MethodKind, json as abi_json},
    block::Header,
    bundle::{EpochLink, HeadProof, StateProof, Witness},
    certificate,
    code::Code,
    genesis::Genesis,
    hash::code_hash,
    id::{ContractId, Epoch, Hash, Height},
    state::{ContractRecord, contract_key},
};
use serde_json::{Map, Value, json};

use super::{
    CliError, Context, arguments,
    context::People,
    names::{NameBook, project_folder},
    state,
    submit::failed,
};

/// How old a certified header may be unless the person says: several times the pause of an idle chain.
const MAX_AGE: Duration = Duration::from_secs(60);
/// Epochs that are followed at the most: a thousand heights each, one a second, for decades.
const EPOCHS: u64 = 1 << 20;

/// What the person insists on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Demand {
    /// The hash of the genesis or of a header.
    pub(crate) trust: Option<Hash>,
    /// How old the head may be.
    pub(crate) max_age: Option<Duration>,
    /// Of which height.
    pub(crate) height: Option<Height>,
}

/// Checks a node's answers against a trusted hash.
pub(crate) struct Verifier {
    trust: Trust,
    genesis: Genesis,
    genesis_hash: Hash,
    people: People,
    demand: Demand,
    /// The height below which the newest head would be an old one.
    least: Height,
}

/// An answer that was checked.
pub(crate) struct Verified {
    pub(crate) value: Value,
    head: VerifiedHead,
    genesis: Hash,
}

/// A check that failed.
fn lie(check: &str, reason: impl std::fmt::Display) -> CliError {
    CliError::unverified(check, format!("the node's answer is not proven: {reason}"))
}

impl Verifier {
    /// Trusts what the demand names, or the chain on which the name book knows the contract.
    pub(crate) async fn new(context: &Context, contract: ContractId, demand: Demand) -> Result<Self, CliError> {
        let trusted = match demand.trust {
            Some(hash) => hash,
            None => NameBook::open()?.chain_of(contract).ok_or_else(|| {
                CliError::usage("nothing is trusted: this contract is not in the name book")
                    .hint("give the hash of the genesis, or of a header that you trust, with `--trust HASH`")
            })?,
        };
        let Root { trust, genesis, covers } = root_of_trust(context, trusted).await?;
        let genesis_hash = trust.chain();
        let status = context.chain().await?;
        let seen = heads::highest(&genesis_hash).max(covers);
        // A node does not know less than it said a moment ago, nor than was verified before.
        let least = if status.genesis_hash == genesis_hash { seen.max(status.certified_height) } else { seen };
        Ok(Self { trust, genesis, genesis_hash, people: context.people().await?, demand, least })
    }

    /// A view's value: the witness checked, the code run over it, the results compared.
    pub(crate) async fn view(
        self,
        context: &Context,
        contract: ContractId,
        view: &str,
        given: &[String],
    ) -> Result<Verified, CliError> {
        // The node's word on how arguments are encoded holds only until the proven code says the same.
        let claimed = context.client.abi(contract).await?;
        let encoded = self.encode(&claimed, view, given)?;
        let answer = context.client.view(contract, view, &encoded, self.demand.height, true).await?;
        let bundle = answer.witness.as_ref().ok_or_else(|| lie("witness", "the witness is missing"))?;
        let witness = Witness::from_bytes(&bundle.bytes).map_err(|error| lie("witness", error))?;
        let trust = self.follow(context, &witness.head).await?;
        let state = verify_witness(&trust, &self.policy(), witness).map_err(|error| lie("witness", error))?;
        self.check_height(state.head(), answer.height)?;
        let proven = Arc::new(Proven(state));
        let abi = proven.abi(contract)?;
        if self.encode(&abi, view, given)? != encoded {
            return Err(lie("abi", "the arguments mean something else to the proven code"));
        }
        self.run(proven, &abi, contract, view, &encoded, &answer)
    }

    fn run(
        self,
        proven: Arc<Proven>,
        abi: &Abi,
        contract: ContractId,
        view: &str,
        encoded: &[u8],
        answer: &ViewResult,
    ) -> Result<Verified, CliError> {
        let head = proven.0.head().clone();
        let block = BlockContext {
            genesis: self.genesis_hash,
            epoch: head.header().epoch,
            validators: Arc::default(),
            height: head.height(),
            time: head.header().time,
            gas_price: head.header().gas_price,
            limits: self.genesis.limits,
        };
        let cache_dir =
            std::env::current_dir().ok().map(|folder| project_folder(&folder)).filter(|folder| folder.is_dir());
        let cache_dir = cache_dir.map(|folder| folder.join("modules"));
        let runtime = Runtime::new(RuntimeConfig { cache_dir, executions: 1, ..RuntimeConfig::default() })?;
        let state: Arc<dyn StateRead> = proven.clone();
        let outcome = runtime
            .view(&state, &block, contract, view, encoded, self.genesis.limits.transaction_gas)
            .map_err(|error| match error {
                ExecuteError::State(error) => lie("witness", error),
                other => CliError::from(other),
            })?;
        let around = Map::from_iter([("height".into(), head.height().0.into()), ("verified".into(), true.into())]);
        match (outcome.result, &answer.error) {
            (Err(failure), _) if failure.code == Code::OutOfGas => {
                Err(lie("gas", "the view ran out of gas, which proves nothing"))
            }
            (Err(failure), Some(claimed)) => {
                let own = failure::readable(&proven, &failure, &outcome.diagnostics);
                if own.code != claimed.code || own.name != claimed.name || own.fields != claimed.fields {
                    let reason = format!("the node says it fails with {}, here with {}", claimed.code, own.code);
                    return Err(lie("value", reason));
                }
                heads::remember(&self.genesis_hash, head.height());
                Err(failed(&own, around, |address| self.people.name(address)))
            }
            (Err(failure), None) => {
                Err(lie("value", format!("the node says it succeeds, here it fails with {}", failure.code)))
            }
            (Ok(_), Some(claimed)) => {
                Err(lie("value", format!("the node says it fails with {}, here it succeeds", claimed.code)))
            }
            (Ok(returned), None) => {
                let method = arguments::method(abi, MethodKind::View, view)?;
                let value = abi_json::decode(abi, &method.returns, &returned)?;
                if returned != answer.raw || value != answer.value {
                    let reason = format!("the node says {}, the contract's code says {value}", answer.value);
                    return Err(lie("value", reason));
                }
                heads::remember(&self.genesis_hash, head.height());
                Ok(Verified { value, head, genesis: self.genesis_hash })
            }
        }
    }

    /// A stored value: the contract's record, its code and the value checked.
    pub(crate) async fn state(
        self,
        context: &Context,
        contract: ContractId,
        field: &str,
        keys: &[String],
    ) -> Result<Verified, CliError> {
        let shown = context.client.contract(contract, self.demand.height, true).await?;
        let bundle = shown.proof.ok_or_else(|| lie("contract", "the proof of the contract's record is missing"))?;
        let record = StateProof::from_bytes(&bundle.bytes).map_err(|error| lie("contract", error))?;
        let trust = self.follow(context, &record.head).await?;
        let key = contract_key(contract);
        let record = verify_state(&trust, &self.policy(), ContractId::SYSTEM, &key, record);
        let record = record.map_err(|error| lie("contract", error))?;
        self.check_height(&record.head, record.head.height())?;
        let height = record.head.height();
        let record = decode_record(contract, record.value.as_deref())?;
        let wasm = context.client.wasm(&record.code).await?;
        if code_hash(&wasm) != record.code {
            return Err(lie(
                "code",
                format!("the code does not hash to {}, which the contract's record names", record.code),
            ));
        }
        let abi = abi_of(&wasm, contract)?;
        let place = state::place(&abi, field, keys, &self.people)?;
        let answer = context.client.state(contract, &place.key, Some(height), true).await?;
        let bundle = answer.proof.ok_or_else(|| lie("value", "the proof of the value is missing"))?;
        let proof = StateProof::from_bytes(&bundle.bytes).map_err(|error| lie("value", error))?;
        let trust = self.follow(context, &proof.head).await?;
        let policy = Policy { height: Wanted::At(height), ..self.policy() };
        let verified =
            verify_state(&trust, &policy, contract, &place.key, proof).map_err(|error| lie("value", error))?;
        if verified.value != answer.raw || answer.height != height {
            return Err(lie("value", "the value is not the one that the proof is of"));
        }
        let value = place.value(&abi, verified.value.as_deref())?;
        heads::remember(&self.genesis_hash, height);
        Ok(Verified { value, head: verified.head, genesis: self.genesis_hash })
    }

    fn encode(&self, abi: &Abi, view: &str, given: &[String]) -> Result<Vec<u8>, CliError> {
        let method = arguments::method(abi, MethodKind::View, view)?;
        arguments::encode(abi, method, given, &|name| self.people.address(name))
    }

    fn policy(&self) -> Policy {
        let max_age = self.demand.max_age.or_else(|| (!self.genesis.dev).then_some(MAX_AGE));
        let height = self.demand.height.map_or(Wanted::Newest, Wanted::At);
        Policy { now: crate::node::now(), max_age, height }
    }

    /// The newest head must not be one that was the newest long ago.
    fn check_height(&self, head: &VerifiedHead, claimed: Height) -> Result<(), CliError> {
        if head.height() != claimed {
            return Err(lie(
                "head",
                format!("the answer says height {claimed}, its proof is of height {}", head.height()),
            ));
        }
        if self.demand.height.is_none() && claimed < self.least {
            let reason = format!("height {claimed} is old: {} was certified before", self.least);
            return Err(lie("head", reason));
        }
        Ok(())
    }

    /// The trust of the epoch that a certificate is of.
    async fn follow(&self, context: &Context, head: &HeadProof) -> Result<Trust, CliError> {
        let claimed = certificate::peek(&head.certificate).map_err(|error| lie("certificate", error))?.epoch;
        let mut trust = self.trust.clone();
        if claimed.0.saturating_sub(trust.epoch().0) > EPOCHS {
            return Err(lie("certificate", format!("epoch {claimed} is further away than any chain has come")));
        }
        let _progress = (claimed > trust.epoch()).then(|| context.output.progress("following the validators"));
        while trust.epoch() < claimed {
            let link = epoch_link(context, trust.epoch()).await?;
            trust = trust.follow(&link).map_err(|error| lie("epoch", error))?;
        }
        Ok(trust)
    }
}

async fn epoch_link(context: &Context, epoch: Epoch) -> Result<EpochLink, CliError> {
    match context.client.epoch(epoch).await {
        Ok(bytes) => EpochLink::from_bytes(&bytes).map_err(|error| lie("epoch", error)),
        Err(ClientError::Problem(problem)) => {
            Err(lie("epoch", format!("the end of epoch {epoch} is not shown: {problem}")))
        }
        Err(error) => Err(error.into()),
    }
}

/// What follows from a trusted hash.
struct Root {
    trust: Trust,
    genesis: Genesis,
    /// Results up to here are committed to by what is trusted.
    covers: Height,
}

/// Trust in a genesis hash, or in the hash of a header, which names its genesis.
async fn root_of_trust(context: &Context, trusted: Hash) -> Result<Root, CliError> {
    let bytes = context.client.genesis().await?;
    if let Ok(genesis) = rustorium_light::genesis(&trusted, &bytes) {
        let trust = Trust::from_genesis(&genesis).map_err(|error| lie("trust", error))?;
        return Ok(Root { trust, genesis, covers: Height::ZERO });
    }
    let no_block = |reason: &str| {
        let message = format!("{trusted} names neither the genesis of this node's chain nor a block of it: {reason}");
        CliError::unverified("trust", message)
    };
    let block: Value = match context.client.get(&format!("/v1/blocks/{trusted}"), &[]).await {
        Ok(block) => block,
        Err(ClientError::Problem(problem)) => return Err(no_block(&problem.message)),
        Err(error) => return Err(error.into()),
    };
    let bytes_of_header = block["header"]["bytes"].as_str().and_then(rustorium_client::text::hex::parse);
    let header: Option<Header> = bytes_of_header.and_then(|bytes| borsh::from_slice(&bytes).ok());
    let header = header.filter(|header| header.hash() == trusted).ok_or_else(|| no_block("its header is another"))?;
    let genesis = rustorium_light::genesis(&header.chain, &bytes).map_err(|error| lie("trust", error))?;
    // The last header of an epoch names the next validators, which spares following all epochs before.
    let trust = match Trust::from_checkpoint(&trusted, &header) {
        Ok(trust) => trust,
        Err(_) => Trust::from_genesis(&genesis).map_err(|error| lie("trust", error))?,
    };
    Ok(Root { trust, genesis, covers: header.state_height })
}

/// State that is nothing but a checked witness.
pub(crate) struct Proven(WitnessState);

impl StateRead for Proven {
    fn read(&self, key: &StateKey) -> Result<Option<Bytes>, StateError> {
        match self.0.read(key.contract, &key.key) {
            Ok(value) => Ok(value.map(Bytes::copy_from_slice)),
            Err(_) => Err(StateError::Unproven(key.clone())),
        }
    }
}

impl Proven {
    /// The ABI inside a contract's proven code.
    fn abi(&self, contract: ContractId) -> Result<Abi, CliError> {
        let unproven = |error: StateError| lie("witness", error);
        let record = self.read(&StateKey::contract(contract)).map_err(unproven)?;
        let record = decode_record(contract, record.as_deref())?;
        let code = self.read(&StateKey::code(&record.code)).map_err(unproven)?;
        let code = code.ok_or_else(|| lie("code", format!("it is proven that there is no code {}", record.code)))?;
        abi_of(&code, contract)
    }
}

fn decode_record(contract: ContractId, bytes: Option<&[u8]>) -> Result<ContractRecord, CliError> {
    let Some(bytes) = bytes else {
        return Err(CliError::new(Code::NotFound, format!("it is proven that there is no contract {contract}")));
    };
    borsh::from_slice(bytes).map_err(|_| lie("contract", "the contract's record does not decode"))
}

fn abi_of(wasm: &[u8], contract: ContractId) -> Result<Abi, CliError> {
    let abi = Abi::from_wasm(wasm).map_err(|error| CliError::new(Code::InvalidModule, error.to_string()))?;
    abi.ok_or_else(|| CliError::new(Code::NotFound, format!("the code of {contract} has no ABI")))
}

impl Verified {
    /// The object of `query` and `state`.
    pub(crate) fn object(&self) -> Value {
        json!({
            "value": self.value,
            "height": self.head.height().0,
            "stateRoot": self.head.result().state_root.to_string(),
            "certifiedBy": self.head.certifier().height.0,
            "verified": true,
        })
    }

    /// What was verified, for people.
    pub(crate) fn text(&self) -> String {
        format!(
            "verified at height {}\n  state root   {}\n  certified    by header {} ({})\n  chain        {}",
            self.head.height(),
            self.head.result().state_root,
            self.head.certifier().height,
            self.head.certified_by(),
            self.genesis,
        )
    }
}
