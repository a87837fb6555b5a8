//! Commands to a dev chain that runs: its clock, its blocks, its state.

use std::path::Path;

use rustorium_types::{
    abi::{Abi, Layout, Type, json},
    id::{Address, ContractId, Height},
    time::{format_timestamp, parse_timestamp},
};
use serde_json::{Value, json};

use super::{
    super::{CliError, Context, arguments, build, call::count, context::People, state, transfer::named},
    DevCommand, dump,
};

/// Commands the chain.
pub(super) async fn run(command: DevCommand, context: &Context) -> Result<(), CliError> {
    match command {
        DevCommand::Time { time } => {
            let (control, what) = time_control(&time)?;
            let height = context.client.control(&control).await?;
            done(context, height, &what);
        }
        DevCommand::Mine { blocks } => {
            let mut height = Height::ZERO;
            for _ in 0..blocks {
                height = context.client.control(&json!({ "mine": {} })).await?;
            }
            done(
                context,
                height,
                &if blocks == 1 { "sealed a block".into() } else { format!("sealed {blocks} blocks") },
            );
        }
        DevCommand::Set { target, arguments } => {
            let height = set(context, &target, &arguments).await?;
            done(context, height, &format!("set {} of {target}", arguments.join(" ")));
        }
        DevCommand::Snapshot { list: true } => {
            let snapshots: Value = context.client.get("/v1/dev/snapshots", &[]).await?;
            context.output.listing(&snapshots);
        }
        DevCommand::Snapshot { list: false } => {
            let height = context.client.control(&json!({ "snapshot": {} })).await?;
            let text = || format!("snapshot {height}; `rustorium dev revert {height}` comes back to it");
            context.output.show(&json!({ "snapshot": height.0, "height": height.0 }), text);
        }
        DevCommand::Revert { snapshot } => {
            let height = context.client.control(&json!({ "revert": { "height": snapshot } })).await?;
            done(context, height, &format!("the state is that of {snapshot} again"));
        }
        DevCommand::Dump { file, height } => dump::dump(context, &file, height).await?,
        DevCommand::Load { file } => dump::load(context, &file).await?,
        // By the time that commands run it is the command behind it.
        DevCommand::Impersonate { .. } => {}
    }
    Ok(())
}

fn done(context: &Context, height: Height, what: &str) {
    context.output.show(&json!({ "height": height.0 }), || format!("{what} at height {height}"));
}

fn time_control(text: &str) -> Result<(Value, String), CliError> {
    if let Some(offset) = text.strip_prefix('+') {
        let offset =
            humantime::parse_duration(offset).map_err(|error| CliError::usage(format!("`{text}`: {error}")))?;
        let milliseconds =
            u64::try_from(offset.as_millis()).map_err(|_| CliError::usage(format!("`{text}` is too far")))?;
        let what = format!("block times are {} ahead", humantime::format_duration(offset));
        return Ok((json!({ "timeOffset": { "milliseconds": milliseconds } }), what));
    }
    let time = parse_timestamp(text)
        .ok_or_else(|| CliError::usage(format!("`{text}` is neither +DURATION (as +1h) nor a time in RFC 3339")))?;
    let time = format_timestamp(time);
    Ok((json!({ "timeAtLeast": { "time": time } }), format!("the chain's time is {time} or later")))
}

/// Sets one thing after the other, so that storage is read by the code that was set before it.
async fn set(context: &Context, target: &str, given: &[String]) -> Result<Height, CliError> {
    let people = context.people().await?;
    let mut height = Height::ZERO;
    match people.address_or_error(target)? {
        Address::Account(account) => {
            let account = account.to_string();
            let [balance, nonce] = named(["balance", "nonce"], given)?;
            if let Some(balance) = balance.as_deref().map(arguments::number) {
                let control = json!({ "setBalance": { "address": account, "amount": balance } });
                height = context.client.control(&control).await?;
            }
            if let Some(nonce) = nonce {
                let highest = count(&nonce).map_err(CliError::usage)?;
                let control = json!({ "setNonce": { "account": account, "nonce": highest } });
                height = context.client.control(&control).await?;
            }
        }
        Address::Contract(contract) => {
            for argument in given {
                let control = contract_control(context, &people, contract, argument).await?;
                height = context.client.control(&control).await?;
            }
        }
    }
    Ok(height)
}

/// What one argument sets of a contract.
async fn contract_control(
    context: &Context,
    people: &People,
    contract: ContractId,
    argument: &str,
) -> Result<Value, CliError> {
    let Assignment { name, keys, value } = Assignment::read(argument)?;
    let target = contract.to_string();
    match name {
        "balance" if keys.is_empty() => {
            Ok(json!({ "setBalance": { "address": target, "amount": arguments::number(value) } }))
        }
        "code" if keys.is_empty() => {
            let wasm = module(Path::new(value))?;
            Ok(json!({ "setCode": { "contract": target, "wasm": format!("0x{}", hex::encode(wasm)) } }))
        }
        key if key.starts_with("0x") => {
            let raw = (value != "null").then_some(value);
            Ok(json!({ "setStorage": { "contract": target, "key": key, "raw": raw } }))
        }
        field => {
            let abi = context.client.abi(contract).await?;
            let field = field.strip_prefix('.').unwrap_or(field);
            let place = state::place(&abi, field, &keys, people)?;
            let keys = json::Place::named(&abi, &place.key).map(|named| named.keys).unwrap_or_default();
            let value = stored_value(&abi, field, &keys, value, people)?;
            Ok(json!({ "setStorage": { "contract": target, "field": field, "keys": keys, "value": value } }))
        }
    }
}

/// The value of a storage field as canonical JSON; null removes it.
fn stored_value(abi: &Abi, field: &str, keys: &[Value], text: &str, people: &People) -> Result<Value, CliError> {
    if text == "null" {
        return Ok(Value::Null);
    }
    let ty = match abi.storage.get(field).map(|storage| &storage.layout) {
        Some(Layout::List(_) | Layout::EnumMap(..)) if keys.is_empty() => &Type::U32,
        Some(Layout::Item(ty) | Layout::List(ty) | Layout::Map(_, ty) | Layout::EnumMap(_, ty)) => ty,
        None => return Ok(Value::Null),
    };
    let wrong = |reason: String| CliError::usage(format!("`{field}`: {reason}"));
    let value = arguments::value(ty, text).map_err(wrong)?;
    let encoded = json::encode_named(abi, ty, &value, &|name| people.address(name));
    let encoded = encoded.map_err(|error| wrong(error.to_string()))?;
    Ok(json::decode(abi, ty, &encoded)?)
}

/// The module of a file, or of a project, which is built first.
fn module(path: &Path) -> Result<Vec<u8>, CliError> {
    if path.is_dir() {
        return Ok(build::build(path, build::CargoArgs::default())?.bytes);
    }
    std::fs::read(path).map_err(|error| CliError::usage(format!("{}: {error}", path.display())))
}

/// `NAME=VALUE`, or `FIELD[KEY,…]=VALUE`.
#[derive(Debug, PartialEq, Eq)]
struct Assignment<'a> {
    name: &'a str,
    keys: Vec<String>,
    value: &'a str,
}

impl<'a> Assignment<'a> {
    fn read(text: &'a str) -> Result<Self, CliError> {
        let wrong = || CliError::usage(format!("`{text}`: write NAME=VALUE, FIELD=VALUE or FIELD[KEY,…]=VALUE"));
        let (before, value) = text.split_once('=').ok_or_else(wrong)?;
        let Some(open) = before.find('[') else { return Ok(Self { name: before, keys: Vec::new(), value }) };
        let close = text.find("]=").ok_or_else(wrong)?;
        let keys = text[open + 1..close].split(',').map(|key| key.trim().to_owned()).collect();
        Ok(Self { name: &text[..open], keys, value: &text[close + 2..] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_offsets_or_points() {
        let control = |text| time_control(text).map(|(control, _)| control).map_err(|error| error.text());
        assert_eq!(control("+1h 5s"), Ok(json!({"timeOffset": {"milliseconds": 3_605_000}})));
        let time = "2030-01-01T00:00:00.000Z";
        assert_eq!(control("2030-01-01T00:00:00Z"), Ok(json!({"timeAtLeast": {"time": time}})));
        assert!(control("tomorrow").is_err() && control("+soon").is_err());
    }

    #[test]
    fn what_is_set_reads_as_a_trace_shows_it() {
        let read = |text| Assignment::read(text).map_err(|error| error.text());
        let keys = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(read("supply=1_000"), Ok(Assignment { name: "supply", keys: vec![], value: "1_000" }));
        let allowance = Assignment { name: "allowances", keys: keys(&["alice", "bob"]), value: "a=b" };
        assert_eq!(read("allowances[alice, bob]=a=b"), Ok(allowance));
        let key = Assignment { name: "notes", keys: keys(&["a=b"]), value: "" };
        assert_eq!(read("notes[a=b]="), Ok(key));
        assert!(read("supply").is_err() && read("notes[a=b").is_err());
    }
}
