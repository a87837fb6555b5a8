//! What comes in: messages of peers, and requests that wait for an answer.

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::{class::Class, identity::PeerId, score::Misbehaviour};

/// A message that a peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who sent it.
    pub peer: PeerId,
    /// What; within the class's limit, and otherwise any bytes.
    pub payload: Bytes,
}

/// A request of a peer. Dropping it answers [`RequestError::Unavailable`].
#[derive(Debug)]
pub struct Request {
    /// Who asks.
    pub peer: PeerId,
    /// What about.
    pub class: Class,
    /// What; within the class's limit, and otherwise any bytes.
    pub payload: Bytes,
    pub(crate) limit_bytes: usize,
    pub(crate) answer: oneshot::Sender<Bytes>,
}

/// Everything that comes in: one queue for each class and one for requests of each that has them. Whoever does not read
/// one stops the senders of that class, and of no other. A queue that is dropped takes nothing more.
#[derive(Debug)]
pub struct Incoming {
    /// Votes of known peers.
    pub votes: mpsc::Receiver<Message>,
    /// Certificates.
    pub certificates: mpsc::Receiver<Message>,
    /// Messages of the resolver.
    pub resolver: mpsc::Receiver<Message>,
    /// Bodies that were sent unasked.
    pub bodies: mpsc::Receiver<Message>,
    /// Messages about catching up.
    pub sync: mpsc::Receiver<Message>,
    /// Requests of the resolver.
    pub resolver_requests: mpsc::Receiver<Request>,
    /// Requests for bodies.
    pub bodies_requests: mpsc::Receiver<Request>,
    /// Requests of whoever catches up.
    pub sync_requests: mpsc::Receiver<Request>,
}

/// Why a message was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The peer is not connected.
    #[error("the peer is not connected")]
    NotConnected,
    /// Too much waits for the peer already.
    #[error("too much waits to be sent to the peer")]
    Full,
    /// It has no bytes, or more than its class allows.
    #[error("a {} message of {bytes} bytes, where 1 to {limit} are allowed", class.name())]
    Size {
        /// Of what.
        class: Class,
        /// The message's.
        bytes: usize,
        /// At the most.
        limit: usize,
    },
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The peer is not connected, or was lost meanwhile.
    #[error("the peer is not connected")]
    NotConnected,
    /// The class has no requests.
    #[error("there are no requests of class {}", .0.name())]
    Class(Class),
    /// It has no bytes, or more than its class allows.
    #[error("a request of {bytes} bytes, where 1 to {limit} are allowed")]
    Size {
        /// The request's.
        bytes: usize,
        /// At the most.
        limit: usize,
    },
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The peer does not have what was asked for.
    #[error("the peer has no answer")]
    Unavailable,
    /// The peer has too many requests.
    #[error("the peer is busy")]
    Busy,
    /// The peer answered what no peer should, which was counted.
    #[error("the peer answered with a {0}")]
    Misbehaved(Misbehaviour),
}

/// A response over its class's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a response of {bytes} bytes, where 1 to {limit} are allowed")]
pub struct ResponseSize {
    /// The response's.
    pub bytes: usize,
    /// At the most.
    pub limit: usize,
}

impl Request {
    /// Answers. Whoever asked may be gone by now, which is no error.
    ///
    /// # Errors
    /// When the response has no bytes or more than the class allows; the peer is told that there is no answer.
    pub fn respond(self, response: Bytes) -> Result<(), ResponseSize> {
        if response.is_empty() || response.len() > self.limit_bytes {
            return Err(ResponseSize { bytes: response.len(), limit: self.limit_bytes });
        }
        _ = self.answer.send(response);
        Ok(())
    }

    /// Returns when nobody waits for the answer any more: the peer gave up, or is gone.
    pub async fn cancelled(&mut self) {
        self.answer.closed().await;
    }

    /// True when nobody waits for the answer any more.
    pub fn is_cancelled(&self) -> bool {
        self.answer.is_closed()
    }
}

/// The other ends of [`Incoming`].
#[derive(Debug)]
pub(crate) struct Deliveries {
    pub(crate) messages: [mpsc::Sender<Message>; Class::COUNT],
    pub(crate) requests: [Option<mpsc::Sender<Request>>; Class::COUNT],
}

impl Deliveries {
    pub(crate) fn new(limits: &[crate::ClassLimits; Class::COUNT]) -> (Self, Incoming) {
        let messages = |class: Class| mpsc::channel(limits[class.index()].incoming_messages.max(1));
        let requests = |class: Class| mpsc::channel(limits[class.index()].incoming_messages.max(1));
        let (vote, votes) = messages(Class::Vote);
        let (certificate, certificates) = messages(Class::Certificate);
        let (to_resolver, resolver) = messages(Class::Resolver);
        let (to_bodies, bodies) = messages(Class::Bodies);
        let (to_sync, sync) = messages(Class::Sync);
        let (resolver_request, resolver_requests) = requests(Class::Resolver);
        let (bodies_request, bodies_requests) = requests(Class::Bodies);
        let (sync_request, sync_requests) = requests(Class::Sync);
        let deliveries = Self {
            messages: [vote, certificate, to_resolver, to_bodies, to_sync],
            requests: [None, None, Some(resolver_request), Some(bodies_request), Some(sync_request)],
        };
        let incoming =
            Incoming { votes, certificates, resolver, bodies, sync, resolver_requests, bodies_requests, sync_requests };
        (deliveries, incoming)
    }
}
