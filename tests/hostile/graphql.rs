//! Queries made to be dear: refused by their shape, before anything is read for them.

use serde_json::{Value, json};

use super::client;
use crate::dev_node::DevNode;

/// The code and the sentence of a query's first error, and the status.
async fn refusal(node: &DevNode, body: &Value) -> (u16, String, String) {
    let (status, answer) = client(node).post("/graphql", body).await;
    let error = &answer["errors"][0];
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("not refused: {answer}")).to_owned();
    (status.as_u16(), text(&error["extensions"]["code"]), text(&error["message"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn dear_queries_are_refused_by_their_shape() {
    let node = DevNode::configured("");
    let deep = (0..20).fold("id".to_owned(), |inner, _| format!("chain {{ {inner} }}"));
    let nested = (0..200).fold("id".to_owned(), |inner, _| format!("chain {{ {inner} }}"));
    let wide: String =
        (0..60).map(|n| format!("a{n}: events(filter: {{}}, first: 100) {{ nodes {{ name raw cursor }} }} ")).collect();
    let aliased: String = (0..60_000).map(|n| format!("a{n}:__typename ")).collect();
    let doubling: String = (0..40).map(|n| format!("fragment f{n} on Query {{...f{0} ...f{0}}} ", n + 1)).collect();
    let directives = " @include(if: true)".repeat(20_000);
    for (query, code, said) in [
        (format!("{{ {deep} }}"), "QUERY_TOO_COMPLEX", "nested too deep"),
        (format!("{{ {nested} }}"), "QUERY_TOO_COMPLEX", "recursion"),
        (format!("{{ {wide} }}"), "QUERY_TOO_COMPLEX", "too complex"),
        (format!("{{ {aliased} }}"), "QUERY_TOO_COMPLEX", "more than 50000 fields"),
        (
            format!("{{ ...f0 }} {doubling} fragment f40 on Query {{ chain {{ id }} }}"),
            "QUERY_TOO_COMPLEX",
            "fragments written out",
        ),
        ("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".into(), "QUERY_TOO_COMPLEX", "spread"),
        ("{ ...a } fragment a on Query { ...a }".into(), "QUERY_TOO_COMPLEX", "spread each other"),
        (
            "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }".into(),
            "QUERY_TOO_COMPLEX",
            "lists in lists",
        ),
        (format!("{{ chain {{ id{directives} }} }}"), "QUERY_TOO_COMPLEX", "directives"),
        ("{ ...nowhere }".into(), "BAD_USER_INPUT", "nowhere"),
        ("{ chain { id ".into(), "BAD_USER_INPUT", ""),
        ("{".repeat(100_000), "BAD_USER_INPUT", ""),
    ] {
        let (status, refused, message) = refusal(&node, &json!({ "query": query })).await;
        assert_eq!((status, refused.as_str()), (200, code), "{message}: {}", &query[..query.len().min(100)]);
        assert!(message.contains(said), "`{message}` does not say `{said}`");
    }
    let answer = client(&node).graphql("{ chain { dev } }", json!({})).await;
    assert_eq!(answer["chain"]["dev"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_of_queries_and_other_bodies_are_refused() {
    let node = DevNode::configured("");
    let query = json!({ "query": "{ chain { id } }" });
    let mut variable = json!(1);
    for _ in 0..100 {
        variable = json!([variable]);
    }
    for body in [json!(vec![query; 1_000]), json!("{ chain { id } }"), json!({ "query": 1 }), json!(null)] {
        let (status, code, message) = refusal(&node, &body).await;
        assert_eq!((status, code.as_str()), (400, "BAD_USER_INPUT"), "{message}");
        assert!(message.contains("the body is no GraphQL request"), "{message}");
    }
    let large = json!({
        "query": "query($filter: EventFilter!) { events(filter: $filter) { nodes { name } } }",
        "variables": { "filter": { "name": "x".repeat(1 << 20), "where": variable } },
    });
    assert_eq!(refusal(&node, &large).await.1, "BAD_USER_INPUT");
    let (status, answer) =
        client(&node).get("/graphql?query=mutation%7Bsubmit(transactions%3A%5B%5D)%7Bhash%7D%7D").await;
    assert_eq!((status.as_u16(), &answer["errors"][0]["message"]), (400, &json!("a mutation is sent by POST")));
    assert_eq!(client(&node).graphql("{ chain { dev } }", json!({})).await["chain"]["dev"], true);
}
