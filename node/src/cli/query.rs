//! `rustorium query`: a contract's view, believed or verified.

use std::time::Duration;

use rustorium_client::{
    Problem,
    model::{Block, ViewResult},
};
use rustorium_types::{
    abi::MethodKind,
    code::Code,
    id::{Hash, Height},
};
use serde_json::{Map, Value, json};

use super::{
    CliError, Context, arguments,
    output::listing,
    submit::failed,
    verify::{Demand, Verifier},
};

const EXAMPLES: &str = "Examples:
  rustorium query token balance_of account=bob
  rustorium query token balance_of account=bob --verify
  rustorium query con1… total_supply --verify --trust 0x… --max-age 30s";

/// Asks a contract's view.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct QueryArgs {
    /// The contract: its name or address.
    contract: String,
    /// The view.
    view: String,
    /// Its arguments by name, or @FILE.json.
    #[arg(value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// The state after this block [default: the newest].
    #[arg(long, value_name = "HEIGHT")]
    height: Option<u64>,
    #[command(flatten)]
    demand: DemandArgs,
}

/// What an answer must prove.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct DemandArgs {
    /// Checks the answer against a certified header, and runs the contract's own code here.
    #[arg(long)]
    pub(crate) verify: bool,
    /// The hash of the genesis, or of a header, that is trusted [default: the name book's chain].
    #[arg(long, value_name = "HASH", requires = "verify")]
    pub(crate) trust: Option<Hash>,
    /// Refuses a certified header that is older, as `30s` [default: 1min; any age on dev chains].
    #[arg(long, value_name = "TIME", requires = "verify", value_parser = humantime::parse_duration)]
    pub(crate) max_age: Option<Duration>,
}

impl DemandArgs {
    pub(crate) const fn demand(&self, height: Option<u64>) -> Demand {
        let height = match height {
            Some(height) => Some(Height(height)),
            None => None,
        };
        Demand { trust: self.trust, max_age: self.max_age, height }
    }
}

pub(crate) async fn run(args: QueryArgs, context: &Context) -> Result<(), CliError> {
    let contract = context.contract(&args.contract).await?;
    if args.demand.verify {
        let verifier = Verifier::new(context, contract, args.demand.demand(args.height)).await?;
        let verified = verifier.view(context, contract, &args.view, &args.arguments).await?;
        let object = verified.object();
        context.output.show(&object, || format!("{}\n{}", listing(&verified.value, 0), verified.text()));
        return Ok(());
    }
    let people = context.people().await?;
    let abi = context.client.abi(contract).await?;
    let view = arguments::method(&abi, MethodKind::View, &args.view)?;
    let encoded = arguments::encode(&abi, view, &args.arguments, &|name| people.address(name))?;
    let height = args.height.map(Height);
    let answer = context.client.view(contract, &view.name, &encoded, height, false).await?;
    if let Some(error) = &answer.error {
        let around = Map::from_iter([("height".into(), answer.height.0.into()), ("verified".into(), false.into())]);
        return Err(failed(error, around, |address| people.name(address)));
    }
    if context.output.json {
        context.output.object(&object(context, answer).await?);
    } else {
        context.output.line(listing(&answer.value, 0));
    }
    Ok(())
}

async fn object(context: &Context, answer: ViewResult) -> Result<Value, CliError> {
    let (certified_by, state_root) = commitment(context, answer.height).await?;
    Ok(json!({
        "value": answer.value,
        "height": answer.height.0,
        "stateRoot": state_root.map(|root| root.to_string()),
        "certifiedBy": certified_by.map(|height| height.0),
        "verified": false,
    }))
}

/// Who commits to a height's state, and to which root, by what the node says.
pub(crate) async fn commitment(context: &Context, height: Height) -> Result<(Option<Height>, Option<Hash>), CliError> {
    let block = async |height: Height| {
        let found: Result<Block, _> =
            context.client.get(&format!("/v1/blocks/{height}"), &[("first", "1".into())]).await;
        match found {
            Err(error) if error.code() == Some(Code::NotFound) => Ok(None),
            found => found.map(Some),
        }
    };
    let Some(certified_by) = block(height).await?.and_then(|block| block.certified_by) else {
        return Ok((None, None));
    };
    let missing = || Problem::new(Code::NotFound, format!("there is no block {certified_by}"));
    let certifier = block(certified_by).await?.ok_or_else(missing)?.header;
    Ok((Some(certified_by), (certifier.state_height == height).then_some(certifier.state_root)))
}
