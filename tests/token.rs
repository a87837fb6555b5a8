//! Token transfers, approvals and their failures through the real node: REST in, REST and GraphQL out.

use serde_json::{Value, json};

use crate::{
    chain_client::{Account, ChainClient, account},
    dev_node::DevNode,
    guests,
};

struct TokenChain {
    node: DevNode,
    chain: ChainClient,
    token: String,
    alice: Account,
    bob: Account,
}

async fn token_chain() -> TokenChain {
    let node = DevNode::start();
    let chain = ChainClient::new(node.rest());
    let (alice, bob) = (account(&node, "alice"), account(&node, "bob"));
    let args = json!({"symbol": "TOK", "decimals": 6, "supply": "1000000"});
    let token = chain.deploy(&alice, &guests::token().bytes, args).await;
    TokenChain { node, chain, token, alice, bob }
}

impl TokenChain {
    async fn balance(&self, of: &Account) -> Value {
        self.chain.view(&self.token, "balance_of", json!({"account": of.address})).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_and_approvals_move_tokens() {
    let it = token_chain().await;
    let (chain, token, alice, bob) = (&it.chain, it.token.as_str(), &it.alice, &it.bob);
    let carol = account(&it.node, "carol");

    let status = chain.call(alice, token, "transfer", json!({"to": bob.address, "amount": "40"})).await;
    assert_eq!(status["type"], "Success", "{status}");
    let event = &status["events"][0];
    assert_eq!(event["name"], "Transfer");
    assert_eq!(event["fields"], json!({"from": alice.address, "to": bob.address, "amount": "40"}));
    assert_eq!(it.balance(bob).await, "40");

    let approve = json!({"spender": carol.address, "amount": "25"});
    assert_eq!(chain.call(bob, token, "approve", approve).await["type"], "Success");
    let spend = json!({"from": bob.address, "to": carol.address, "amount": "20"});
    assert_eq!(chain.call(&carol, token, "transfer_from", spend).await["type"], "Success");
    let allowance = json!({"owner": bob.address, "spender": carol.address});
    assert_eq!(chain.view(token, "allowance", allowance).await, "5");
    assert_eq!((it.balance(bob).await, it.balance(&carol).await), (json!("20"), json!("20")));
    assert_eq!(chain.view(token, "total_supply", json!({})).await, "1000000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_what_and_where_and_still_pays() {
    let it = token_chain().await;
    let before = it.chain.read(&format!("/v1/accounts/{}", it.bob.address)).await;

    let status = it.chain.call(&it.bob, &it.token, "transfer", json!({"to": it.alice.address, "amount": "1"})).await;
    assert_eq!(status["type"], "Failure", "{status}");
    let error = &status["error"];
    assert_eq!(error["code"], "CONTRACT_ERROR");
    assert_eq!(error["name"], "Insufficient");
    assert_eq!(error["fields"], json!({"needed": "1", "available": "0"}));
    assert_eq!(error["message"], "needs 1, has 0");
    assert_eq!((&error["path"][0]["contract"], &error["path"][0]["method"]), (&json!(it.token), &json!("transfer")));

    let after = it.chain.read(&format!("/v1/accounts/{}", it.bob.address)).await;
    let number = |value: &Value| value.as_str().expect("an amount").parse::<u128>().expect("decimal");
    let fee = number(&status["receipt"]["fee"]);
    assert!(fee > 0);
    assert_eq!(number(&before["balance"]) - fee, number(&after["balance"]));
    assert_eq!(after["nonceHighest"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_message_undoes_all_of_them() {
    let it = token_chain().await;
    let transfer = |amount: &str| json!({"call": {"contract": it.token, "method": "transfer", "args": {"to": it.bob.address, "amount": amount}}});
    let messages = json!([transfer("10"), {"transfer": {"to": it.bob.address, "amount": "5"}}, transfer("9999999")]);
    let native = it.chain.read(&format!("/v1/accounts/{}", it.bob.address)).await["balance"].clone();

    let status = it.chain.send(&it.alice, messages).await;
    assert_eq!(status["type"], "Failure", "{status}");
    assert_eq!(status["error"]["messageIndex"], 2);
    assert_eq!(it.balance(&it.bob).await, "0");
    assert_eq!(it.chain.read(&format!("/v1/accounts/{}", it.bob.address)).await["balance"], native);
    let events =
        it.chain.read(&format!("/v1/contracts/{}/events?name=Transfer&where=to={}", it.token, it.bob.address)).await;
    assert_eq!(events["nodes"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn submitting_twice_is_harmless() {
    let it = token_chain().await;
    let call = json!({"contract": it.token, "method": "transfer", "args": {"to": it.bob.address, "amount": "7"}});
    let signed = it.chain.sign(&it.alice, json!({"messages": [{"call": call}]})).await;
    let (first, second) = (it.chain.submit(&signed).await, it.chain.submit(&signed).await);
    assert_eq!(first["hash"], second["hash"]);
    assert_eq!(first["status"]["receipt"]["bytes"], second["status"]["receipt"]["bytes"]);
    assert_eq!(it.balance(&it.bob).await, "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_tells_the_same() {
    let it = token_chain().await;
    let status = it.chain.call(&it.alice, &it.token, "transfer", json!({"to": it.bob.address, "amount": "3"})).await;
    let hash = status["events"][0]["transaction"].clone();
    let query = r#"query($hash: Hash!, $token: Address!, $bob: JSON!, $args: JSON!) {
        chain { id genesisHash dev head { height } certifiedHeight }
        transaction(hash: $hash) {
            hash nonce messages { index ... on CallMessage { contract method args } }
            status { __typename ... on Success { receipt { gasUsed } events { name fields } } }
        }
        contract(address: $token) {
            label code { hash size }
            view(name: "balance_of", args: $args) { value }
            state(field: "supply") { value proof { path } }
        }
        events(filter: {contract: $token, name: "Transfer", where: [{field: "to", value: $bob}]}, first: 10) {
            nodes { cursor fields } edges { cursor } pageInfo { hasNextPage }
        }
    }"#;
    let variables = json!({
        "hash": hash, "token": it.token, "bob": it.bob.address, "args": {"account": it.bob.address},
    });
    let data = it.chain.graphql(query, variables).await;
    assert_eq!(data["chain"]["genesisHash"], it.node.genesis_hash());
    assert_eq!(data["transaction"]["status"]["__typename"], "Success");
    assert_eq!(data["transaction"]["messages"][0]["method"], "transfer");
    assert_eq!(data["contract"]["view"]["value"], "3");
    assert_eq!(data["contract"]["state"]["value"], "1000000");
    let events = data["events"]["nodes"].as_array().expect("a list");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["fields"]["amount"], "3");
    assert_eq!(data["events"]["edges"][0]["cursor"], events[0]["cursor"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_its_code() {
    let it = token_chain().await;
    let call = json!({"contract": it.token, "method": "transfer", "args": {"to": it.bob.address, "amount": "1"}});
    let mut signed = it.chain.sign(&it.alice, json!({"messages": [{"call": call}]})).await;
    let auth = signed["auth"].as_str().expect("hex").to_owned();
    let last = if auth.ends_with('0') { "1" } else { "0" };
    signed["auth"] = json!(format!("{}{last}", &auth[..auth.len() - 1]));
    let (status, problem) = it.chain.post("/v1/transactions", &signed).await;
    assert!(status.is_client_error());
    assert_eq!(problem["code"], "INVALID_SIGNATURE", "{problem}");

    let (status, problem) = it.chain.get("/v1/blocks/999999").await;
    assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("NOT_FOUND")));

    let far = json!({"messages": [{"call": call}], "nonce": 5_000, "gasLimit": 1_000_000});
    let signed = it.chain.sign(&it.alice, far).await;
    let (_, problem) = it.chain.post("/v1/transactions", &signed).await;
    assert_eq!(problem["code"], "NONCE_TOO_FAR", "{problem}");
}
