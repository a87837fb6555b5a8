//! What a node counts and measures, for Prometheus.
//!
//! Names start with `rustorium_`, units are base units, counters end in `_total`; labels are few and closed
//! (never an address, which would make a series for each). What the chain measures is read when asked for, so that
//! the path of a transaction pays only for what it alone can know.

use std::{borrow::Cow, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};
use rustorium_chain::metrics as chain;
use rustorium_types::code::Code;

mod classic;

pub(crate) use classic::classic;

const PREFIX: &str = "rustorium";

/// Upper bounds of buckets, in seconds: from a cached answer to a request that waits.
const SECONDS: [f64; 14] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProblemLabels {
    interface: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabels {
    stream: &'static str,
}

/// How a transaction ended, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failure,
    Dropped,
    NoOp,
}

/// The registry and the handles of what the node itself counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    refusals: Family<CodeLabels, Counter>,
    problems: Family<ProblemLabels, Counter>,
    connections: Connections,
    transactions: Family<OutcomeLabels, Counter>,
    execution_seconds: Histogram,
    block_seconds: Histogram,
    events: Counter,
    subscribers: Family<StreamLabels, Gauge>,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix(PREFIX),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            refusals: Family::default(),
            problems: Family::default(),
            connections: Connections::default(),
            transactions: Family::default(),
            execution_seconds: seconds(),
            block_seconds: seconds(),
            events: Counter::default(),
            subscribers: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let Self { registry, .. } = self;
        registry.register("build", "The node's version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("http_requests", "Requests by route, method and status", self.requests.clone());
        let unit = || Unit::Seconds;
        registry.register_with_unit("http_request", "Until the answer's head", unit(), self.request_seconds.clone());
        registry.register("admission_refusals", "Transactions refused, by code", self.refusals.clone());
        registry.register("problems", "Requests refused, by interface and code", self.problems.clone());
        let Connections { open, unseated } = &self.connections;
        registry.register("http_connections", "Open connections, WebSockets aside", open.clone());
        let help = "Idle connections that were closed to make room";
        registry.register("http_connections_unseated", help, unseated.clone());
        registry.register("transactions", "Transactions by how they ended", self.transactions.clone());
        let execution = self.execution_seconds.clone();
        registry.register_with_unit("transaction_execution", "Executing a transaction", unit(), execution);
        let block = self.block_seconds.clone();
        registry.register_with_unit("block_execution", "Executing a block, roots included", unit(), block);
        registry.register("events", "Events that contracts emitted", self.events.clone());
        registry.register("subscribers", "Open subscriptions by stream", self.subscribers.clone());
    }

    /// Counts an answered request.
    pub(crate) fn request(&self, route: &str, method: &str, status: u16, elapsed: Duration) {
        let labels = RequestLabels { route: route.to_owned(), method: method_label(method), status };
        self.requests.get_or_create(&labels).inc();
        self.request_seconds.get_or_create(&RouteLabels { route: route.to_owned() }).observe(elapsed.as_secs_f64());
    }

    /// Counts a refused transaction.
    pub(crate) fn refused(&self, code: Code) {
        self.refusals.get_or_create(&CodeLabels { code: code.text() }).inc();
    }

    /// Counts a request that was refused, transactions among them.
    pub(crate) fn problem(&self, interface: &'static str, code: Code) {
        self.problems.get_or_create(&ProblemLabels { interface, code: code.text() }).inc();
    }

    /// What counts connections.
    pub(crate) fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// Counts what became of a transaction.
    pub(crate) fn transaction(&self, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Dropped => "dropped",
            Outcome::NoOp => "no_op",
        };
        self.transactions.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Measures a block: a transaction's share is its mean.
    pub(crate) fn block(&self, execution: Duration, transactions: usize, events: usize) {
        self.block_seconds.observe(execution.as_secs_f64());
        self.events.inc_by(events as u64);
        let mean = execution.as_secs_f64() / transactions.max(1) as f64;
        for _ in 0..transactions {
            self.execution_seconds.observe(mean);
        }
    }

    /// Counts a subscription until the answer is dropped.
    pub(crate) fn subscriber(&self, stream: &'static str) -> Subscriber {
        let gauge = self.subscribers.get_or_create(&StreamLabels { stream }).clone();
        gauge.inc();
        Subscriber(gauge)
    }

    /// OpenMetrics text: what was counted, and figures of this moment.
    pub(crate) fn text(&self, figures: Vec<Figure>) -> Result<String, std::fmt::Error> {
        let mut now = Registry::with_prefix(PREFIX);
        now.register_collector(Box::new(Figures(figures)));
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &now)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// A figure that somebody else keeps, read when metrics are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) value: Value,
}

/// What a figure is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// It rises and falls.
    Gauge(u64),
    /// The same, one for each value of a label.
    Gauges(&'static str, Vec<(Cow<'static, str>, u64)>),
    /// Bytes, which rise and fall.
    Bytes(u64),
    /// It only rises.
    Counter(u64),
    /// The same, one for each value of a label.
    Counters(&'static str, Vec<(Cow<'static, str>, u64)>),
    /// Times, which rise and fall, one for each value of a label.
    Durations(&'static str, Vec<(Cow<'static, str>, Duration)>),
    /// Times, one distribution for each value of a label.
    Times(&'static str, Vec<(&'static str, Measured)>),
    /// Counts, one distribution for each value of a label.
    Counts(&'static str, Vec<(&'static str, Measured)>),
}

/// What a histogram of the chain has counted.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    buckets: Vec<(u64, u64)>,
    sum: u64,
}

impl From<&chain::Histogram> for Measured {
    fn from(histogram: &chain::Histogram) -> Self {
        Self { buckets: histogram.buckets(), sum: histogram.sum() }
    }
}

/// Microseconds of a second.
const MICROSECONDS: f64 = 1_000_000.0;

#[derive(Debug)]
struct Figures(Vec<Figure>);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for Figure { name, help, value } in &self.0 {
            let gauge = |value: u64| ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            match value {
                Value::Gauge(value) => {
                    let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                    gauge(*value).encode(encoder)?;
                }
                Value::Gauges(label, values) => {
                    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                    for (of, value) in values {
                        let labels = [(*label, &**of)];
                        gauge(*value).encode(family.encode_family(&labels)?)?;
                    }
                }
                Value::Bytes(value) => {
                    let encoder = encoder.encode_descriptor(name, help, Some(&Unit::Bytes), MetricType::Gauge)?;
                    gauge(*value).encode(encoder)?;
                }
                Value::Counter(value) => {
                    let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    ConstCounter::new(*value).encode(encoder)?;
                }
                Value::Counters(label, values) => {
                    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    for (of, value) in values {
                        let labels = [(*label, &**of)];
                        ConstCounter::new(*value).encode(family.encode_family(&labels)?)?;
                    }
                }
                Value::Durations(label, values) => {
                    let unit = Some(&Unit::Seconds);
                    let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
                    for (of, time) in values {
                        let labels = [(*label, &**of)];
                        ConstGauge::new(time.as_secs_f64()).encode(family.encode_family(&labels)?)?;
                    }
                }
                Value::Times(label, values) => {
                    let unit = Some(&Unit::Seconds);
                    let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Histogram)?;
                    for (of, measured) in values {
                        let labels = [(*label, *of)];
                        let mut encoder = family.encode_family(&labels)?;
                        measured.encode(&mut encoder, MICROSECONDS)?;
                    }
                }
                Value::Counts(label, values) => {
                    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
                    for (of, measured) in values {
                        let labels = [(*label, *of)];
                        let mut encoder = family.encode_family(&labels)?;
                        measured.encode(&mut encoder, 1.0)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Measured {
    /// In a unit that so many of the histogram's own make.
    fn encode(
        &self,
        encoder: &mut prometheus_client::encoding::MetricEncoder<'_>,
        unit: f64,
    ) -> Result<(), std::fmt::Error> {
        let bound = |bound: u64| if bound == u64::MAX { f64::INFINITY } else { bound as f64 / unit };
        let buckets: Vec<_> = self.buckets.iter().map(|(upper, count)| (bound(*upper), *count)).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(self.sum as f64 / unit, count, &buckets, None)
    }
}

/// Counts connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections {
    open: Gauge,
    unseated: Counter,
}

impl Connections {
    /// One was taken.
    pub(crate) fn opened(&self) {
        self.open.inc();
    }

    /// One ended.
    pub(crate) fn closed(&self) {
        self.open.dec();
    }

    /// One was asked to make room.
    pub(crate) fn unseated(&self) {
        self.unseated.inc();
    }
}

/// An open subscription; dropping it counts it out.
#[derive(Debug)]
pub(crate) struct Subscriber(Gauge);

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Methods are text of the client's choice; a label is one of few.
fn method_label(method: &str) -> &'static str {
    ["GET", "POST", "HEAD", "OPTIONS"].into_iter().find(|known| *known == method).unwrap_or("other")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let metrics = Metrics::default();
        metrics.request("/v1/status", "GET", 200, Duration::from_millis(3));
        metrics.refused(Code::NonceUsed);
        metrics.transaction(Outcome::Success);
        metrics.block(Duration::from_millis(4), 2, 1);
        let subscriber = metrics.subscriber("events");
        let synced = Measured { buckets: vec![(250_000, 0), (500_000, 1), (u64::MAX, 0)], sum: 500_000 };
        let text = metrics
            .text(vec![
                Figure { name: "consensus_height", help: "Height", value: Value::Gauge(7) },
                Figure { name: "cache_hits", help: "Hits", value: Value::Counter(5) },
                Figure { name: "log_size", help: "Log", value: Value::Bytes(9) },
                Figure {
                    name: "queue_records",
                    help: "Queues",
                    value: Value::Gauges("queue", vec![("log".into(), 3)]),
                },
                Figure {
                    name: "log_broker_round_trip",
                    help: "Round trip",
                    value: Value::Durations("of", vec![("p99".into(), Duration::from_micros(1_500))]),
                },
                Figure { name: "stage", help: "Stages", value: Value::Times("stage", vec![("sync", synced)]) },
            ])
            .unwrap();
        for line in [
            "rustorium_consensus_height 7",
            "rustorium_log_size_bytes 9",
            "rustorium_queue_records{queue=\"log\"} 3",
            "rustorium_log_broker_round_trip_seconds{of=\"p99\"} 0.0015",
            "rustorium_stage_seconds_sum{stage=\"sync\"} 0.5",
            "rustorium_stage_seconds_bucket{le=\"0.25\",stage=\"sync\"} 0",
            "rustorium_stage_seconds_bucket{le=\"0.5\",stage=\"sync\"} 1",
            "rustorium_stage_seconds_bucket{le=\"+Inf\",stage=\"sync\"} 1",
            "rustorium_cache_hits_total 5",
            "rustorium_http_requests_total{route=\"/v1/status\",method=\"GET\",status=\"200\"} 1",
            "rustorium_admission_refusals_total{code=\"NONCE_USED\"} 1",
            "rustorium_transactions_total{outcome=\"success\"} 1",
            "rustorium_transaction_execution_seconds_count 2",
            "rustorium_events_total 1",
            "rustorium_subscribers{stream=\"events\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        drop(subscriber);
        let text = metrics.text(Vec::new()).unwrap();
        assert!(text.contains("rustorium_subscribers{stream=\"events\"} 0"));
        assert!(text.ends_with("# EOF\n"));
    }
}
