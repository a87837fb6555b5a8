//! `rustorium events`: what a contract said, and what it says from now on.

use rustorium_client::{
    EventStream,
    model::{EventFilter, Events},
    stream::{Start, StreamItem},
};
use rustorium_types::{
    abi::{Abi, Event},
    code::Code,
    id::{ContractId, Height},
};
use serde_json::{Map, Value};

use super::{
    CliError, Context, arguments,
    context::People,
    output::nearest,
    submit::{event_object, event_text},
};

const EXAMPLES: &str = "Examples:
  rustorium events token                                 all that are kept
  rustorium events token Transfer --where to=bob
  rustorium events token Transfer --follow --limit 1     waits for the next one
  rustorium events token --after 42.0.1.9f86d081 --follow";

/// Events of one page.
const PAGE: u64 = 100;

/// Lists a contract's events, and follows them.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EventsArgs {
    /// The contract: its name or address.
    contract: String,
    /// Only events of this name.
    event: Option<String>,
    /// Only those with this value of an indexed field; may be given several times.
    #[arg(long = "where", value_name = "FIELD=VALUE", requires = "event")]
    fields: Vec<String>,
    /// Those behind this cursor.
    #[arg(long, value_name = "CURSOR", conflicts_with = "from_height")]
    after: Option<String>,
    /// Those from this height on.
    #[arg(long, value_name = "HEIGHT")]
    from_height: Option<u64>,
    /// Goes on with those to come; from now on, unless a place is given.
    #[arg(long)]
    follow: bool,
    /// Ends after so many.
    #[arg(long, value_name = "COUNT", value_parser = super::call::count)]
    limit: Option<u64>,
}

pub(crate) async fn run(args: EventsArgs, context: &Context) -> Result<(), CliError> {
    // Asked first: what happens while the rest is looked up is behind this place already.
    let now = match (&args.after, args.from_height) {
        _ if !args.follow => None,
        (None, None) => {
            let status = context.chain().await?;
            Some(format!("{}.end.{}", status.height, hex::encode(&status.hash.0[..4])))
        }
        _ => None,
    };
    let (contract, abi) = context.contract_and_abi(&args.contract).await?;
    let people = context.people().await?;
    let filter = filter(contract, &abi, &args, &people)?;
    let show = |event: &Value| context.output.show(event, || line(event, &people));
    let limit = args.limit.unwrap_or(u64::MAX);
    if args.follow {
        let start = match (args.after, args.from_height, now) {
            (Some(cursor), ..) | (None, None, Some(cursor)) => Start::After(cursor),
            (None, Some(height), _) => Start::From(Height(height)),
            (None, None, None) => Start::Now,
        };
        return follow(context, EventStream::new(&context.client, filter, start), &args.contract, limit, show).await;
    }
    list(context, &filter, args.after, args.from_height, limit, show).await
}

async fn list(
    context: &Context,
    filter: &EventFilter,
    mut after: Option<String>,
    from_height: Option<u64>,
    mut limit: u64,
    show: impl Fn(&Value),
) -> Result<(), CliError> {
    let Some(contract) = filter.contract else { return Ok(()) };
    while limit > 0 {
        let mut query = vec![("first", limit.min(PAGE).to_string())];
        query.extend(filter.name.clone().map(|name| ("name", name)));
        query.extend(filter.fields.iter().map(|(field, value)| ("where", format!("{field}={value}"))));
        match &after {
            Some(cursor) => query.push(("after", cursor.clone())),
            None => query.extend(from_height.map(|height| ("fromHeight", height.to_string()))),
        }
        let page: Events = context.client.events(contract, &query).await?;
        for event in &page.nodes {
            show(&event_object(&serde_json::to_value(event)?));
        }
        limit = limit.saturating_sub(page.nodes.len() as u64);
        after = page.page_info.end_cursor;
        if !page.page_info.has_next_page || after.is_none() {
            break;
        }
    }
    Ok(())
}

async fn follow(
    context: &Context,
    mut stream: EventStream,
    name: &str,
    mut limit: u64,
    show: impl Fn(&Value),
) -> Result<(), CliError> {
    let mut live = false;
    while limit > 0 {
        match stream.next().await {
            Ok(StreamItem::Event(event)) => {
                show(&event_object(&serde_json::to_value(event)?));
                limit -= 1;
            }
            Ok(StreamItem::Checkpoint { undone: Some(undone), .. }) => {
                let (from, to) = (undone.from, undone.to);
                context.output.warn(format!("the chain undid blocks {from} to {to}: events of them are void"));
            }
            Ok(StreamItem::Checkpoint { cursor, .. }) if !live => {
                live = true;
                context.output.note(format!("following {name} from {cursor}"));
            }
            Ok(StreamItem::Checkpoint { .. }) => {}
            Err(error) if error.code() == Some(Code::CursorExpired) => {
                return Err(CliError::from(error).hint("start anew without `--after`, or with `--from-height`"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn filter(contract: ContractId, abi: &Abi, args: &EventsArgs, people: &People) -> Result<EventFilter, CliError> {
    let mut filter = EventFilter { contract: Some(contract), name: args.event.clone(), fields: Map::new() };
    let Some(name) = &args.event else { return Ok(filter) };
    let Some(event) = abi.events.get(name) else {
        let error = CliError::new(Code::NotFound, format!("{} has no event `{name}`", abi.contract.name));
        return Err(match nearest(name, abi.events.keys().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("it has {}", abi.events.keys().cloned().collect::<Vec<_>>().join(", "))),
        });
    };
    filter.fields = conditions(abi, event, &args.fields, people)?;
    Ok(filter)
}

/// `field=value` conditions, the values in their canonical JSON.
fn conditions(abi: &Abi, event: &Event, given: &[String], people: &People) -> Result<Map<String, Value>, CliError> {
    use rustorium_types::abi::json;
    let indexed: Vec<_> = event.fields.iter().filter(|field| field.indexed).cloned().collect();
    let Value::Object(mut fields) = arguments::object(&indexed, given).map_err(|error| {
        let names: Vec<_> = indexed.iter().map(|field| field.name.as_str()).collect();
        error.hint(format!("indexed fields of {}: {}", event.name, names.join(", ")))
    })?
    else {
        return Ok(Map::new());
    };
    for field in &indexed {
        if let Some(value) = fields.get_mut(&field.name) {
            let encoded = json::encode_named(abi, &field.ty, value, &|name| people.address(name));
            let encoded = encoded.map_err(|error| error.in_field(&field.name))?;
            *value = json::decode(abi, &field.ty, &encoded)?;
        }
    }
    Ok(fields)
}

fn line(event: &Value, people: &People) -> String {
    format!("{:>6}  {}  {}", event["height"], event_text(event, people), event["cursor"].as_str().unwrap_or_default())
}
