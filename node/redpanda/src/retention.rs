//! Giving room back: records below a position are deleted once a quorum has finalised and kept them.
//!
//! Nothing is deleted by age or size (the topics' retention is unlimited); only this does, and only where it is told.

use rdkafka::{
    TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    topic_partition_list,
    types::RDKafkaErrorCode,
};
use thiserror::Error;

use crate::{broker_error::BrokerError, link::Link, shard::Offset, wait::block_on};

/// Why records are not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// No broker answered; nothing is lost by trying again.
    #[error("no broker answered: {0}")]
    Unavailable(BrokerError),
    /// The lane does not reach so far.
    #[error("topic {topic} has no records up to {below}: nothing was deleted")]
    BeyondEnd {
        /// The topic.
        topic: String,
        /// The position.
        below: Offset,
    },
    /// The broker does not do it: an ACL, for one.
    #[error("the broker refuses to delete records of topic {topic}: {error}")]
    Refused {
        /// The topic.
        topic: String,
        /// Why.
        error: BrokerError,
    },
}

/// Deletes what is below a position. Returns the first offset that is left.
pub(crate) fn delete_below(
    admin: &AdminClient<Link>,
    topic: &str,
    below: Offset,
    timeout: std::time::Duration,
) -> Result<Offset, RetentionError> {
    let classify = |error: BrokerError| match error.0 {
        RDKafkaErrorCode::OffsetOutOfRange => RetentionError::BeyondEnd { topic: topic.to_owned(), below },
        _ if error.is_unavailable() => RetentionError::Unavailable(error),
        _ => RetentionError::Refused { topic: topic.to_owned(), error },
    };
    let mut offsets = TopicPartitionList::new();
    let offset = topic_partition_list::Offset::Offset(below.native());
    offsets.add_partition_offset(topic, 0, offset).map_err(|error| classify(BrokerError::of(&error)))?;
    let options = AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout));
    let deleted = block_on(admin.delete_records(&offsets, &options));
    let deleted = deleted.map_err(|error| classify(BrokerError::of(&error)))?;
    let nothing = || classify(BrokerError(RDKafkaErrorCode::Fail));
    let elements = deleted.elements();
    let lane = elements.first().ok_or_else(nothing)?;
    lane.error().map_err(|error| classify(BrokerError::of(&error)))?;
    match lane.offset() {
        topic_partition_list::Offset::Offset(low) => Ok(Offset::from_native(low)),
        _ => Err(nothing()),
    }
}
