//! What an error on a lane says about its records: a function of the error, the position, and what the broker has.

use rdkafka::types::RDKafkaErrorCode as Code;

use super::Event;
use crate::{
    broker_error::BrokerError,
    shard::{Bounds, Offset, Shard},
};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing: the client library goes on by itself once it can.
    Passing,
    /// The position was out of reach for a moment.
    Again,
    /// The broker has no such topic.
    Gone,
    /// The broker does not have the position.
    Stop(Stopped),
    /// Records below the position were replaced.
    Rewritten,
    /// Anything else.
    Unreadable,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    Truncated(Offset),
    Shrunk(Offset),
}

impl Stopped {
    pub(super) const fn event(self, shard: Shard, position: Offset) -> Event {
        match self {
            Self::Truncated(low) => Event::Truncated { shard, position, low },
            Self::Shrunk(high) => Event::Shrunk { shard, position, high },
        }
    }
}

/// Judges an error; `bounds` asks the broker, and is only called if it matters.
pub(super) fn judge(
    error: BrokerError,
    position: Offset,
    bounds: impl FnOnce() -> Result<Bounds, BrokerError>,
) -> Verdict {
    match error.0 {
        Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::LogTruncation => match bounds() {
            Ok(bounds) if position < bounds.low => Verdict::Stop(Stopped::Truncated(bounds.low)),
            Ok(bounds) if position > bounds.high => Verdict::Stop(Stopped::Shrunk(bounds.high)),
            Ok(_) if error.0 == Code::LogTruncation => Verdict::Rewritten,
            Err(error) if error.is_topic_gone() => Verdict::Gone,
            Ok(_) | Err(_) => Verdict::Again,
        },
        _ if error.is_topic_gone() => Verdict::Gone,
        _ if error.is_unavailable() => Verdict::Passing,
        _ => Verdict::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_judged_by_what_the_broker_has() {
        let has = |low, high| move || Ok(Bounds { low: Offset(low), high: Offset(high) });
        let lost = BrokerError(Code::AutoOffsetReset);
        assert_eq!(judge(lost, Offset(4), has(5, 9)), Verdict::Stop(Stopped::Truncated(Offset(5))));
        assert_eq!(judge(lost, Offset(10), has(5, 9)), Verdict::Stop(Stopped::Shrunk(Offset(9))));
        for inside in [5, 7, 9] {
            assert_eq!(judge(lost, Offset(inside), has(5, 9)), Verdict::Again);
        }
        let rewritten = BrokerError(Code::LogTruncation);
        assert_eq!(judge(rewritten, Offset(7), has(5, 9)), Verdict::Rewritten);
        assert_eq!(judge(rewritten, Offset(10), has(5, 9)), Verdict::Stop(Stopped::Shrunk(Offset(9))));
    }

    #[test]
    fn a_broker_that_is_away_says_nothing_about_records() {
        let away = BrokerError(Code::AllBrokersDown);
        assert_eq!(judge(away, Offset(1), || unreachable!("not asked")), Verdict::Passing);
        assert_eq!(judge(BrokerError(Code::AutoOffsetReset), Offset(1), || Err(away)), Verdict::Again);
        let gone = BrokerError(Code::UnknownTopicOrPartition);
        assert_eq!(judge(gone, Offset(1), || unreachable!("not asked")), Verdict::Gone);
        assert_eq!(judge(BrokerError(Code::OffsetOutOfRange), Offset(1), || Err(gone)), Verdict::Gone);
        let refused = BrokerError(Code::TopicAuthorizationFailed);
        assert_eq!(judge(refused, Offset(1), || unreachable!("not asked")), Verdict::Unreadable);
    }
}
