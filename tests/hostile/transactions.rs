//! Transactions that cannot run: each is refused before it costs anybody anything.

use rustorium_types::{
    id::{Amount, Timestamp},
    limits,
    transaction::{Body, Message, Signed},
};
use serde_json::{Value, json};

use super::{body, client, input, sign};
use crate::{
    chain_client::{Account, account, hex_bytes, hex_text},
    dev_node::DevNode,
};

struct Fixture {
    node: DevNode,
    alice: Account,
    bob: Account,
}

fn fixture(settings: &str) -> Fixture {
    let node = DevNode::configured(settings);
    let (alice, bob) = (account(&node, "alice"), account(&node, "bob"));
    Fixture { node, alice, bob }
}

impl Fixture {
    fn body(&self, nonce: u64) -> Body {
        body(&self.node, &self.alice, nonce, &self.bob)
    }

    fn signed(&self, body: Body) -> Signed {
        sign(&self.node, &self.alice, body)
    }

    /// Submits what must be refused, and compares all that its sender reads.
    async fn refused(&self, submission: &Value, status: u16, code: &str, detail: &str) -> Value {
        let (answered, problem) = client(&self.node).post("/v1/transactions", submission).await;
        assert_eq!((answered.as_u16(), &problem["code"]), (status, &json!(code)), "{problem}");
        assert_eq!(problem["status"], status);
        let said = problem["detail"].as_str().expect("a sentence");
        assert!(said.contains(detail), "`{said}` does not say `{detail}`");
        problem
    }

    async fn refused_body(&self, body: Body, status: u16, code: &str, detail: &str) {
        self.refused(&input(&self.signed(body)), status, code, detail).await;
    }

    /// Runs a transfer on a node that makes blocks when it is told to.
    async fn run_by_command(&self, nonce: u64) {
        let chain = client(&self.node);
        let (_, accepted) = chain.post("/v1/transactions?wait=accepted", &input(&self.signed(self.body(nonce)))).await;
        assert_eq!(chain.post("/v1/dev/control", &json!({ "mine": {} })).await.0, 200);
        let hash = accepted["hash"].as_str().expect("a hash");
        let done = chain.read(&format!("/v1/transactions/{hash}")).await;
        assert_eq!(done["status"]["type"], "Success", "{done}");
    }

    /// Nothing was paid, and the next honest transaction runs.
    async fn assert_unharmed(&self, nonce: u64) {
        let before = client(&self.node).read(&format!("/v1/accounts/{}", self.alice.address)).await;
        assert_eq!(before["nonceHighest"], nonce - 1, "{before}");
        let done = client(&self.node).submit(&input(&self.signed(self.body(nonce)))).await;
        assert_eq!(done["status"]["type"], "Success", "{done}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_signature_is_refused() {
    let it = fixture("");
    let mut signed = input(&it.signed(it.body(1)));
    let mut auth = hex_bytes(&signed["auth"]);
    *auth.last_mut().expect("a signature") ^= 1;
    signed["auth"] = hex_text(&auth).into();
    it.refused(&signed, 400, "INVALID_SIGNATURE", "the sender's signature is not valid for this transaction").await;

    let other = sign(&it.node, &it.bob, it.body(1));
    it.refused(&input(&other), 400, "INVALID_SIGNATURE", "but the authorisation's key is that of").await;
    it.assert_unharmed(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_another_chain_is_refused() {
    let it = fixture("");
    let marked = Body { chain: *b"away", ..it.body(1) };
    it.refused_body(marked, 400, "WRONG_CHAIN", "the transaction was made for another chain").await;
    // Marked as this chain's, but signed for the other: the digest binds to the whole hash.
    let body = it.body(1);
    let authorisation = it.alice.agree(body.digest(&rustorium_types::id::Hash([7; 32])).as_bytes());
    let signed = Signed { body, authorisation, fee_payer_authorisation: None };
    it.refused(&input(&signed), 400, "INVALID_SIGNATURE", "not valid for this transaction").await;
    it.assert_unharmed(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_is_used_or_far_below_or_too_far_ahead_is_refused() {
    let it = fixture("");
    it.refused_body(it.body(257), 422, "NONCE_TOO_FAR", "nonce 257 is too far ahead").await;
    it.refused_body(it.body(0), 400, "BAD_USER_INPUT", "the first nonce is 1").await;
    for nonce in [256, 512, 768] {
        let done = client(&it.node).submit(&input(&it.signed(it.body(nonce)))).await;
        assert_eq!(done["status"]["type"], "Success", "{done}");
    }
    let again = Body { memo: vec![1], ..it.body(768) };
    it.refused_body(again, 409, "NONCE_USED", "nonce 768 of acc1").await;
    // Never used, and more than the window of 512 below the highest.
    it.refused_body(it.body(200), 409, "NONCE_USED", "is used; the next free one is").await;
    it.refused_body(it.body(1_025), 422, "NONCE_TOO_FAR", "may use nonces up to 1024 now").await;
    let below = client(&it.node).submit(&input(&it.signed(it.body(300)))).await;
    assert_eq!(below["status"]["type"], "Success", "unused and inside the window: {below}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_transaction_is_refused() {
    let it = fixture("");
    let late = Body { valid_until: Some(Timestamp(1_000)), ..it.body(1) };
    it.refused_body(late, 422, "EXPIRED", "the transaction was valid until 1970-01-01T00:00:01.000Z").await;
    it.assert_unharmed(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_paid_is_refused() {
    let it = fixture("");
    let dear = Body { max_gas_price: Amount(u128::MAX), ..it.body(1) };
    it.refused_body(dear, 422, "INSUFFICIENT_FUNDS", "the gas limit times the price").await;
    let to = it.bob.address.parse().expect("an address");
    let much = Body { messages: vec![Message::Transfer { to, amount: Amount(u128::MAX) }], ..it.body(1) };
    it.refused_body(much, 422, "INSUFFICIENT_FUNDS", "what it transfers").await;
    let cheap = Body { max_gas_price: Amount(0), ..it.body(1) };
    it.refused_body(cheap, 422, "GAS_PRICE_TOO_LOW", "the transaction pays at most 0").await;
    let greedy = Body { gas_limit: rustorium_types::id::Gas(u64::MAX), ..it.body(1) };
    it.refused_body(greedy, 400, "BAD_USER_INPUT", "a transaction has at most 100000000 gas").await;
    it.assert_unharmed(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused() {
    let it = fixture("");
    let wasm = vec![0; limits::TRANSACTION_BYTES as usize];
    let heavy = Body { messages: vec![Message::StoreCode { wasm }], ..it.body(1) };
    it.refused_body(heavy, 413, "TOO_LARGE", "a transaction has at most 1114113 bytes on this chain").await;
    let talkative = Body { memo: vec![0; limits::MEMO_BYTES + 1], ..it.body(1) };
    it.refused_body(talkative, 413, "TOO_LARGE", "a memo has at most 256 bytes, this one has 257").await;
    let message = it.body(1).messages.remove(0);
    let many = Body { messages: vec![message; limits::MESSAGES + 1], ..it.body(1) };
    it.refused_body(many, 400, "BAD_USER_INPUT", "a transaction has 1 to 32 messages, this one has 33").await;
    it.refused_body(Body { messages: Vec::new(), ..it.body(1) }, 400, "BAD_USER_INPUT", "this one has 0").await;
    let one = input(&it.signed(it.body(1)));
    it.refused(&json!(vec![one; 1_001]), 413, "TOO_LARGE", "a submission has at most 1000 transactions").await;
    it.assert_unharmed(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trailing_bytes_are_refused() {
    let it = fixture("");
    for part in ["body", "auth"] {
        let mut signed = input(&it.signed(it.body(1)));
        signed[part] = format!("{}00", signed[part].as_str().expect("hex")).into();
        let said = format!("`{part}` is not the borsh encoding that it must be");
        it.refused(&signed, 400, "BAD_USER_INPUT", &said).await;
    }
    let mut bytes = it.signed(it.body(1)).to_bytes();
    bytes.push(0);
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/transactions", it.node.rest()))
        .header("content-type", "application/octet-stream")
        .body(bytes)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 400);
    let problem: Value = answer.json().await.expect("a problem");
    assert_eq!(problem["detail"], "transaction 1 is not the borsh encoding of a signed transaction");
    it.assert_unharmed(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_kinds_and_versions_are_refused() {
    let it = fixture("");
    let newer = Body { version: 2, ..it.body(1) };
    it.refused_body(newer, 400, "BAD_USER_INPUT", "transaction version 2 is unknown; this chain knows 1").await;

    let signed = input(&it.signed(it.body(1)));
    let mut kind = hex_bytes(&signed["body"]);
    // The message's kind is before its recipient (kind and 32 bytes) and its amount of 16.
    let at = kind.len() - 16 - 33 - 1;
    assert_eq!(kind[at], 0, "a transfer");
    kind[at] = 99;
    let message = json!({ "body": hex_text(&kind), "auth": signed["auth"] });
    it.refused(&message, 400, "BAD_USER_INPUT", "`body` is not the borsh encoding").await;
    let mut auth = hex_bytes(&signed["auth"]);
    auth[0] = 9;
    let authorisation = json!({ "body": signed["body"], "auth": hex_text(&auth) });
    it.refused(&authorisation, 400, "BAD_USER_INPUT", "`auth` is not the borsh encoding").await;
    let unasked = json!({ "body": signed["body"], "auth": signed["auth"], "feePayerAuth": signed["auth"] });
    it.refused(&unasked, 400, "BAD_USER_INPUT", "or signed without being named").await;
    let misspelt = json!({ "body": signed["body"], "auth": signed["auth"], "feePayerauth": "0x" });
    it.refused(&misspelt, 400, "BAD_USER_INPUT", "feePayerauth").await;
    it.assert_unharmed(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_nonce_window_is_refused_until_it_moves() {
    // After its first blocks the node makes none for ten minutes, unless it is told to.
    let it = fixture("[chain]\nblock_time_ms = 600000\n");
    let chain = client(&it.node);
    it.run_by_command(1).await;
    let window: Vec<Value> = (2..=257).map(|nonce| input(&it.signed(it.body(nonce)))).collect();
    let (status, answers) = chain.post("/v1/transactions?wait=accepted", &json!(window)).await;
    assert_eq!(status, 200);
    let pending = answers.as_array().expect("an answer each").iter();
    assert_eq!(pending.filter(|answer| answer["status"]["type"] == "Pending").count(), 256, "{answers}");

    it.refused_body(it.body(258), 422, "NONCE_TOO_FAR", "may use nonces up to 257 now").await;
    let rival = Body { memo: vec![1], ..it.body(9) };
    it.refused_body(rival, 409, "NONCE_USED", "which is accepted and not yet executed").await;
    // The window is alice's; others are not concerned.
    let (_, answer) = chain
        .post("/v1/transactions?wait=accepted", &input(&sign(&it.node, &it.bob, body(&it.node, &it.bob, 1, &it.alice))))
        .await;
    assert_eq!(answer["status"]["type"], "Pending", "{answer}");
    assert_eq!(chain.post("/v1/dev/control", &json!({ "mine": {} })).await.0, 200);
    let (status, answer) = chain.post("/v1/transactions?wait=accepted", &input(&it.signed(it.body(258)))).await;
    assert_eq!((status.as_u16(), &answer["status"]["type"]), (202, &json!("Pending")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_under_way_are_told_when_to_come_again() {
    let it = fixture("[chain]\nblock_time_ms = 600000\n[admission]\npending_per_sender = 3\n");
    let chain = client(&it.node);
    it.run_by_command(1).await;
    for nonce in 2..=4 {
        let (status, answer) = chain.post("/v1/transactions?wait=accepted", &input(&it.signed(it.body(nonce)))).await;
        assert_eq!(status.as_u16(), 202, "{answer}");
    }
    let one = input(&it.signed(it.body(5)));
    let said = "the sender has as many transactions under way as it may";
    let problem = it.refused(&one, 429, "RATE_LIMITED", said).await;
    assert_eq!(problem["retryAfterMs"], 1_000);
    let response = reqwest::Client::new().post(format!("{}/v1/transactions", it.node.rest())).json(&one).send().await;
    assert_eq!(response.expect("an answer").headers()["retry-after"], "1");
    // The same in a batch and in GraphQL.
    let (_, answers) = chain.post("/v1/transactions", &json!([one])).await;
    assert_eq!(
        (&answers[0]["code"], &answers[0]["retryAfterMs"]),
        (&json!("RATE_LIMITED"), &json!(1_000)),
        "{answers}"
    );
    let query = "mutation($one: SignedInput!) { submit(transactions: [$one]) { code retryAfterMs } }";
    let answer = chain.graphql(query, json!({ "one": one })).await;
    assert_eq!(answer["submit"][0], json!({ "code": "RATE_LIMITED", "retryAfterMs": 1_000 }));
}
