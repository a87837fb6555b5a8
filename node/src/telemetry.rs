//! What the node says of itself while it runs: log lines on stderr, and spans to a collector.
//!
//! Both come from the same `tracing` spans. A request's span has its id, a transaction's its hash and height, and the
//! stages' the height of the block or the number of records that they work on. So the path of one transaction is
//! `request ─ transaction`, and the stages `execute`, `root`, `publish` of its height.
//!
//! The collector is off unless `telemetry.otlp_endpoint` names one: then spans down to those of the stages are sent by
//! OTLP over HTTP, in batches, from a thread of its own. A collector that does not answer costs spans, never a block.

use std::{io::IsTerminal, time::Duration};

use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use thiserror::Error;
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogFormat, Telemetry};

/// For a collector to answer.
const COLLECTOR_TIMEOUT: Duration = Duration::from_secs(5);
/// For what is left to be sent when the node stops: part of its five seconds.
const LAST_SPANS: Duration = Duration::from_millis(500);
/// The spans that are sent.
const SPANS: &str = "rustorium=debug";

/// Why spans cannot be sent.
#[derive(Debug, Error)]
#[error("spans cannot be sent to `telemetry.otlp_endpoint`: {0}")]
pub(crate) struct TelemetryError(String);

/// Sends the last spans when dropped.
#[derive(Debug)]
pub(crate) struct Collecting(Option<SdkTracerProvider>);

/// Starts to write log lines to stderr, and to send spans if a collector is named. On a tokio runtime.
pub(crate) fn start(verbosity: u8, telemetry: &Telemetry) -> Result<Collecting, TelemetryError> {
    let mut layers = vec![log_lines(verbosity, telemetry.log_format)];
    let mut provider = None;
    if !telemetry.otlp_endpoint.is_empty() {
        let sending = sending(&telemetry.otlp_endpoint)?;
        let spans = tracing_opentelemetry::layer().with_tracer(sending.tracer("rustorium"));
        layers.push(spans.with_filter(EnvFilter::new(SPANS)).boxed());
        provider = Some(sending);
    }
    tracing_subscriber::registry().with(layers).init();
    Ok(Collecting(provider))
}

/// Starts to write log lines to stderr.
pub(crate) fn log_to_stderr(verbosity: u8) {
    tracing_subscriber::registry().with(log_lines(verbosity, LogFormat::Text)).init();
}

fn log_lines(verbosity: u8, format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let default = match verbosity {
        0 => "error",
        1 => "warn,rustorium=info",
        2 => "info,rustorium=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("RUST_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Json => lines.json().with_filter(filter).boxed(),
        LogFormat::Text => {
            let terminal = std::io::stderr().is_terminal();
            let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            lines.with_ansi(colour).with_filter(filter).boxed()
        }
    }
}

fn sending(endpoint: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let http = reqwest::Client::builder().timeout(COLLECTOR_TIMEOUT).no_proxy().build();
    let http = http.map_err(|error| TelemetryError(error.to_string()))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Collector { http, runtime: tokio::runtime::Handle::current() })
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(COLLECTOR_TIMEOUT)
        .build()
        .map_err(|error| TelemetryError(error.to_string()))?;
    let resource = Resource::builder().with_service_name("rustorium").build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())
}

/// Posts batches to the collector, on the node's runtime: the thread that makes them has none.
#[derive(Debug)]
struct Collector {
    http: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

#[async_graphql::async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let http = self.http.clone();
        let answered = self.runtime.spawn(async move {
            let response = http.execute(request).await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        });
        let (status, body) = answered.await??;
        Ok(Response::builder().status(status).body(body)?)
    }
}

impl Drop for Collecting {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take() {
            // A collector that is gone is no reason to stop any later.
            let _ = provider.shutdown_with_timeout(LAST_SPANS);
        }
    }
}
