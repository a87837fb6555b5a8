//! REST.

use rustorium_types::{
    bundle::{StateProof, Witness},
    genesis::Genesis,
    transaction::{Body, Signed},
};
use serde_json::{Value, json};

use super::harness::{Running, alice, bob, bytes, sign};

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_prepared_signed_executed_and_found() {
    let node = Running::start().await;
    let transfer = json!([{ "transfer": { "to": bob().address.to_string(), "amount": "5" } }]);
    let signed = node.signed(&alice(), transfer).await;
    let (status, result) = node.post("/v1/transactions?wait=certified", &signed).await;
    assert_eq!(status, 200, "{result}");
    let hash = result["hash"].as_str().unwrap();
    assert_eq!(result["status"]["type"], "Success");
    assert!(result["status"]["receipt"]["certifiedBy"].is_u64(), "{result}");

    let (_, again) = node.post("/v1/transactions", &signed).await;
    assert_eq!(again["hash"], hash, "the same transaction again is harmless");
    let (_, found) = node.get(&format!("/v1/transactions/{hash}?proof=true")).await;
    assert_eq!(found["messages"][0]["type"], "Transfer");
    assert_eq!(found["messages"][0]["amount"], "5");
    assert!(found["status"]["receipt"]["proof"].is_string(), "{found}");
    let (_, account) = node.get(&format!("/v1/accounts/{}", bob().address)).await;
    assert_eq!(account["balance"], "1000000000000000000000005");
    let (_, list) = node.get(&format!("/v1/accounts/{}/transactions", bob().address)).await;
    assert_eq!(list["nodes"][0]["hash"], hash);
    let height = &found["status"]["receipt"]["height"];
    let (_, block) = node.get(&format!("/v1/blocks/{height}")).await;
    assert_eq!(block["transactions"]["nodes"][0]["hash"], hash);
    let (_, same) = node.get(&format!("/v1/blocks/{}", block["header"]["hash"].as_str().unwrap())).await;
    assert_eq!(same["header"], block["header"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_is_deployed_called_viewed_and_proven() {
    let node = Running::start().await;
    let contract = node.deploy().await;
    let added = node.add(&contract, 7).await;
    assert_eq!(added["status"]["results"], json!(["7"]));
    assert_eq!(added["status"]["events"][0]["fields"], json!({ "amount": "7", "total": "7" }));

    let (_, record) = node.get(&format!("/v1/contracts/{contract}")).await;
    assert_eq!((&record["label"], &record["creator"]), (&json!("adder"), &json!(alice().address.to_string())));
    let (_, abi) = node.get(&format!("/v1/contracts/{contract}/abi")).await;
    assert_eq!(abi["name"], "Adder");
    let (_, value) = node.get(&format!("/v1/contracts/{contract}/state?field=count&proof=true")).await;
    assert_eq!(value["value"], "7", "{value}");
    let proof = StateProof::from_bytes(&bytes(&value["proof"]["bytes"])).unwrap();
    let entry = &proof.entry;
    let root = proof.head.result.state_root;
    entry.proof.verify(root, entry.contract, &entry.key, entry.value.as_deref()).unwrap();
    let (_, view) = node.get(&format!("/v1/contracts/{contract}/views/get?witness")).await;
    assert_eq!(view["value"], "7", "{view}");
    let witness = Witness::from_bytes(&bytes(&view["witness"]["bytes"])).unwrap();
    assert_eq!(witness.entries.len(), 3, "contract record, code, and the number");
    let code = record["code"]["hash"].as_str().unwrap();
    assert_eq!(view["witness"]["codes"], json!([code]));
    let (_, stored) = node.get(&format!("/v1/codes/{code}")).await;
    assert_eq!(bytes(&stored["wasm"]), super::contract::wasm());
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_by_name_with_their_path() {
    let node = Running::start().await;
    let contract = node.deploy().await;
    let failed = node.add(&contract, 101).await;
    let error = &failed["status"]["error"];
    assert_eq!(failed["status"]["type"], "Failure");
    assert_eq!((&error["code"], &error["name"]), (&json!("CONTRACT_ERROR"), &json!("TooMuch")), "{failed}");
    assert_eq!(error["message"], "101 is more than 100");
    assert_eq!(error["fields"], json!({ "amount": "101" }));
    assert_eq!(error["path"][0]["method"], "add");
    let trap = node.send(&alice(), json!([{ "call": { "contract": contract, "method": "trap" } }])).await;
    assert_eq!(trap["status"]["error"]["code"], "TRAP", "{trap}");
    let add = |amount: &str| json!({ "call": { "contract": contract, "method": "add", "args": { "amount": amount } } });
    let batch = node.send(&alice(), json!([add("3"), add("200")])).await;
    assert_eq!(batch["status"]["error"]["messageIndex"], 1);
    let (_, view) = node.get(&format!("/v1/contracts/{contract}/views/get")).await;
    assert_eq!(view["value"], "0", "a failed message undoes those before it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_is_refused_with_its_code() {
    let node = Running::start().await;
    let (_, prepared) = node.post("/v1/transactions/prepare", &transfer(&bob().address.to_string())).await;
    let refused = async |change: &dyn Fn(&mut Body), code: &str| {
        let mut body: Body = borsh::from_slice(&bytes(&prepared["body"])).unwrap();
        change(&mut body);
        let digest = body.digest(&node.node.genesis_hash()).to_string();
        let body = crate::api::scalar::hex_text(&borsh::to_vec(&body).unwrap());
        let signed = sign(&alice(), &json!({ "body": body, "digest": digest }));
        let (status, problem) = node.post("/v1/transactions", &signed).await;
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert!(!problem["requestId"].as_str().unwrap().is_empty());
    };
    refused(&|body| body.chain = [9; 4], "WRONG_CHAIN").await;
    refused(&|body| body.nonce.0 = 257, "NONCE_TOO_FAR").await;
    refused(&|body| body.max_gas_price.0 = 0, "GAS_PRICE_TOO_LOW").await;
    refused(&|body| body.valid_until = Some(rustorium_types::id::Timestamp(1)), "EXPIRED").await;
    refused(&|body| body.gas_limit.0 = u64::MAX, "BAD_USER_INPUT").await;
    refused(&|body| body.max_gas_price.0 = u128::MAX, "INSUFFICIENT_FUNDS").await;
    refused(&|body| body.memo = vec![0; 257], "TOO_LARGE").await;
    refused(&|body| body.sender = bob().address, "INVALID_SIGNATURE").await;

    let mut forged = sign(&alice(), &prepared);
    let auth = forged["auth"].as_str().unwrap();
    forged["auth"] = format!("{}00", &auth[..auth.len() - 2]).into();
    let (status, problem) = node.post("/v1/transactions", &forged).await;
    assert_eq!((status, &problem["code"]), (400, &json!("INVALID_SIGNATURE")), "{problem}");
    let (_, done) = node.post("/v1/transactions", &sign(&alice(), &prepared)).await;
    assert_eq!(done["status"]["type"], "Success");
    refused(&|body| body.memo = vec![1], "NONCE_USED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_in_bytes_has_an_answer_each() {
    let node = Running::start().await;
    let mut batch = Vec::new();
    let (_, prepared) = node.post("/v1/transactions/prepare", &transfer(&bob().address.to_string())).await;
    for nonce in [1, 3, 2, 3] {
        let mut body: Body = borsh::from_slice(&bytes(&prepared["body"])).unwrap();
        body.nonce.0 = nonce;
        body.memo = vec![batch.len() as u8];
        let key = rustorium_types::ed25519::SigningKey::from_seed(alice().secret_key);
        let signature = key.sign(&body.digest(&node.node.genesis_hash()).0).0;
        let public_key = key.public_key().0;
        let authorisation = rustorium_types::transaction::Authorisation::Ed25519 { public_key, signature };
        batch.extend(Signed { body, authorisation, fee_payer_authorisation: None }.to_bytes());
    }
    let (status, results) = node.post_bytes("/v1/transactions", batch.clone()).await;
    assert_eq!(status, 200, "{results}");
    let ended: Vec<_> = results.as_array().unwrap().iter().map(|result| result["status"]["type"].clone()).collect();
    assert_eq!(ended[..3], ["Success", "Success", "Success"], "{results}");
    assert_ne!(ended[3], "Success", "only one of two with the same nonce runs: {results}");
    batch.pop();
    assert_eq!(node.post_bytes("/v1/transactions", batch).await.1["code"], "BAD_USER_INPUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_describes_itself() {
    let node = Running::start().await;
    let (_, status) = node.get("/v1/status").await;
    assert_eq!(status["genesisHash"], node.node.genesis_hash().to_string());
    let genesis = reqwest::get(node.url("/v1/genesis")).await.unwrap().bytes().await.unwrap();
    assert_eq!(borsh::from_slice::<Genesis>(&genesis).unwrap().hash(), node.node.genesis_hash());
    let (_, document) = node.get("/openapi.json").await;
    let described: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert!(described.contains(&"/v1/contracts/{address}/views/{name}".to_owned()), "{described:?}");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in ["Transaction", "TransactionStatus", "MessageInput", "InstantiateInput", "Problem"] {
        assert!(schemas.contains_key(name), "{name} in {:?}", schemas.keys());
    }
    assert_eq!(node.text(&node.url("/healthz")).await, "ok\n");
    assert!(node.text(&node.url("/")).await.contains("</html>"));
    let metrics = node.text(&node.node.endpoints().metrics).await;
    assert!(metrics.contains("rustorium_http_requests_total{route=\"/v1/status\""), "{metrics}");
    assert_eq!(node.post("/v1/status", &json!({})).await.0, 405);
    let (status, problem) = node.get("/v1/nothing").await;
    assert_eq!((status, &problem["code"]), (404, &json!("NOT_FOUND")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dev_chain_is_commanded_through_its_log() {
    let node = Running::start().await;
    let carol = crate::dev::find("carol").unwrap().address.to_string();
    let control = json!({ "setBalance": { "address": carol, "amount": "42" } });
    let (status, done) = node.post("/v1/dev/control", &control).await;
    assert_eq!(status, 200, "{done}");
    let (_, account) = node.get(&format!("/v1/accounts/{carol}?proof=true")).await;
    assert_eq!((&account["balance"], account["proof"].is_object()), (&json!("42"), true));
    let (_, before) = node.get("/v1/status").await;
    let (_, mined) = node.post("/v1/dev/control", &json!({ "mine": {} })).await;
    assert!(mined["height"].as_u64() > before["height"].as_u64(), "{mined}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_paged_from_both_ends() {
    let node = Running::start().await;
    let contract = node.deploy().await;
    for amount in 1..=5 {
        node.add(&contract, amount).await;
    }
    let amounts = |page: &Value| -> Vec<String> {
        let nodes = page["nodes"].as_array().unwrap().iter();
        nodes.map(|event| event["fields"]["amount"].as_str().unwrap().to_owned()).collect()
    };
    let events = format!("/v1/contracts/{contract}/events?name=Added");
    let (_, first) = node.get(&format!("{events}&first=2")).await;
    assert_eq!(amounts(&first), ["1", "2"]);
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let after = first["pageInfo"]["endCursor"].as_str().unwrap();
    assert_eq!(amounts(&node.get(&format!("{events}&after={after}")).await.1), ["3", "4", "5"]);
    assert_eq!(amounts(&node.get(&format!("{events}&last=2")).await.1), ["4", "5"]);
    assert_eq!(amounts(&node.get(&format!("{events}&where=amount%3D4")).await.1), ["4"]);
    let (status, problem) = node.get(&format!("{events}&where=total%3D4")).await;
    assert_eq!((status, &problem["code"]), (400, &json!("BAD_USER_INPUT")));
    assert!(problem["detail"].as_str().unwrap().contains("indexed: amount"), "{problem}");
    let (_, problem) = node.get(&format!("{events}&after=1.end.00000000")).await;
    assert_eq!(problem["code"], "CURSOR_EXPIRED");
}

fn transfer(to: &str) -> Value {
    let messages = json!([{ "transfer": { "to": to, "amount": "1" } }]);
    json!({ "sender": alice().address.to_string(), "messages": messages })
}
