//! A real disk that is full: a small tmpfs in a mount namespace of the node's own. Systems that give people no
//! namespaces skip it; the same on simulated disks is in `rustorium-chain`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    chain_client::{ChainClient, account, hex_text},
    dev_node::{DevNode, RUSTORIUM},
};

/// Mounts a small disk on the data directory, puts ballast on it, and becomes the node.
const SMALL_DISK: &str =
    r#"mount -t tmpfs -o size=32m tmpfs "$1" && head -c 12000000 /dev/zero >"$1/ballast" && shift && exec "$@""#;

fn in_a_namespace(data_dir: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK, "sh"]).arg(data_dir).arg(RUSTORIUM);
    command
}

/// Fills the rest of the disk, from outside.
fn fill(disk: &Path) {
    let mut filler = fs::File::create(disk.join("filler")).expect("a file");
    let chunk = vec![1; 64 << 10];
    while std::io::Write::write_all(&mut filler, &chunk).is_ok() {}
}

async fn readiness(node: &DevNode) -> StatusCode {
    reqwest::get(format!("{}/readyz", node.rest())).await.expect("the node answers").status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_transactions_answers_reads_and_goes_on_when_there_is_room() {
    let probe = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system gives no mount namespaces");
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data_dir = directory.path().join("data");
    fs::create_dir(&data_dir).expect("a directory");
    let node = DevNode::start_by(&mut in_a_namespace(&data_dir), &data_dir, &[]);
    let inside = PathBuf::from(format!("/proc/{}/root", node.id()));
    let disk = inside.join(data_dir.strip_prefix("/").expect("absolute"));
    let chain = ChainClient::new(node.rest());
    let (alice, bob) = (account(&node, "alice"), account(&node, "bob"));
    let pay = || json!([{"transfer": {"to": bob.address, "amount": "1"}}]);
    assert_eq!(chain.send(&alice, pay()).await["type"], "Success");
    fill(&disk);

    // No module, and large: the log's first file is full after some of them.
    let junk = json!([{"storeCode": hex_text(&[7; 900_000])}]);
    let mut accepted = 0;
    let refused: Value = loop {
        let signed = chain.sign(&alice, json!({"messages": junk, "gasLimit": 90_000_000})).await;
        let (status, answer) = chain.post("/v1/transactions?wait=accepted", &signed).await;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            break answer;
        }
        assert!(status.is_success(), "{answer}");
        accepted += 1;
        assert!(accepted < 12, "more than a segment was accepted");
    };
    assert_eq!(refused["code"], "LOG_UNAVAILABLE", "{refused}");
    assert!(refused.to_string().contains("disk is full"), "{refused}");
    assert_eq!(readiness(&node).await, StatusCode::SERVICE_UNAVAILABLE);
    let balance = chain.read(&format!("/v1/accounts/{}", bob.address)).await["balance"].clone();
    assert_eq!(balance, "1000000000000000000000001", "reads go on");

    fs::remove_file(disk.join("filler")).expect("is there");
    fs::remove_file(disk.join("ballast")).expect("is there");
    while readiness(&node).await != StatusCode::OK {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(chain.send(&alice, pay()).await["type"], "Success", "it goes on by itself");
    assert!(node.terminate().success());
}
