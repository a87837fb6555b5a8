//! A node can be watched: metrics that Prometheus' own tool accepts, a dashboard that asks only for what exists, log
//! lines in JSON, and spans that a collector receives.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    trace::v1::Span,
};
use prost::Message;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    chain_client::{ChainClient, account},
    dev_node::DevNode,
};

const DASHBOARD: &str = include_str!("../docs/operations/grafana.json");

/// A node that has executed something, so that every metric has a value.
async fn busy(settings: &str) -> (DevNode, u64) {
    let node = DevNode::configured(settings);
    let chain = ChainClient::new(node.rest());
    let (alice, bob) = (account(&node, "alice"), account(&node, "bob"));
    let transfer = json!({ "messages": [{ "transfer": { "to": bob.address, "amount": "1" } }] });
    let signed = chain.sign(&alice, transfer).await;
    let (status, done) = chain.post("/v1/transactions?wait=certified", &signed).await;
    assert_eq!((status.as_u16(), &done["status"]["type"]), (200, &json!("Success")), "{done}");
    let mut forged = signed;
    forged["auth"] =
        format!("{}00", &forged["auth"].as_str().expect("hex")[..forged["auth"].as_str().expect("hex").len() - 2])
            .into();
    forged["body"] =
        chain.sign(&bob, json!({ "messages": [{ "transfer": { "to": bob.address, "amount": "1" } }] })).await["body"]
            .clone();
    assert_eq!(chain.post("/v1/transactions", &forged).await.0.as_u16(), 400);
    assert_eq!(chain.get("/v1/nothing").await.0.as_u16(), 404);
    let (_, answer) = chain.post("/graphql", &json!({ "query": "{ nothing }" })).await;
    assert!(answer["errors"].is_array());
    let height = done["status"]["receipt"]["height"].as_u64().expect("a height");
    (node, height)
}

/// Has Prometheus' own tool judge metrics.
pub(crate) fn assert_in_good_taste(text: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of Debian's package `prometheus`: `make setup` installs it");
    promtool.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    let checked = promtool.wait_with_output().expect("it ends");
    let said = [checked.stdout, checked.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(checked.status.success() && said.is_empty(), "{said}\n{text}");
}

async fn metrics(node: &DevNode, accept: Option<&str>) -> (String, String) {
    let mut request = reqwest::Client::new().get(node.ready["metrics"].as_str().expect("a URL"));
    if let Some(accept) = accept {
        request = request.header("accept", accept);
    }
    let response = request.send().await.expect("metrics");
    let kind = response.headers()["content-type"].to_str().expect("text").to_owned();
    (kind, response.text().await.expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_own_tool_finds_nothing_wrong_with_the_metrics() {
    let (node, _) = busy("").await;
    let (kind, text) = metrics(&node, None).await;
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    assert_in_good_taste(&text);

    let (kind, text) = metrics(&node, Some("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")).await;
    assert!(kind.starts_with("application/openmetrics-text") && text.ends_with("# EOF\n"), "{kind}");
    for stage in ["verify", "append", "sync", "execute", "root", "publish", "commit"] {
        assert!(text.contains(&format!("rustorium_stage_seconds_count{{stage=\"{stage}\"}}")), "{stage} in {text}");
    }
    for code in ["interface=\"rest\",code=\"NOT_FOUND\"", "interface=\"graphql\",code=\"BAD_USER_INPUT\""] {
        assert!(text.contains(&format!("rustorium_problems_total{{{code}}} 1")), "{code} in {text}");
    }
}

/// The names of metrics that an expression asks for.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("rustorium_"))
}

fn expressions<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("expr").and_then(Value::as_str));
            object.values().for_each(|value| expressions(value, found));
        }
        Value::Array(array) => array.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_asks_only_for_metrics_that_exist() {
    let (node, _) = busy("").await;
    let (_, text) = metrics(&node, None).await;
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let existing: BTreeSet<_> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let mut asked = Vec::new();
    expressions(&dashboard, &mut asked);
    assert!(asked.len() >= 15, "{asked:?}");
    for expression in &asked {
        let mut named = names(expression).peekable();
        assert!(named.peek().is_some(), "`{expression}` asks for nothing of the node's");
        for name in named {
            assert!(existing.contains(name), "`{expression}` asks for {name}; there are {existing:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_json_where_that_is_asked_for() {
    let (node, _) = busy("[telemetry]\nlog_format = \"json\"\n").await;
    let genesis = node.genesis_hash().to_owned();
    let (_, log) = node.terminate_with_log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let ready = lines.iter().find(|line| line["fields"]["message"] == "ready").expect("a line when it is ready");
    assert_eq!((&ready["level"], &ready["fields"]["chain"]), (&json!("INFO"), &json!(genesis)));
    assert!(lines.iter().any(|line| line["fields"]["message"] == "stopped"), "{log}");
}

/// Takes what is exported, as an OpenTelemetry collector does, and answers that all is well.
async fn collect(listener: TcpListener, spans: Arc<Mutex<Vec<Span>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(receive(stream, Arc::clone(&spans)));
    }
}

async fn receive(mut stream: TcpStream, spans: Arc<Mutex<Vec<Span>>>) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            match bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break String::from_utf8_lossy(&bytes[..end + 4]).to_ascii_lowercase(),
                None if stream.read_buf(&mut bytes).await.ok()? == 0 => return None,
                None => {}
            }
        };
        assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        let end = head.len() + length.trim().parse::<usize>().ok()?;
        while bytes.len() < end {
            stream.read_buf(&mut bytes).await.ok()?;
        }
        let rest = bytes.split_off(end);
        let request = ExportTraceServiceRequest::decode(&bytes[head.len()..]).expect("spans in protobuf");
        bytes = rest;
        let received = request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
        spans.lock().expect("nobody panics").extend(received.flat_map(|scope| scope.spans));
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let value = |attribute: &KeyValue| match attribute.value.clone()?.value? {
        any_value::Value::StringValue(text) => Some(text),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    };
    span.attributes.iter().find(|attribute| attribute.key == key).and_then(value)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_receives_the_spans_of_a_transaction_s_path() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let spans = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn(collect(listener, Arc::clone(&spans)));
    let (node, height) = busy(&format!("[telemetry]\notlp_endpoint = \"http://{address}\"\n")).await;
    let ended = tokio::task::spawn_blocking(|| node.terminate_with_log()).await.expect("it ends");
    assert!(ended.0.success(), "{}", ended.1);

    let spans = spans.lock().expect("nobody panics");
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let transaction = named("transaction");
    let hash =
        transaction.iter().find_map(|span| attribute(span, "hash")).expect("the transaction's span has its hash");
    assert!(hash.starts_with("0x"), "{hash}");
    let request = named("request");
    let inside = transaction.iter().all(|span| request.iter().any(|request| request.span_id == span.parent_span_id));
    assert!(inside, "a transaction's span is inside its request's");
    assert!(transaction.iter().any(|span| attribute(span, "height") == Some(height.to_string())), "{transaction:?}");
    for stage in ["cut", "execute", "root", "publish"] {
        let of_height = |span: &&Span| attribute(span, "height") == Some(height.to_string());
        assert!(named(stage).iter().any(of_height), "{stage} of height {height}: {:?}", named(stage));
    }
    for stage in ["verify", "append", "sync", "commit"] {
        assert!(!named(stage).is_empty(), "{stage}");
    }
}

/// A collector that is not there costs nothing but the spans.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_stops_nothing() {
    let (node, _) = busy("[telemetry]\notlp_endpoint = \"http://127.0.0.1:1\"\n").await;
    let ended = tokio::task::spawn_blocking(|| node.terminate_with_log()).await.expect("it ends");
    assert!(ended.0.success(), "{}", ended.1);
}
