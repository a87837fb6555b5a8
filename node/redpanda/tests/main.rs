//! The lanes against two kinds of broker: librdkafka's own mock for faults that a real one has only by chance
//! (`mock`), and Apache Kafka, started by `tests/setup/broker.sh`, for everything else (`real`).
//!
//! The broker is started once, when the first test asks for it, and stopped when this process is gone. No test counts
//! on how long something takes: each waits for what must come, and gives up only long after it should have.

#![expect(clippy::unwrap_used, reason = "tests")]

mod cluster;
mod lane;
mod mock;
mod real;
