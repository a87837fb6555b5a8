//! `rustorium trace`: what a transaction did, as a tree; and the same of a dry run.
//!
//! ```text
//! [59,688] hello.transfer(to: bob, amount: 500) from alice
//! ├─ [1,105] read balances[alice] → 1000
//! ├─ [5,605] write balances[alice]: 1000 → 500
//! ├─ [1,410] emit Transfer(from: alice, to: bob, amount: 500)
//! └─ ← true
//! ```
//!
//! The number in front is gas, of a call everything in it included.

use rustorium_types::{abi::json::plain, id::Hash};
use serde_json::Value;

use super::{
    CliError, Context, Output,
    context::People,
    output::{Colour, digits},
};

/// Characters of a value that a line shows before it is cut.
const SHOWN: usize = 120;
/// Host functions that people rarely look for: how a contract learns where it is.
const COMMON: [&str; 7] = ["caller", "this", "value", "height", "time", "genesis_hash", "rest"];

const EXAMPLES: &str = "Examples:
  rustorium trace 0x…
  rustorium trace 0x… --all               every call of the host, too
  rustorium call token transfer to=bob amount=5 --dry-run   the same of one that is not sent";

/// Executes a past transaction again and shows what it did.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TraceArgs {
    /// The transaction's hash.
    #[arg(value_name = "TX")]
    hash: Hash,
    /// Also calls of the host that every contract makes.
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(args: TraceArgs, context: &Context) -> Result<(), CliError> {
    let trace = context.client.trace(&args.hash).await?;
    let people = context.people().await?;
    context.output.show(&trace, || Tree::new(&context.output, &people, args.all).text(&trace));
    Ok(())
}

/// Draws a trace.
pub(crate) struct Tree<'a> {
    output: &'a Output,
    people: &'a People,
    all: bool,
    lines: Vec<String>,
}

/// What a line hangs on: what stands before its own mark.
#[derive(Clone)]
struct Branch {
    stem: String,
    is_last: bool,
}

impl Branch {
    fn mark(&self) -> String {
        format!("{}{}", self.stem, if self.is_last { "└─ " } else { "├─ " })
    }

    fn below(&self) -> String {
        format!("{}{}", self.stem, if self.is_last { "   " } else { "│  " })
    }
}

impl<'a> Tree<'a> {
    pub(crate) const fn new(output: &'a Output, people: &'a People, all: bool) -> Self {
        Self { output, people, all, lines: Vec::new() }
    }

    /// The whole trace.
    pub(crate) fn text(mut self, trace: &Value) -> String {
        let status = trace["status"].as_str().unwrap_or_default().to_lowercase();
        let colour = if status == "success" { Colour::Green } else { Colour::Red };
        let status = match trace["code"].as_str() {
            Some(code) => format!("{status}, {code}"),
            None => status,
        };
        self.lines.push(format!(
            "{}  height {}  {}  {} of {} gas, fee {}",
            plain(&trace["transaction"]),
            trace["height"],
            self.output.paint(colour, &status),
            digits(&trace["gasUsed"]),
            digits(&trace["gasLimit"]),
            plain(&trace["fee"]),
        ));
        self.lines.push(format!("{} the transaction itself", self.gas(&trace["intrinsicGas"])));
        for message in items(&trace["messages"]) {
            self.message(message);
        }
        let changes = items(&trace["changes"]);
        if !changes.is_empty() {
            self.lines.push(self.output.paint(Colour::Bold, "changes"));
            let width = changes.iter().map(|change| self.owner(change).chars().count()).max().unwrap_or_default();
            for change in changes {
                let line = format!("  {:width$}  {}", self.owner(change), self.change(change));
                self.lines.push(line);
            }
        }
        if trace["truncated"] == true {
            let omitted = match trace["omitted"].as_u64() {
                Some(0) | None => "some values are cut".to_owned(),
                Some(steps) => format!("{} steps are left out", digits(steps)),
            };
            self.lines.push(self.output.paint(Colour::Yellow, &format!("truncated: {omitted}")));
        }
        self.lines.join("\n")
    }

    fn message(&mut self, message: &Value) {
        let steps = items(&message["steps"]);
        // A message of one frame is that frame; what the message itself costs is the difference.
        if let [frame] = steps
            && frame["type"] == "Frame"
        {
            let head = format!("{} {}", self.gas(&message["gasUsed"]), self.head(frame, true));
            self.lines.push(head);
            self.inside(frame, "");
            return;
        }
        let kind = plain(&message["type"]);
        self.lines.push(format!("{} {kind}", self.gas(&message["gasUsed"])));
        let error = message.get("error").filter(|error| !error.is_null());
        for (index, step) in steps.iter().enumerate() {
            let is_last = index + 1 == steps.len() && error.is_none();
            self.step(step, &Branch { stem: String::new(), is_last });
        }
        if let Some(error) = error {
            let text = self.error(error);
            self.lines.push(format!("└─ {text}"));
        }
    }

    fn step(&mut self, step: &Value, branch: &Branch) {
        let gas = self.gas(if step["type"] == "Frame" { &step["gasUsed"] } else { &step["gas"] });
        let text = match step["type"].as_str().unwrap_or_default() {
            "Frame" => self.head(step, false),
            "Read" => format!("read {} → {}", self.place(step), self.value(&step["value"])),
            "Write" => format!(
                "{} {}: {} → {}",
                self.output.paint(Colour::Yellow, "write"),
                self.place(step),
                self.value(&step["before"]),
                self.value(&step["after"])
            ),
            "Event" => {
                let fields = self.named(&step["fields"], &step["raw"]);
                format!("{} {}({fields})", self.output.paint(Colour::Cyan, "emit"), plain(&step["name"]))
            }
            "Log" => format!("log {}", short(plain(&step["text"]))),
            _ => format!("{}({})", plain(&step["function"]), self.named(&step["args"], &Value::Null)),
        };
        self.lines.push(format!("{}{gas} {text}", branch.mark()));
        if step["type"] == "Frame" {
            self.inside(step, &branch.below());
        }
    }

    /// What a frame is called with.
    fn head(&self, frame: &Value, with_caller: bool) -> String {
        let contract = self.people.name(&plain(&frame["contract"]));
        let failed = !frame["error"].is_null();
        let method = format!("{contract}.{}", plain(&frame["method"]));
        let method = self.output.paint(if failed { Colour::Red } else { Colour::Green }, &method);
        let mut head = format!("{method}({})", self.named(&frame["args"], &frame["raw"]));
        if frame["value"] != "0" {
            head.push_str(&format!(" with {}", plain(&frame["value"])));
        }
        if frame["kind"] == "view" {
            head.push_str(" view");
        }
        if with_caller && let Some(caller) = frame["caller"].as_str() {
            head.push_str(&format!(" from {}", self.people.name(caller)));
        }
        head
    }

    /// What happened in a frame, and what came of it.
    fn inside(&mut self, frame: &Value, stem: &str) {
        for step in items(&frame["steps"]) {
            let function = step["function"].as_str().unwrap_or_default();
            if self.all || !COMMON.contains(&function) {
                self.step(step, &Branch { stem: stem.into(), is_last: false });
            }
        }
        let end = match frame.get("error") {
            None | Some(Value::Null) => format!("← {}", self.json(&frame["return"])),
            Some(error) => self.error(error),
        };
        self.lines.push(format!("{stem}└─ {end}"));
    }

    fn error(&self, error: &Value) -> String {
        let name = error["name"].as_str().or(error["code"].as_str()).unwrap_or_default();
        let mut text = format!("✗ {name}");
        if error["fields"].as_object().is_some_and(|fields| !fields.is_empty()) {
            text.push_str(&format!("({})", self.named(&error["fields"], &Value::Null)));
        }
        if let Some(message) = error["message"].as_str() {
            text.push_str(&format!(": {}", short(message.into())));
        }
        if let Some(function) = error["function"].as_str() {
            text.push_str(&format!(" in `{function}`"));
        }
        self.output.paint(Colour::Red, &text)
    }

    /// A storage place by its names, or its bytes.
    fn place(&self, step: &Value) -> String {
        let Some(field) = step["field"].as_str() else { return short(plain(&step["key"])) };
        let keys: Vec<_> = items(&step["keys"]).iter().map(|key| self.json(key)).collect();
        if keys.is_empty() { field.to_owned() } else { format!("{field}[{}]", keys.join(", ")) }
    }

    fn value(&self, value: &Value) -> String {
        if value.is_null() {
            return "nothing".into();
        }
        if value["value"].is_null() {
            return short(plain(&value["raw"]));
        }
        self.json(&value["value"])
    }

    /// `name: value, …`, or the bytes where nothing says what they are.
    fn named(&self, fields: &Value, raw: &Value) -> String {
        match fields.as_object() {
            Some(fields) => {
                let field = |(name, value): (&String, &Value)| format!("{name}: {}", self.json(value));
                fields.iter().map(field).collect::<Vec<_>>().join(", ")
            }
            None if raw.is_null() || *raw == "0x" => String::new(),
            None => short(plain(raw)),
        }
    }

    /// A value with the names of those whose addresses are in it.
    fn json(&self, value: &Value) -> String {
        short(match value {
            Value::Null => "()".into(),
            Value::String(text) => self.people.name(text),
            Value::Array(items) => {
                format!("[{}]", items.iter().map(|item| self.json(item)).collect::<Vec<_>>().join(", "))
            }
            Value::Object(_) => format!("{{ {} }}", self.named(value, &Value::Null)),
            other => other.to_string(),
        })
    }

    /// Whose entry has changed.
    fn owner(&self, change: &Value) -> String {
        let of = change["of"].as_str().or(change["contract"].as_str()).unwrap_or("the system");
        short(self.people.name(of))
    }

    fn change(&self, change: &Value) -> String {
        let (before, after) = (&change["before"], &change["after"]);
        if change["record"] == "account" {
            let part = |name: &str, shown: &str| {
                let of = |account: &Value| match &account["value"][name] {
                    Value::Null => "0".into(),
                    value => plain(value),
                };
                let (before, after) = (of(before), of(after));
                (before != after).then(|| format!("{shown} {before} → {after}"))
            };
            let parts: Vec<_> =
                [part("balance", "balance"), part("nonceHighest", "nonce")].into_iter().flatten().collect();
            return if parts.is_empty() { "an older nonce used".into() } else { parts.join(", ") };
        }
        if change["record"] == "code" {
            return format!("code of {} bytes", digits(&after["length"]));
        }
        let what = if change["record"] == "contract" { "record".into() } else { self.place(change) };
        format!("{what}: {} → {}", self.value(before), self.value(after))
    }

    fn gas(&self, gas: &Value) -> String {
        self.output.paint(Colour::Dim, &format!("[{}]", digits(gas)))
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn short(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((cut, _)) => format!("{}… ({} characters)", &text[..cut], text.chars().count()),
    }
}
