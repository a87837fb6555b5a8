//! `rustorium state`: one value of a contract's storage, by its field's name and keys.

use rustorium_types::{
    abi::{Abi, Layout, Storage, Type, json::Place},
    code::Code,
    id::Height,
};
use serde_json::{Value, json};

use super::{
    CliError, Context, arguments,
    context::People,
    output::{listing, nearest},
    query::{DemandArgs, commitment},
    verify::Verifier,
};

const EXAMPLES: &str = "Examples:
  rustorium state token supply
  rustorium state token balances bob --verify
  rustorium state token allowances alice bob
  rustorium state notes entries            how many there are
  rustorium state notes entries 0          the first";

/// Reads a value of a contract's storage.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StateArgs {
    /// The contract: its name or address.
    contract: String,
    /// The storage field, by its name in the source.
    field: String,
    /// The key of a map (each part of it), or the index of a list.
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// The state after this block [default: the newest].
    #[arg(long, value_name = "HEIGHT")]
    height: Option<u64>,
    #[command(flatten)]
    demand: DemandArgs,
}

pub(crate) async fn run(args: StateArgs, context: &Context) -> Result<(), CliError> {
    let contract = context.contract(&args.contract).await?;
    if args.demand.verify {
        let verifier = Verifier::new(context, contract, args.demand.demand(args.height)).await?;
        let verified = verifier.state(context, contract, &args.field, &args.keys).await?;
        let object = verified.object();
        context.output.show(&object, || format!("{}\n{}", listing(&verified.value, 0), verified.text()));
        return Ok(());
    }
    let abi = context.client.abi(contract).await?;
    let place = place(&abi, &args.field, &args.keys, &context.people().await?)?;
    let answer = context.client.state(contract, &place.key, args.height.map(Height), false).await?;
    let value = place.value(&abi, answer.raw.as_deref())?;
    if context.output.json {
        let (certified_by, state_root) = commitment(context, answer.height).await?;
        context.output.object(&json!({
            "value": value,
            "height": answer.height.0,
            "stateRoot": state_root.map(|root| root.to_string()),
            "certifiedBy": certified_by.map(|height| height.0),
            "verified": false,
        }));
    } else {
        context.output.line(listing(&value, 0));
    }
    Ok(())
}

/// Where a field's value is.
pub(crate) fn place(abi: &Abi, field: &str, keys: &[String], people: &People) -> Result<Place, CliError> {
    let Some(storage) = abi.storage.get(field) else {
        let message = format!("{} has no storage field `{field}`", abi.contract.name);
        let error = CliError::new(Code::NotFound, message);
        return Err(match nearest(field, abi.storage.keys().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("it has {}", abi.storage.keys().cloned().collect::<Vec<_>>().join(", "))),
        });
    };
    let keys = key_values(storage, keys).map_err(|reason| CliError::usage(format!("`{field}`: {reason}")))?;
    Place::find(abi, storage, &keys, &|name| people.address(name))
        .map_err(|error| CliError::usage(format!("`{field}`, {}: {error}", storage.layout.text())))
}

/// The texts of keys as JSON, by the type of the key or of its parts.
fn key_values(storage: &Storage, keys: &[String]) -> Result<Vec<Value>, String> {
    match (&storage.layout, keys) {
        (Layout::Map(Type::Tuple(parts), _) | Layout::EnumMap(Type::Tuple(parts), _), keys)
            if keys.len() == parts.len() =>
        {
            parts.iter().zip(keys).map(|(ty, key)| arguments::value(ty, key)).collect()
        }
        (Layout::Map(ty, _) | Layout::EnumMap(ty, _), [key]) => Ok(vec![arguments::value(ty, key)?]),
        (Layout::Map(Type::Tuple(parts), _) | Layout::EnumMap(Type::Tuple(parts), _), [_, ..]) => {
            Err(format!("its key has {} parts", parts.len()))
        }
        (Layout::Map(..) | Layout::EnumMap(..), [_, _, ..]) => Err("it takes one key".into()),
        (Layout::List(_), [index]) => Ok(vec![arguments::number(index).into()]),
        (_, keys) => Ok(keys.iter().map(|key| key.as_str().into()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_by_their_type() {
        let read = |layout: Layout, keys: &[&str]| {
            let storage = Storage { name: "f".into(), stored_as: "f".into(), doc: String::new(), layout };
            key_values(&storage, &keys.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let pair = || Layout::Map(Type::Tuple(vec![Type::Address, Type::U8]), Type::Bool);
        assert_eq!(read(pair(), &["alice", "1_0"]), Ok(vec![json!("alice"), json!("10")]));
        assert_eq!(read(pair(), &["[\"alice\",5]"]), Ok(vec![json!(["alice", 5])]));
        assert_eq!(read(pair(), &["a", "1", "2"]), Err("its key has 2 parts".into()));
        assert_eq!(read(Layout::EnumMap(Type::String, Type::Bool), &["5"]), Ok(vec![json!("5")]));
        assert_eq!(read(Layout::List(Type::Bool), &[]), Ok(vec![]));
        assert_eq!(read(Layout::Item(Type::Bool), &["x"]), Ok(vec![json!("x")]));
    }
}
