//! GraphQL over WebSocket: the `graphql-transport-ws` subprotocol.
//!
//! ```text
//! client   connection_init   subscribe {id, payload}   complete {id}   ping   pong
//! server   connection_ack    next {id, payload}   error {id, payload}   complete {id}   pong
//!
//! closes   4400 no message of the protocol       4401 subscribe before connection_ack
//!          4406 another subprotocol              4408 no connection_init in time
//!          4409 the id is in use                 4429 a second connection_init, or too many subscriptions
//! ```
//!
//! Written here because the library closes with codes of its own. Specification: graphql-ws, `PROTOCOL.md`.

use std::time::Duration;

use async_graphql::{Request, Response};
use axum::{
    extract::{
        WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code},
    },
    response::{IntoResponse, Response as HttpResponse},
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::{coded, written_out};
use crate::api::{
    App, layers,
    stream::{
        FRAME_BYTES, malformed,
        multiplex::{Multiplex, Speech},
    },
};

const SUBPROTOCOL: &str = "graphql-transport-ws";
/// For the client to say `connection_init`.
const INIT_WAIT: Duration = Duration::from_secs(10);

/// Why a connection is closed: code and reason.
type Close = (u16, &'static str);

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromClient {
    ConnectionInit {},
    Subscribe { id: String, payload: Box<Request> },
    Complete { id: String },
    Ping { payload: Option<Value> },
    Pong {},
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromServer {
    ConnectionAck,
    Next {
        id: String,
        payload: Box<Response>,
    },
    Error {
        id: String,
        payload: Vec<async_graphql::ServerError>,
    },
    Complete {
        id: String,
    },
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
}

/// Answers an upgrade.
pub(super) fn upgrade(app: App, upgrade: WebSocketUpgrade) -> HttpResponse {
    let room = match app.socket() {
        Ok(room) => room,
        Err(full) => return full.into_response(),
    };
    let source = layers::source();
    let upgrade = upgrade.protocols([SUBPROTOCOL]).max_message_size(FRAME_BYTES).max_frame_size(FRAME_BYTES);
    upgrade.on_upgrade(move |mut socket| async move {
        let agreed = socket.protocol().is_some_and(|protocol| protocol == SUBPROTOCOL);
        let closed = if agreed {
            layers::on_behalf_of(source, serve(app, &mut socket)).await
        } else {
            Some((4406, "Subprotocol not acceptable"))
        };
        if let Some((code, reason)) = closed {
            // The client may be gone already.
            let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
        }
        drop(room);
    })
}

/// Serves until somebody closes; how, if it is us.
async fn serve(app: App, socket: &mut WebSocket) -> Option<Close> {
    let init_until = Instant::now() + INIT_WAIT;
    let mut session = Session { app: app.clone(), acknowledged: false, open: Multiplex::new() };
    loop {
        let said = tokio::select! {
            received = socket.recv() => match received {
                None | Some(Ok(Message::Close(_))) => return None,
                Some(Err(error)) => return Some(malformed(&error)),
                Some(Ok(Message::Text(text))) => match session.receive(text.as_str()) {
                    Ok(said) => said,
                    Err(close) => return Some(close),
                },
                Some(Ok(Message::Binary(_))) => return Some((4400, "Invalid message received")),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
            },
            said = session.open.next() => Some(said),
            () = tokio::time::sleep_until(init_until), if !session.acknowledged => {
                return Some((4408, "Connection initialisation timeout"));
            }
            () = app.stopping() => return Some((close_code::AWAY, "the node is stopping")),
        };
        let Some(said) = said else { continue };
        let Ok(text) = serde_json::to_string(&said) else { return Some((4500, "Internal server error")) };
        if socket.send(Message::Text(text.into())).await.is_err() {
            return None;
        }
    }
}

struct Session {
    app: App,
    acknowledged: bool,
    open: Multiplex<FromServer>,
}

impl Session {
    fn receive(&mut self, text: &str) -> Result<Option<FromServer>, Close> {
        match serde_json::from_str(text).map_err(|_| (4400, "Invalid message received"))? {
            FromClient::ConnectionInit {} if self.acknowledged => Err((4429, "Too many initialisation requests")),
            FromClient::ConnectionInit {} => {
                self.acknowledged = true;
                Ok(Some(FromServer::ConnectionAck))
            }
            FromClient::Ping { payload } => Ok(Some(FromServer::Pong { payload })),
            FromClient::Pong {} => Ok(None),
            FromClient::Complete { id } => {
                self.open.cancel(&id);
                Ok(None)
            }
            FromClient::Subscribe { .. } if !self.acknowledged => Err((4401, "Unauthorized")),
            FromClient::Subscribe { id, .. } if self.open.contains(&id) => Err((4409, "Subscriber already exists")),
            FromClient::Subscribe { id, payload } => {
                if self.open.len() >= self.app.config().api.subscriptions {
                    return Err((4429, "Too many subscriptions"));
                }
                // A response without data is the operation's failure, and its end.
                let mut request = *payload;
                if let Err(refused) = written_out::check(&mut request) {
                    let refused = coded(&self.app, Response::from_errors(vec![refused]));
                    return Ok(Some(FromServer::Error { id, payload: refused.errors }));
                }
                let app = self.app.clone();
                let responses = self.app.schema().clone().execute_stream(request).map(move |response| {
                    let response = coded(&app, response);
                    let failed = response.data == async_graphql::Value::Null && !response.errors.is_empty();
                    if failed { Err(response.errors) } else { Ok(response) }
                });
                self.open.add(id, responses, Transport);
                Ok(None)
            }
        }
    }
}

/// The subprotocol's messages.
struct Transport;

impl Speech<Response, Vec<async_graphql::ServerError>> for Transport {
    type Message = FromServer;

    fn item(&self, id: &str, item: Response) -> FromServer {
        FromServer::Next { id: id.to_owned(), payload: Box::new(item) }
    }

    fn failed(&self, id: &str, errors: Vec<async_graphql::ServerError>) -> FromServer {
        FromServer::Error { id: id.to_owned(), payload: errors }
    }

    fn ended(&self, id: &str) -> FromServer {
        FromServer::Complete { id: id.to_owned() }
    }
}
