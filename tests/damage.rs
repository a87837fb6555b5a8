//! Directories that are damaged, cut, too new or in use: what a person reads, and the way out.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use redb::TableDefinition;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    chain_client::{ChainClient, account},
    dev_node::{DevNode, RUSTORIUM},
};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const VALUES: TableDefinition<'_, Entry<'_>, Version<'_>> = TableDefinition::new("values");

/// A contract and a key of its storage.
type Entry<'a> = (&'a [u8; 32], &'a [u8]);
/// The height that wrote an entry, and its value.
type Version<'a> = (u64, Option<&'a [u8]>);

/// A data directory in which some transactions were executed, and no node runs.
struct Left {
    directory: TempDir,
}

impl Left {
    async fn some_transactions() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let node = DevNode::start_in(&directory.path().join("data"), &[]);
        let chain = ChainClient::new(node.rest());
        for _ in 0..5 {
            let transfer = json!([{"transfer": {"to": account(&node, "bob").address, "amount": "1"}}]);
            assert_eq!(chain.send(&account(&node, "alice"), transfer).await["type"], "Success");
        }
        assert!(node.terminate().success());
        Self { directory }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn segment(&self) -> PathBuf {
        self.data().join("log/00000001.segment")
    }

    /// Changes the log's bytes. `used` is where its entries end.
    fn spoil_log(&self, spoil: impl FnOnce(&mut [u8], usize)) {
        let mut bytes = fs::read(self.segment()).expect("a log");
        let used = bytes.iter().rposition(|byte| *byte != 0).expect("entries") + 1;
        spoil(&mut bytes, used);
        fs::write(self.segment(), bytes).expect("is written");
    }

    fn spoil_database(&self, spoil: impl FnOnce(&redb::WriteTransaction)) {
        let database = redb::Database::open(self.data().join("state.redb")).expect("a database");
        let transaction = database.begin_write().expect("begins");
        spoil(&transaction);
        transaction.commit().expect("commits");
    }

    /// A rebuilt directory is whole, and its node has what was executed.
    async fn rebuild(&self) {
        let into = self.directory.path().join("rebuilt");
        succeeds(&["replay", "--into", &into.display().to_string()], &self.data());
        succeeds(&["db", "check"], &into);
        let node = DevNode::start_in(&into, &[]);
        let bob = ChainClient::new(node.rest()).read(&format!("/v1/accounts/{}", account(&node, "bob").address)).await;
        assert_eq!(bob["balance"], "1000000000000000000000005");
    }
}

fn run(arguments: &[&str], data_dir: &Path) -> Output {
    let mut command = Command::new(RUSTORIUM);
    command.args(arguments).arg("--data-dir").arg(data_dir).stdin(Stdio::null());
    command.output().expect("the program runs")
}

fn succeeds(arguments: &[&str], data_dir: &Path) {
    let output = run(arguments, data_dir);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a command that must fail with exit code 1; answers what a person reads.
fn refused(arguments: &[&str], data_dir: &Path) -> String {
    let output = run(arguments, data_dir);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

const START: [&str; 3] = ["dev", "--listen", "127.0.0.1:0"];

#[track_caller]
fn assert_said(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_of_the_log_is_named_with_its_file_and_place() {
    let left = Left::some_transactions().await;
    left.spoil_log(|bytes, used| bytes[used / 2] ^= 1);
    for arguments in [&START[..], &["db", "check"], &["replay"]] {
        assert_said(&refused(arguments, &left.data()), &["the log is damaged", "00000001.segment at byte ", "restore"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lacks_what_was_executed_is_refused() {
    let left = Left::some_transactions().await;
    left.spoil_log(|bytes, used| bytes[used * 2 / 3..].fill(0));
    for arguments in [&START[..], &["db", "check"]] {
        assert_said(&refused(arguments, &left.data()), &["the log ends at block ", "has executed block ", "restore"]);
    }
    fs::remove_dir_all(left.data().join("log")).expect("is removed");
    assert_said(&refused(&START, &left.data()), &["the log ends at block 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_nobody_was_told_of_is_cut_and_said() {
    let left = Left::some_transactions().await;
    left.spoil_log(|bytes, used| bytes[used.next_multiple_of(8)..][..8].copy_from_slice(&[200, 0, 0, 0, 9, 9, 9, 9]));
    succeeds(&["db", "check"], &left.data());
    let node = DevNode::start_in(&left.data(), &[]);
    let bob = ChainClient::new(node.rest()).read(&format!("/v1/accounts/{}", account(&node, "bob").address)).await;
    assert_eq!(bob["balance"], "1000000000000000000000005");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_was_altered_is_found_and_the_log_makes_it_again() {
    let left = Left::some_transactions().await;
    left.spoil_database(|transaction| {
        let mut values = transaction.open_table(VALUES).expect("a table");
        values.insert((&[7; 32], &[1_u8][..]), (3, Some(&[9_u8][..]))).expect("is written");
    });
    assert_said(&refused(&["db", "check"], &left.data()), &["the database is damaged", "replay --into"]);
    left.rebuild().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_or_broken_is_made_again_from_the_log() {
    let left = Left::some_transactions().await;
    let database = left.data().join("state.redb");
    let mut bytes = fs::read(&database).expect("a database");
    bytes[..4096].fill(0xee);
    fs::write(&database, bytes).expect("is written");
    assert_said(&refused(&START, &left.data()), &["the database is damaged", "replay --into"]);
    fs::remove_file(&database).expect("is removed");
    left.rebuild().await;
    let node = DevNode::start_in(&left.data(), &[]);
    assert!(node.terminate().success(), "a node does it by itself when there is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_a_newer_format_says_what_to_use() {
    let left = Left::some_transactions().await;
    left.spoil_database(|transaction| {
        transaction.open_table(META).expect("a table").insert("format", [9, 0].as_slice()).expect("is written");
    });
    for arguments in [&START[..], &["db", "check"]] {
        assert_said(&refused(arguments, &left.data()), &["format 9", "use a newer version"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_is_said_with_what_to_do() {
    let left = Left::some_transactions().await;
    let node = DevNode::start_in(&left.data(), &[]);
    for arguments in [&START[..], &["db", "check"], &["replay"]] {
        let said = refused(arguments, &left.data());
        assert_said(&said, &["in use by another node (process ", "stop it or choose another data directory"]);
    }
    let address = node.rest().strip_prefix("http://").expect("an address");
    let other = left.directory.path().join("other");
    let said = refused(&["dev", "--listen", address], &other);
    assert_said(&said, &[address, "is in use", "choose another address"]);
    assert!(!other.exists(), "nothing was written by then");
}
