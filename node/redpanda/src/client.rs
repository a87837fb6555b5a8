//! From settings to the properties of librdkafka's clients: the one place that knows their names.

use rdkafka::{config::ClientConfig, error::KafkaError};

use crate::{
    settings::{Settings, SettingsError},
    topics::wanted::{MAX_MESSAGE_BYTES, RECORD_OVERHEAD_BYTES},
};

/// To wait with a record for others of its batch: a batch forms while the one before it is under way anyhow.
const LINGER_MS: &str = "1";
/// Bytes of a batch: enough for thousands of transfers, far below the record limit.
const BATCH_BYTES: &str = "262144";
/// To wait at the broker for a record where there is none. It bounds what a read lane adds to a transaction's time
/// when several lanes share a broker, one of them idle.
const FETCH_WAIT_MS: &str = "5";
/// To wait before reading on, once there is room again.
const ROOM_MS: &str = "5";
/// To wait before reading on after an error of the broker's.
const ERROR_MS: &str = "100";
/// To wait before connecting again: at first, and at the most.
const RECONNECT_MS: [&str; 2] = ["50", "1000"];
/// To take a topic that a broker does not know for one that was just made elsewhere; then it is gone.
const KNOWN_WITHIN_MS: &str = "3000";
/// A name that the library wants and we do not: no group is joined, nothing is committed to it. Brokers with ACLs are
/// asked who would coordinate it.
const GROUP: &str = "rustorium-lanes";
/// Bytes of an answer at the most: the largest message that a topic may admit, and what was read ahead beside it.
const ANSWER_BYTES: usize = MAX_MESSAGE_BYTES + (32 << 20);

fn base(settings: &Settings) -> Result<ClientConfig, SettingsError> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", settings.bootstrap())
        .set("client.id", "rustorium")
        .set("allow.auto.create.topics", "false")
        .set("topic.metadata.propagation.max.ms", KNOWN_WITHIN_MS)
        .set("socket.timeout.ms", settings.timeouts.request.as_millis().to_string())
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.ms", RECONNECT_MS[0])
        .set("reconnect.backoff.max.ms", RECONNECT_MS[1])
        .set("message.max.bytes", (settings.record_bytes + RECORD_OVERHEAD_BYTES).to_string())
        .set("receive.message.max.bytes", ANSWER_BYTES.to_string());
    settings.security.apply(&mut config)?;
    Ok(config)
}

/// One that asks and orders, and is dropped: nobody serves its log and statistics.
pub(crate) fn admin(settings: &Settings) -> Result<ClientConfig, SettingsError> {
    base(settings)
}

pub(crate) fn producer(settings: &Settings) -> Result<ClientConfig, SettingsError> {
    let mut config = base(settings)?;
    config
        .set("statistics.interval.ms", settings.timeouts.statistics.as_millis().to_string())
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", LINGER_MS)
        .set("batch.size", BATCH_BYTES)
        .set("message.timeout.ms", settings.timeouts.acknowledge.as_millis().to_string())
        .set("queue.buffering.max.messages", settings.queue_records.to_string())
        .set("queue.buffering.max.kbytes", (settings.queue_bytes / 1_024).to_string());
    Ok(config)
}

pub(crate) fn consumer(settings: &Settings) -> Result<ClientConfig, SettingsError> {
    let mut config = base(settings)?;
    config
        .set("statistics.interval.ms", settings.timeouts.statistics.as_millis().to_string())
        .set("group.id", GROUP)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_uncommitted")
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", FETCH_WAIT_MS)
        .set("fetch.queue.backoff.ms", ROOM_MS)
        .set("fetch.error.backoff.ms", ERROR_MS)
        .set("fetch.message.max.bytes", (settings.record_bytes + RECORD_OVERHEAD_BYTES).to_string())
        .set("queued.max.messages.kbytes", (settings.ahead_bytes / 1_024).to_string());
    Ok(config)
}

/// What librdkafka said to its properties.
pub(crate) fn refused(error: KafkaError) -> SettingsError {
    match error {
        KafkaError::ClientConfig(_, reason, name, _) => SettingsError::Refused { name, reason },
        other => SettingsError::Refused { name: "to start".to_owned(), reason: other.to_string() },
    }
}
