//! Why a request has no answer, sorted by what a caller can do about it.

use rustorium_types::code::Code;
use serde::Deserialize;
use thiserror::Error;

/// Why a request has no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers at this address, or not in time: try again later, or elsewhere.
    #[error("no node answers at {url}: {reason}")]
    Unreachable {
        /// The node.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// The node understood and refuses.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// What answers does not speak this API.
    #[error("{url} answered what no node answers: {reason}")]
    Answer {
        /// The request.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The address of the node is none.
    #[error("`{0}` is no address of a node: it is http://HOST:PORT")]
    Url(String),
}

/// A refusal, by RFC 9457 in REST, and in the form of the WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct Problem {
    /// The code, of the vocabulary of [`Code`].
    pub code: String,
    /// A sentence for people.
    #[serde(alias = "detail")]
    pub message: String,
    /// Of a stream that ended: where to resume.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Of `RATE_LIMITED`: milliseconds after which to try again.
    #[serde(default)]
    pub retry_after_ms: Option<u64>,
    /// The request, as the node's log names it.
    #[serde(default)]
    pub request_id: Option<String>,
}

impl Problem {
    /// A refusal found on this side, in the same words.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code: code.text().into(), message: message.into(), cursor: None, retry_after_ms: None, request_id: None }
    }

    /// The code, if this software knows it.
    pub fn known(&self) -> Option<Code> {
        self.code.parse().ok()
    }
}

impl ClientError {
    /// The code of a refusal.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Problem(problem) => problem.known(),
            _ => None,
        }
    }
}
