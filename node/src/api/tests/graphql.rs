//! GraphQL over HTTP, and the schema itself.

use std::collections::BTreeMap;

use async_graphql::parser::{
    parse_schema,
    types::{ServiceDocument, TypeKind, TypeSystemDefinition},
};
use serde_json::{Value, json};

use super::harness::{Running, alice, bob};

/// The core that was decided: names and shapes that clients rely on.
const DECIDED: &str = include_str!("../graphql/core.graphql");

/// Members of each type: fields as `name(arguments): type`, values, members of unions.
fn members(document: ServiceDocument) -> BTreeMap<String, Vec<String>> {
    let mut types = BTreeMap::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let definition = definition.node;
        let field = |field: &async_graphql::parser::types::FieldDefinition| {
            let mut all = vec![format!("{}: {}", field.name.node, field.ty.node)];
            for argument in &field.arguments {
                let argument = &argument.node;
                let default = argument.default_value.as_ref().map(|default| format!(" = {}", default.node));
                let default = default.unwrap_or_default();
                all.push(format!("{}({}: {}{default})", field.name.node, argument.name.node, argument.ty.node));
            }
            all
        };
        let members = match &definition.kind {
            TypeKind::Scalar => vec![],
            TypeKind::Object(object) => {
                let implements = object.implements.iter().map(|name| format!("implements {}", name.node));
                implements.chain(object.fields.iter().flat_map(|known| field(&known.node))).collect()
            }
            TypeKind::Interface(interface) => interface.fields.iter().flat_map(|known| field(&known.node)).collect(),
            TypeKind::Union(union) => union.members.iter().map(|name| name.node.to_string()).collect(),
            TypeKind::Enum(values) => values.values.iter().map(|value| value.node.value.to_string()).collect(),
            TypeKind::InputObject(input) => {
                input.fields.iter().map(|known| format!("{}: {}", known.node.name.node, known.node.ty.node)).collect()
            }
        };
        types.insert(definition.name.node.to_string(), members);
    }
    types
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_has_everything_that_was_decided() {
    let schema = async_graphql::Schema::build(
        super::super::graphql::query::Query,
        super::super::graphql::mutation::Mutation,
        super::super::graphql::subscription::Subscription,
    )
    .finish();
    let ours = members(parse_schema(schema.sdl()).unwrap());
    for (name, decided) in members(parse_schema(DECIDED).unwrap()) {
        let known = ours.get(&name).unwrap_or_else(|| panic!("type {name} is missing"));
        for member in decided {
            assert!(known.contains(&member), "{name} has no `{member}`; it has {known:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_query_reads_everything_of_a_contract() {
    let node = Running::start().await;
    let contract = node.deploy().await;
    node.add(&contract, 7).await;
    let query = "query($contract: Address!, $bob: Address!) {
        chain { id genesisHash head { height stateRoot } certifiedHeight availableRange { from to } gasPrice }
        account(address: $bob) { balance nonceNext transactions { nodes { hash } } proof { height bytes } }
        contract(address: $contract) {
            label code { size abi }
            view(name: \"get\") { value height }
            verified: view(name: \"get\") { value witness { codes header { height } certifier { height } } }
            state(field: \"count\") { value raw proof { path } }
        }
        events(filter: { contract: $contract, name: \"Added\", where: [{ field: \"amount\", value: \"7\" }] }) {
            edges { cursor node { name fields } } pageInfo { hasNextPage } availableRange { to }
        }
        block { header { height } transactions { nodes { messages { __typename index } } } }
    }";
    let answer = node.query(query, json!({ "contract": contract, "bob": bob().address.to_string() })).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    let data = &answer["data"];
    assert_eq!(data["contract"]["view"]["value"], "7");
    assert_eq!(data["contract"]["verified"]["value"], "7");
    assert_eq!(data["contract"]["verified"]["witness"]["codes"].as_array().unwrap().len(), 1);
    assert_eq!(data["contract"]["state"]["value"], "7");
    assert_eq!(data["events"]["edges"][0]["node"]["fields"]["total"], "7");
    assert!(answer["extensions"]["cost"]["complexity"].as_u64().unwrap() > 100, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_submits_and_errors_have_codes() {
    let node = Running::start().await;
    let contract = node.deploy().await;
    let add = json!([{ "call": { "contract": contract, "method": "add", "args": { "amount": "101" } } }]);
    let signed = node.signed(&alice(), add).await;
    let query = "mutation($signed: SignedInput!) { submit(transactions: [$signed], wait: CERTIFIED) {
        hash code status { __typename ... on Failure { error { name fields path { method } } receipt { fee proof } } }
    } }";
    let answer = node.query(query, json!({ "signed": signed })).await;
    let status = &answer["data"]["submit"][0]["status"];
    assert_eq!(status["error"]["name"], "TooMuch", "{answer}");
    assert!(status["receipt"]["proof"].is_string(), "a failure is proven like a success: {answer}");

    let code = |answer: &Value| answer["errors"][0]["extensions"]["code"].clone();
    assert_eq!(code(&node.query("{ nothing }", json!({})).await), "BAD_USER_INPUT");
    let wrong = format!("{{ contract(address: \"{contract}\") {{ view(name: \"none\") {{ value }} }} }}");
    assert_eq!(code(&node.query(&wrong, json!({})).await), "UNKNOWN_METHOD");
    let deep = (0..20).fold("id".to_owned(), |inner, _| format!("chain {{ {inner} }}"));
    assert_eq!(code(&node.query(&format!("{{ {deep} }}"), json!({})).await), "QUERY_TOO_COMPLEX");
    let wide: String = (0..50)
        .map(|index| format!("a{index}: events(filter: {{}}, first: 100) {{ nodes {{ name raw cursor height }} }} "))
        .collect();
    assert_eq!(code(&node.query(&format!("{{ {wide} }}"), json!({})).await), "QUERY_TOO_COMPLEX");
    let page = "{ events(filter: {}, first: 101) { nodes { name } } }";
    assert_eq!(code(&node.query(page, json!({})).await), "BAD_USER_INPUT");
    assert!(node.text(&node.url("/graphql")).await.contains("</html>"));
    let by_get = node.text(&node.url("/graphql?query=%7Bchain%7Bdev%7D%7D")).await;
    assert_eq!(serde_json::from_str::<Value>(&by_get).unwrap()["data"]["chain"]["dev"], true);
}
