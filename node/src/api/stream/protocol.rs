//! The messages of `/ws`, one JSON object a text frame.
//!
//! ```text
//! client   {"id", "type": "subscribe", "stream": "events" | "headers" | "transaction", …}
//!          {"id", "type": "unsubscribe"}   {"type": "ping"}
//! server   {"id", "type": "event", "event"}            {"id", "type": "checkpoint", "cursor", "height"}
//!          {"id", "type": "header", "header"}          {"id", "type": "status", "status"}
//!          {"id", "type": "error", "code", "message", "cursor"?, "retryAfterMs"?}
//!          {"id", "type": "complete"}   {"type": "pong"}
//! ```

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{EventStream, HeaderStream, Start, TransactionStream};
use crate::api::{
    App,
    model::{
        Checkpoint, Event, EventFilter, EventMessage, FieldEquals, Header, Range, SignedInput, TransactionStatus, Wait,
    },
    problem::ApiError,
    read::Pinned,
    scalar::{Address, Cursor, Hash, Height, Json},
    submit,
};

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum FromClient {
    /// Opens a subscription under an id of the client's choice.
    Subscribe {
        id: String,
        #[serde(flatten)]
        stream: Box<StreamRequest>,
    },
    /// Closes one.
    Unsubscribe { id: String },
    /// Asks for a `pong`.
    Ping,
}

/// Which stream.
#[derive(Debug, Deserialize)]
#[serde(tag = "stream", rename_all = "camelCase")]
pub(super) enum StreamRequest {
    #[serde(rename_all = "camelCase")]
    Events {
        contract: Option<Address>,
        name: Option<String>,
        #[serde(default, rename = "where")]
        fields: Map<String, Value>,
        transaction: Option<Hash>,
        after: Option<Cursor>,
        from_height: Option<Height>,
    },
    Headers {
        after: Option<Height>,
    },
    Transaction {
        hash: Option<Hash>,
        transaction: Option<SignedInput>,
        #[serde(default)]
        until: Wait,
    },
}

/// What the server says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum FromServer {
    Event {
        id: String,
        event: Box<Event>,
    },
    Checkpoint {
        id: String,
        cursor: Cursor,
        height: Height,
        #[serde(skip_serializing_if = "Option::is_none")]
        undone: Option<Range>,
    },
    Header {
        id: String,
        header: Box<Header>,
    },
    Status {
        id: String,
        status: Box<TransactionStatus>,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        code: &'static str,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none", rename = "retryAfterMs")]
        retry_after_ms: Option<u64>,
    },
    Complete {
        id: String,
    },
    Pong,
}

impl FromServer {
    pub(super) fn event(id: String, message: EventMessage) -> Self {
        match message {
            EventMessage::Event(event) => Self::Event { id, event: Box::new(event) },
            EventMessage::Checkpoint(checkpoint) => {
                let Checkpoint { cursor, height, undone } = checkpoint;
                Self::Checkpoint { id, cursor, height, undone }
            }
        }
    }

    pub(super) fn error(id: Option<String>, error: ApiError) -> Self {
        let (cursor, retry_after_ms) = (error.cursor(), error.retry_after_ms());
        Self::Error { id, code: error.code.text(), message: error.message, cursor, retry_after_ms }
    }
}

/// A stream that was asked for.
pub(super) enum Opened {
    Events(EventStream),
    Headers(HeaderStream),
    Transaction(TransactionStream),
}

impl StreamRequest {
    pub(super) async fn open(self, app: &App) -> Result<Opened, ApiError> {
        match self {
            Self::Events { contract, name, fields, transaction, after, from_height } => {
                let start = match (after, from_height) {
                    (Some(_), Some(_)) => {
                        return Err(ApiError::bad_input("`after` and `fromHeight` exclude each other"));
                    }
                    (Some(after), None) => Start::After(after.0),
                    (None, Some(height)) => Start::From(height.0),
                    (None, None) => Start::Now,
                };
                let fields = fields.into_iter().map(|(field, value)| FieldEquals { field, value: Json(value) });
                let filter = EventFilter { contract, name, fields: Some(fields.collect()), transaction };
                let selection = Pinned::newest(app).select(filter)?;
                EventStream::new(app, selection, &start).map(Opened::Events)
            }
            Self::Headers { after } => Ok(Opened::Headers(HeaderStream::new(app, after.map(|after| after.0)))),
            Self::Transaction { hash: Some(hash), transaction: None, until } => {
                TransactionStream::known(app, hash.0, until).map(Opened::Transaction)
            }
            Self::Transaction { hash: None, transaction: Some(signed), until } => {
                let accepted = submit::accept(app, submit::parse(app, &signed)).await;
                let (hash, at) = accepted.map_err(|rejected| rejected.error)?;
                Ok(Opened::Transaction(TransactionStream::accepted(app, hash, at, until)))
            }
            Self::Transaction { .. } => {
                Err(ApiError::bad_input("a stream of a transaction needs either its `hash` or the `transaction`"))
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn requests_read_as_documented() {
        let text =
            r#"{"id":"1","type":"subscribe","stream":"events","name":"Transfer","where":{"to":"x"},"fromHeight":3}"#;
        let FromClient::Subscribe { id, stream } = serde_json::from_str(text).unwrap() else { unreachable!() };
        assert_eq!(id, "1");
        assert!(matches!(*stream, StreamRequest::Events { ref fields, from_height: Some(_), .. } if fields.len() == 1));
        for text in [
            r#"{"id":"1","type":"subscribe","stream":"headers"}"#,
            r#"{"id":"1","type":"subscribe","stream":"transaction","hash":null,"until":"certified"}"#,
            r#"{"id":"1","type":"unsubscribe"}"#,
            r#"{"type":"ping"}"#,
        ] {
            serde_json::from_str::<FromClient>(text).unwrap();
        }
        assert!(serde_json::from_str::<FromClient>(r#"{"id":"1","type":"subscribe","stream":"blocks"}"#).is_err());
    }
}
