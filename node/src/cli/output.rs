//! What a command prints: data on stdout, everything else on stderr.
//!
//! In JSON each command prints one object on one line, or one a line for streams. Text is for people and may
//! change. Output goes out line by line; a reader that went away ends the command quietly.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    time::Duration,
};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::Value;

/// Characters of a text that a listing shows before it is cut.
const SHOWN: usize = 160;

/// Where and how a command prints.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// One object instead of text.
    pub(crate) json: bool,
    colour: bool,
    paints: bool,
    terminal: bool,
}

/// How a part of a text on stdout stands out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Colour {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Colour {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Cyan => "36",
        }
    }
}

impl Output {
    /// Text or JSON; colour on terminals unless `NO_COLOR` says otherwise.
    pub(crate) fn new(json: bool) -> Self {
        let terminal = stderr().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let paints = stdout().is_terminal() && !no_colour;
        Self { json, colour: terminal && !no_colour, paints, terminal }
    }

    /// The object in JSON mode, the text otherwise.
    pub(crate) fn show(&self, object: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json { self.object(object) } else { self.line(text()) }
    }

    /// The object in JSON mode, a listing of it otherwise.
    pub(crate) fn listing(&self, object: &Value) {
        self.show(object, || listing(object, 0));
    }

    /// An object, in JSON mode only.
    pub(crate) fn object(&self, object: &impl Serialize) {
        if self.json {
            self.data(object);
        }
    }

    /// An object, in either mode.
    pub(crate) fn data(&self, object: &impl Serialize) {
        print(&serde_json::to_string(object).unwrap_or_default());
    }

    /// A line for people, in text mode only.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        if !self.json {
            print(text.as_ref());
        }
    }

    /// A line on stderr.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        let _ = writeln!(stderr(), "{}", text.as_ref());
    }

    /// A warning on stderr.
    pub(crate) fn warn(&self, text: impl AsRef<str>) {
        self.note(format!("{} {}", self.painted("33", "warning:"), text.as_ref()));
    }

    /// The error of a command that failed, on stderr, and in JSON mode as an object too.
    pub(crate) fn error(&self, error: &super::CliError) {
        self.note(format!("{} {}", self.painted("31", "error:"), error.text()));
        self.object(&error.json());
    }

    /// A spinner, on a terminal only, until it is dropped.
    pub(crate) fn progress(&self, text: impl Into<String>) -> Progress {
        let target = if self.terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target).with_message(text.into());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        // What takes less than this needs no spinner.
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress(bar)
    }

    /// Whether stderr is a terminal.
    pub(crate) const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// A part of a text for stdout, coloured if that is a terminal.
    pub(crate) fn paint(&self, colour: Colour, text: &str) -> String {
        if self.paints { format!("\x1b[{}m{text}\x1b[0m", colour.code()) } else { text.into() }
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[1;{colour}m{text}\x1b[0m") } else { text.into() }
    }
}

/// A spinner that goes when it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Another text beside the spinner.
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.0.set_message(text.into());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A line on stdout. If nobody reads any more there is nobody to tell.
fn print(line: &str) {
    let mut out = stdout().lock();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// A table of columns without borders.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head);
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

/// A number with commas.
pub(crate) fn digits(number: impl std::fmt::Display) -> String {
    let text = number.to_string();
    let mut grouped = String::with_capacity(text.len() + text.len() / 3);
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && (text.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A value as people read it: fields one below the other, what is inside them indented.
pub(crate) fn listing(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if fields.is_empty() => format!("{indent}{{}}"),
        Value::Object(fields) => {
            let width = fields.keys().map(String::len).max().unwrap_or_default();
            let line = |(name, value): (&String, &Value)| match value {
                Value::Object(inner) if !inner.is_empty() => format!("{indent}{name}\n{}", listing(value, depth + 1)),
                Value::Array(inner) if inner.iter().any(|item| item.is_object() || item.is_array()) => {
                    format!("{indent}{name}\n{}", listing(value, depth + 1))
                }
                _ => format!("{indent}{name:width$}  {}", short(value)),
            };
            fields.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Value::Array(items) => {
            let item = |item: &Value| {
                let text = listing(item, depth + 1);
                format!("{indent}- {}", text.trim_start())
            };
            items.iter().map(item).collect::<Vec<_>>().join("\n")
        }
        _ => format!("{indent}{}", short(value)),
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "–".into(),
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(", "),
        _ => rustorium_types::abi::json::plain(value),
    };
    if text.len() <= SHOWN {
        return text;
    }
    let cut = text.floor_char_boundary(SHOWN / 2);
    format!("{}… ({} characters)", &text[..cut], text.chars().count())
}

/// The known name nearest to one that is not known, if it is near.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, nearest) =
        known.map(|known| (distance(name, known), known)).min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + name.len() / 4).then_some(nearest)
}

/// Edits between two texts (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn listings_are_readable() {
        let value = json!({"height": 3, "header": {"hash": "0x00", "time": null}, "list": [{"a": 1}, {"a": 2}], "plain": [1, 2]});
        assert_eq!(
            listing(&value, 0),
            "height  3\nheader\n  hash  0x00\n  time  –\nlist\n  - a  1\n  - a  2\nplain   1, 2"
        );
        assert!(listing(&json!({"wasm": "0".repeat(5_000)}), 0).ends_with("… (5000 characters)"));
    }

    #[test]
    fn numbers_and_names() {
        assert_eq!([digits(0), digits(999), digits(1_000), digits(12_345_678)], ["0", "999", "1,000", "12,345,678"]);
        assert_eq!(nearest("tranfer", ["approve", "transfer"].into_iter()), Some("transfer"));
        assert_eq!(nearest("mint", ["approve", "transfer"].into_iter()), None);
    }
}
