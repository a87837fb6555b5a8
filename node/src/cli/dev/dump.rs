//! `rustorium dev dump` and `load`: a dev chain's state to a file, and from it into another dev chain.
//!
//! The file is JSON, one object a line, so that it can be read, compared and cut with ordinary tools:
//!
//! ```text
//! {"format":"rustorium-dump","version":1,"genesisHash":"0x…","height":12}
//! {"contract":"con1…","key":"0x…","value":"0x…"}         one for each entry, keys rising
//! {"end":345}                                             how many there are
//! ```
//!
//! Loading puts every entry over what the other chain has, in control records of a bounded size, so that its log says
//! it all; entries that only that chain has stay.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use rustorium_types::code::Code;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{CliError, Context, output::digits};

const FORMAT: &str = "rustorium-dump";
const VERSION: u32 = 1;
/// Bytes of entries that go into one control record, about: half of what one may have.
const RECORD_BYTES: usize = 512 << 10;
/// Entries of one control record.
const RECORD_ENTRIES: usize = 5_000;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    format: String,
    version: u32,
    genesis_hash: String,
    height: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    contract: String,
    key: String,
    value: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct End {
    end: u64,
}

#[derive(Debug, Deserialize)]
struct Page {
    height: u64,
    entries: Vec<Entry>,
    next: Option<String>,
}

pub(super) async fn dump(context: &Context, file: &Path, height: Option<u64>) -> Result<(), CliError> {
    let genesis_hash = context.chain().await?.genesis_hash.to_string();
    let progress = context.output.progress("reading the state");
    let mut query: Vec<(&str, String)> = height.map(|height| ("height", height.to_string())).into_iter().collect();
    let mut page: Page = context.client.get("/v1/dev/state", &query).await?;
    let height = page.height;
    let failed = |error: std::io::Error| CliError::usage(format!("{}: {error}", file.display()));
    let mut out = BufWriter::new(File::create(file).map_err(failed)?);
    let mut line = |value: Value| writeln!(out, "{value}").map_err(failed);
    line(json!(Head { format: FORMAT.into(), version: VERSION, genesis_hash, height }))?;
    let mut entries = 0;
    loop {
        for entry in &page.entries {
            line(json!(entry))?;
            entries += 1;
        }
        let Some(next) = page.next else { break };
        progress.say(format!("{} entries", digits(entries)));
        query = vec![("height", height.to_string()), ("after", next)];
        page = context.client.get("/v1/dev/state", &query).await?;
    }
    line(json!(End { end: entries }))?;
    out.flush().map_err(failed)?;
    drop(progress);
    let object = json!({ "file": file.display().to_string(), "height": height, "entries": entries });
    let text = || format!("{} entries of height {height} are in {}", digits(entries), file.display());
    context.output.show(&object, text);
    Ok(())
}

pub(super) async fn load(context: &Context, file: &Path) -> Result<(), CliError> {
    check(file)?;
    let progress = context.output.progress("loading");
    let (mut entries, mut records, mut height) = (0_u64, 0_u64, Value::Null);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for line in lines(file)?.skip(1) {
        let Line::Entry(entry) = line? else { break };
        let size = (entry.key.len() + entry.value.len()) / 2;
        if !batch.is_empty() && (bytes + size > RECORD_BYTES || batch.len() == RECORD_ENTRIES) {
            height = put(context, std::mem::take(&mut batch), entries).await?;
            (bytes, records) = (0, records + 1);
            progress.say(format!("{} entries", digits(entries)));
        }
        bytes += size;
        entries += 1;
        batch.push(json!(entry));
    }
    if !batch.is_empty() {
        height = put(context, batch, entries).await?;
        records += 1;
    }
    drop(progress);
    let object = json!({ "entries": entries, "records": records, "height": height });
    context.output.show(&object, || format!("{} entries are in the state at height {height}", digits(entries)));
    Ok(())
}

async fn put(context: &Context, batch: Vec<Value>, entries: u64) -> Result<Value, CliError> {
    let before = entries - batch.len() as u64;
    let height = context.client.control(&json!({ "setEntries": { "entries": batch } })).await;
    height.map(|height| height.0.into()).map_err(|error| {
        let error = CliError::from(error);
        if before == 0 { error } else { error.hint(format!("the first {} entries are loaded", digits(before))) }
    })
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Entry(Entry),
    End(End),
    Head(Head),
}

fn lines(file: &Path) -> Result<impl Iterator<Item = Result<Line, CliError>> + '_, CliError> {
    let opened = File::open(file).map_err(|error| CliError::usage(format!("{}: {error}", file.display())))?;
    Ok(BufReader::new(opened).lines().enumerate().map(move |(number, line)| {
        let line = line.map_err(|error| error.to_string());
        let line = line.and_then(|line| serde_json::from_str(&line).map_err(|error| error.to_string()));
        line.map_err(|error| unreadable(file, format!("line {}: {error}", number + 1)))
    }))
}

/// Reads the whole file before anything of it is loaded: that it is whole, and of a version that this knows.
fn check(file: &Path) -> Result<(), CliError> {
    let mut lines = lines(file)?;
    match lines.next().transpose()? {
        Some(Line::Head(head)) if head.format == FORMAT && head.version <= VERSION => {}
        Some(Line::Head(head)) if head.format == FORMAT => {
            let message = format!("it has version {}; this software reads up to {VERSION}", head.version);
            return Err(unreadable(file, message));
        }
        _ => return Err(unreadable(file, "it is no dump: its first line is not one's".into())),
    }
    let mut entries = 0;
    for line in lines {
        match line? {
            Line::Entry(_) => entries += 1,
            Line::End(End { end }) if end == entries => return Ok(()),
            _ => break,
        }
    }
    Err(unreadable(file, format!("it is cut: its last line does not count its {} entries", digits(entries))))
}

fn unreadable(file: &Path, reason: String) -> CliError {
    CliError::misnamed(Code::BadUserInput, format!("{}: {reason}", file.display()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_cut_or_newer_is_refused() {
        let head = r#"{"format":"rustorium-dump","version":1,"genesisHash":"0x00","height":3}"#;
        let entry = r#"{"contract":"con1","key":"0x01","value":"0x"}"#;
        let said = |text: String| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            check(file.path()).map_err(|error| error.text())
        };
        assert_eq!(said(format!("{head}\n{entry}\n{entry}\n{{\"end\":2}}\n")), Ok(()));
        assert!(said(format!("{head}\n{entry}\n{{\"end\":2}}\n")).unwrap_err().contains("is cut"));
        assert!(said(format!("{head}\n{entry}\n")).unwrap_err().contains("is cut"));
        assert!(said(format!("{entry}\n")).unwrap_err().contains("no dump"));
        assert!(said(head.replace(":1,", ":9,")).unwrap_err().contains("version 9"));
        assert!(said(format!("{head}\n{{\"contract\":1}}\n")).unwrap_err().contains("line 2"));
    }
}
