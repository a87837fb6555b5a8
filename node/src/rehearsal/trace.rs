//! What the mock host of `rustorium-sdk` writes down while a test runs.
//!
//! One file for each chain that a test makes, one JSON object a line; `mock/trace.rs` of the SDK writes them:
//!
//! ```text
//! {"type":"test","name":"tests::sends"}
//! {"type":"account","address":"acc1…","balance":"1000"}
//! {"type":"deploy","creator":"acc1…","salt":"0x…","program":"Token","args":"0x…","value":"0",
//!  "height":1,"time":1767225600000,"success":true}
//! {"type":"call","caller":"acc1…","contract":"con1…","method":"transfer","args":"0x…","value":"0", …}
//! {"type":"view","contract":"con1…","method":"balance_of","args":"0x…", …}
//! {"type":"transfer","from":"acc1…","to":"con1…","amount":"5", …}
//! {"type":"opaque","why":"the test itself writes storage"}
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustorium_types::id::{Address, Amount, ContractId, Height, Timestamp};
use serde::{Deserialize, Deserializer, de};

/// The traces cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not what this version knows: the project has another SDK.
    #[error("{path}, line {line}: {source}; is the project's SDK of this version?")]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}

/// One test's calls.
pub(super) struct Trace {
    pub(super) test: String,
    pub(super) lines: Vec<Line>,
}

/// Something that a test did, and when.
#[derive(Deserialize)]
pub(super) struct Line {
    #[serde(flatten)]
    pub(super) step: Step,
    #[serde(default, deserialize_with = "height")]
    pub(super) height: Height,
    #[serde(default, deserialize_with = "time")]
    pub(super) time: Timestamp,
    /// Whether it succeeded natively.
    #[serde(default)]
    pub(super) success: bool,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum Step {
    Account {
        #[serde(deserialize_with = "text")]
        address: Address,
        #[serde(deserialize_with = "text")]
        balance: Amount,
    },
    Deploy {
        #[serde(deserialize_with = "text")]
        creator: Address,
        #[serde(deserialize_with = "salt")]
        salt: [u8; 32],
        program: String,
        #[serde(deserialize_with = "bytes")]
        args: Vec<u8>,
        #[serde(deserialize_with = "text")]
        value: Amount,
    },
    Call {
        #[serde(deserialize_with = "text")]
        caller: Address,
        #[serde(deserialize_with = "text")]
        contract: ContractId,
        method: String,
        #[serde(deserialize_with = "bytes")]
        args: Vec<u8>,
        #[serde(deserialize_with = "text")]
        value: Amount,
    },
    View {
        #[serde(deserialize_with = "text")]
        contract: ContractId,
        method: String,
        #[serde(deserialize_with = "bytes")]
        args: Vec<u8>,
    },
    Transfer {
        #[serde(deserialize_with = "text")]
        from: Address,
        #[serde(deserialize_with = "text")]
        to: Address,
        #[serde(deserialize_with = "text")]
        amount: Amount,
    },
    /// What follows cannot be replayed.
    Opaque { why: String },
}

#[derive(Deserialize)]
struct Title {
    name: String,
}

/// Every trace of a folder, in order of their tests' names.
pub(super) fn read_all(directory: &Path) -> Result<Vec<Trace>, TraceError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| TraceError::File { path, source }
    };
    let mut traces = Vec::new();
    for entry in fs::read_dir(directory).map_err(file(directory))? {
        let path = entry.map_err(file(directory))?.path();
        let text = fs::read_to_string(&path).map_err(file(&path))?;
        traces.push(parse(&text).map_err(|(line, source)| TraceError::Line { path, line, source })?);
    }
    traces.sort_by(|one, other| one.test.cmp(&other.test));
    Ok(traces)
}

fn parse(text: &str) -> Result<Trace, (usize, serde_json::Error)> {
    let mut lines = text.lines().enumerate();
    let title: Title = match lines.next() {
        Some((_, title)) => serde_json::from_str(title).map_err(|error| (1, error))?,
        None => Title { name: String::new() },
    };
    let lines = lines.map(|(index, line)| serde_json::from_str(line).map_err(|error| (index + 1, error)));
    Ok(Trace { test: title.name, lines: lines.collect::<Result<_, _>>()? })
}

fn text<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: std::fmt::Display>>(from: D) -> Result<T, D::Error> {
    String::deserialize(from)?.parse().map_err(de::Error::custom)
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    hex::decode(text.strip_prefix("0x").unwrap_or(&text)).map_err(de::Error::custom)
}

fn salt<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
    bytes(from)?.try_into().map_err(|_| de::Error::custom("a salt has 32 bytes"))
}

fn height<'de, D: Deserializer<'de>>(from: D) -> Result<Height, D::Error> {
    u64::deserialize(from).map(Height)
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    u64::deserialize(from).map(Timestamp)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn lines_are_read() {
        let contract = ContractId([3; 32]);
        let text = format!(
            "{{\"type\":\"test\",\"name\":\"tests::counts\"}}\n\
             {{\"type\":\"view\",\"contract\":\"{contract}\",\"method\":\"value\",\"args\":\"0x0a\",\"height\":7,\"time\":9,\"success\":true}}\n\
             {{\"type\":\"opaque\",\"why\":\"storage\"}}\n"
        );
        let trace = parse(&text).unwrap();
        assert_eq!(trace.test, "tests::counts");
        let line = &trace.lines[0];
        assert!(matches!(&line.step, Step::View { contract: of, method, args }
            if *of == contract && method == "value" && args == &[10]));
        assert_eq!((line.height, line.time, line.success), (Height(7), Timestamp(9), true));
        assert!(matches!(&trace.lines[1].step, Step::Opaque { why } if why == "storage"));
    }

    #[test]
    fn a_line_of_another_version_says_where() {
        let text = "{\"type\":\"test\",\"name\":\"x\"}\n{\"type\":\"teleport\"}\n";
        assert!(matches!(parse(text), Err((2, _))));
    }
}
