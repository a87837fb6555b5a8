//! What a broker, or librdkafka for it, answered: its code, under a type of ours.

use std::fmt;

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};

/// An error code of Kafka's protocol, or of the client library where its text says `Local`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BrokerError(pub(crate) RDKafkaErrorCode);

impl BrokerError {
    /// The code's number in Kafka's protocol; negative for the client library's own.
    pub const fn number(self) -> i32 {
        self.0 as i32
    }

    /// The code in an error of rdkafka's.
    pub(crate) fn of(error: &KafkaError) -> Self {
        match error {
            KafkaError::AdminOp(code) => Self(*code),
            other => Self(other.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)),
        }
    }

    /// No broker could be reached, or none that may answer now: it will pass.
    pub(crate) const fn is_unavailable(self) -> bool {
        use RDKafkaErrorCode as Code;
        matches!(
            self.0,
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::TimedOutQueue
                | Code::RequestTimedOut
                | Code::NetworkException
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::BrokerNotAvailable
                | Code::NotController
                | Code::NotEnoughReplicas
                | Code::NotEnoughReplicasAfterAppend
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::OffsetNotAvailable
                | Code::KafkaStorageError
                | Code::SSL
                | Code::Authentication
                | Code::DestroyBroker
                | Code::BrokerDestroy
        )
    }

    /// The topic or its partition does not exist.
    pub(crate) const fn is_topic_gone(self) -> bool {
        use RDKafkaErrorCode as Code;
        matches!(
            self.0,
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId
        )
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokerError({:?})", self.0)
    }
}
