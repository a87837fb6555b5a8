//! What a test does, written down for `rustorium test`, which runs it once more on the real module for the gas.
//!
//! Only where the environment names a folder in `RUSTORIUM_TRACE`. One file for each chain that a test makes,
//! one JSON object a line: the test's name, balances set from outside, then deployments, calls, views and
//! transfers of the test itself, with what contracts see of the block and whether they succeeded:
//!
//! ```text
//! {"type":"call","caller":"acc1…","contract":"con1…","method":"transfer","args":"0x…","value":"0",
//!  "height":1,"time":1767225600000,"success":true}
//! ```

use core::fmt::Write as _;
use std::{
    env, fs,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use rustorium_types::{
    abi::MethodKind,
    id::{Address, Amount, Timestamp},
};

use super::frame::Frame;

/// Names the folder.
const VARIABLE: &str = "RUSTORIUM_TRACE";

/// Numbers the files of this process.
static CHAINS: AtomicU64 = AtomicU64::new(0);

/// Lines about one chain, which end up in a file when the chain is dropped.
pub(super) struct Trace {
    path: PathBuf,
    lines: String,
    /// Of the contract that was deployed last.
    salt: [u8; 32],
    /// What follows could not be done once more.
    ended: bool,
}

/// What contracts see of a block.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) height: u64,
    pub(super) time: Timestamp,
}

impl Trace {
    /// A trace, if one is asked for.
    pub(super) fn begin() -> Option<Self> {
        let folder = env::var_os(VARIABLE)?;
        let number = CHAINS.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(folder).join(format!("{}-{number}.jsonl", std::process::id()));
        let test = thread::current().name().unwrap_or_default().to_owned();
        let mut trace = Self { path, lines: String::new(), salt: [0; 32], ended: false };
        trace.line(format_args!(r#""type":"test","name":{test:?}"#));
        Some(trace)
    }

    /// A balance that is set from outside.
    pub(super) fn account(&mut self, address: Address, balance: Amount) {
        self.line(format_args!(r#""type":"account","address":"{address}","balance":"{balance}""#));
    }

    /// The salt of the contract that the next deployment makes.
    pub(super) const fn salt(&mut self, salt: [u8; 32]) {
        self.salt = salt;
    }

    /// Value that a test sends.
    pub(super) fn transfer(&mut self, from: Address, to: Address, amount: Amount, block: Block, success: bool) {
        let end = end(block, success);
        self.line(format_args!(r#""type":"transfer","from":"{from}","to":"{to}","amount":"{amount}",{end}"#));
    }

    /// A frame of a test's own that has ended. `changed` tells whether it changed anything before that.
    pub(super) fn frame(&mut self, frame: &Frame, program: &str, block: Block, changed: bool, success: bool) {
        let (args, end) = (hex(&frame.arguments), end(block, success));
        let Frame { contract, value, .. } = frame;
        let caller = frame.caller.map(|caller| caller.to_string()).unwrap_or_default();
        let kind = frame.method.as_ref().map_or(frame.kind, |(kind, _)| *kind);
        match (kind, &frame.method) {
            // A transfer is one already.
            (MethodKind::Receive, _) => {}
            (MethodKind::Migrate, _) => self.opaque("it upgrades a contract"),
            (_, None) if changed => self.opaque("it changes storage otherwise than by a method"),
            (MethodKind::Init, _) => {
                let salt = hex(&self.salt);
                self.line(format_args!(
                    r#""type":"deploy","creator":"{caller}","salt":"{salt}","program":"{program}","args":"{args}","value":"{value}",{end}"#
                ));
            }
            (_, None) => {}
            (MethodKind::Call, Some((_, method))) => self.line(format_args!(
                r#""type":"call","caller":"{caller}","contract":"{contract}","method":"{method}","args":"{args}","value":"{value}",{end}"#
            )),
            (MethodKind::View, Some((_, method))) => self.line(format_args!(
                r#""type":"view","contract":"{contract}","method":"{method}","args":"{args}",{end}"#
            )),
        }
    }

    fn opaque(&mut self, why: &str) {
        self.line(format_args!(r#""type":"opaque","why":"{why}""#));
        self.ended = true;
    }

    fn line(&mut self, fields: core::fmt::Arguments<'_>) {
        if !self.ended {
            let _ = writeln!(self.lines, "{{{fields}}}");
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.path, &self.lines) {
            eprintln!("cannot write {}: {error}", self.path.display());
        }
    }
}

fn end(Block { height, time }: Block, success: bool) -> String {
    format!(r#""height":{height},"time":{time},"success":{success}"#)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
