//! What is said of the shared lanes to whoever watches the node.

use std::{borrow::Cow, time::Duration};

use rustorium_chain::metrics::Metrics;
use rustorium_redpanda::{Failures, LaneSnapshot, RoundTrip};

use super::Topics;
use crate::metrics::Value;

/// A figure: its name, what it is, and its value now.
type Row = (&'static str, &'static str, Value);

impl Topics {
    /// The lanes' figures now.
    pub(crate) fn figures(&self, chain: &Metrics) -> Vec<Row> {
        let snapshot = self.lanes.snapshot();
        let labelled = |rows: Vec<(&'static str, u64)>| -> Vec<(Cow<'static, str>, u64)> {
            rows.into_iter().map(|(label, value)| (label.into(), value)).collect()
        };
        let by_lane = |of: fn(&LaneSnapshot) -> Option<u64>| -> Vec<(Cow<'static, str>, u64)> {
            let known = snapshot.lanes.iter().filter_map(|lane| Some((lane.shard.to_string().into(), of(lane)?)));
            known.collect()
        };
        let aside = snapshot.lanes.iter().map(|lane| {
            let is_aside = self.standing.is_aside(lane.shard.0);
            (lane.shard.to_string().into(), u64::from(is_aside))
        });
        let aside: Vec<_> = aside.collect();
        let mut rows = vec![
            ("log_broker_up", "1 while a broker takes records", Value::Gauge(self.standing.is_up().into())),
            ("log_brokers_connected", "Brokers connected", Value::Gauge(snapshot.brokers_connected)),
            ("log_broker_acknowledged", "Records that the broker has", Value::Counter(snapshot.acknowledged)),
            (
                "log_broker_failures",
                "Records that the broker did not acknowledge",
                Value::Counters("reason", labelled(reasons(&snapshot.failed))),
            ),
            ("log_broker_queue_records", "Records that wait for the broker", Value::Gauge(snapshot.queued_records)),
            ("log_broker_queue_size", "Records that wait for the broker", Value::Bytes(snapshot.queued_bytes)),
            (
                "log_broker_contradictions",
                "What the broker said that does not fit what was read",
                Value::Counters("kind", labelled(self.standing.contradictions())),
            ),
            ("log_offered_records", "Not yet back from shared lanes", Value::Gauge(chain.offered_records.get())),
            ("log_returned_records", "Back from shared lanes", Value::Counter(chain.returned.get())),
            (
                "log_fallen_back_records",
                "Records that shared lanes did not bring back in time",
                Value::Counter(chain.fallen_back.get()),
            ),
            (
                "log_replaced_records",
                "Records of shared lanes in whose places final blocks had others",
                Value::Counter(chain.replaced.get()),
            ),
            ("log_lane_aside", "1 while a shared lane is set aside", Value::Gauges("lane", aside)),
            (
                "log_lane_position",
                "Where the next record of a lane is read",
                Value::Gauges("lane", by_lane(|lane| lane.position.map(|offset| offset.0))),
            ),
            (
                "log_lane_lag_records",
                "Records of a lane at the broker that are not read",
                Value::Gauges("lane", by_lane(|lane| lane.lag)),
            ),
            ("log_lane_records", "Records read of a lane", Value::Counters("lane", by_lane(|lane| Some(lane.records)))),
            (
                "log_lane_oversize_records",
                "Of them, those over the limit",
                Value::Counters("lane", by_lane(|lane| Some(lane.oversize))),
            ),
        ];
        if let Some(RoundTrip { mean, p99 }) = snapshot.round_trip {
            let times: Vec<(Cow<'static, str>, Duration)> = vec![("mean".into(), mean), ("p99".into(), p99)];
            rows.push(("log_broker_round_trip", "The slowest broker's answers", Value::Durations("of", times)));
        }
        rows
    }
}

fn reasons(failures: &Failures) -> Vec<(&'static str, u64)> {
    let Failures { queue_full, too_large, unavailable, timed_out, fenced, refused, stopped } = *failures;
    vec![
        ("queue_full", queue_full),
        ("too_large", too_large),
        ("unavailable", unavailable),
        ("timed_out", timed_out),
        ("fenced", fenced),
        ("refused", refused),
        ("stopped", stopped),
    ]
}
