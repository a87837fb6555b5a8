//! A contract made without the SDK and without `rustorium build`: plain cargo, and the standard library as it comes,
//! with whatever features of WebAssembly are the compiler's defaults.

use std::{path::Path, process::Command};

use serde_json::json;

use crate::{
    chain_client::{ChainClient, account, hex_bytes, hex_text},
    dev_node::DevNode,
};

/// What plain cargo makes of `tests/plain`.
fn plain() -> Vec<u8> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("node/ is in the repository");
    let target = Command::new(repository.join("sdk/wasm-target.sh")).output().expect("bash runs");
    assert!(target.status.success(), "{}", String::from_utf8_lossy(&target.stderr));
    let compiler = String::from_utf8(target.stdout).expect("a path");
    let folder = repository.join("target/guests/plain");
    let built = Command::new("cargo")
        .args(["build", "--locked", "--release", "--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(&folder)
        .current_dir(repository.join("tests/plain"))
        .env("RUSTC", compiler.trim())
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .expect("cargo runs");
    assert!(built.success());
    std::fs::read(folder.join("wasm32-unknown-unknown/release/plain.wasm")).expect("a module")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_crate_is_deployed_and_runs() {
    let node = DevNode::start();
    let (chain, alice) = (ChainClient::new(node.rest()), account(&node, "alice"));
    let contract = chain.deploy(&alice, &plain(), json!(null)).await;

    let call = |method: &str| {
        let text = hex_text(b"the cat and the hat and the dog");
        json!({"messages": [{"call": {"contract": contract, "method": method, "raw": text}}]})
    };
    let signed = chain.sign(&alice, call("count")).await;
    let status = chain.submit(&signed).await["status"].clone();
    assert_eq!(status["type"], "Success", "{status}");
    let counted = chain.view(&contract, "counted", json!(null)).await;
    assert_eq!(hex_bytes(&counted), b"and=02, cat=01, dog=01, hat=01, the=03");

    let signed = chain.sign(&alice, call("fail")).await;
    let status = chain.submit(&signed).await["status"].clone();
    assert_eq!((&status["type"], &status["error"]["code"]), (&json!("Failure"), &json!("TRAP")), "{status}");
}
