//! The subscriptions of one `/ws` connection.

use rustorium_types::code::Code;

use super::{
    App,
    multiplex::{Multiplex, Speech},
    protocol::{FromClient, FromServer, Opened},
    pulled,
};
use crate::api::{
    model::{EventMessage, Header, TransactionStatus},
    problem::ApiError,
};

/// Characters of a subscription's id at the most.
const ID_LENGTH: usize = 64;

/// What a connection has asked for.
pub(super) struct Session {
    app: App,
    open: Multiplex<FromServer>,
}

impl Session {
    pub(super) fn new(app: App) -> Self {
        Self { app, open: Multiplex::new() }
    }

    /// Takes a client's message; what is to be said at once, if anything.
    pub(super) async fn receive(&mut self, text: &str) -> Option<FromServer> {
        let said = self.answer(text).await;
        if let Some(FromServer::Error { code, .. }) = &said {
            self.app.metrics().problem("websocket", code.parse().unwrap_or(Code::Internal));
        }
        said
    }

    async fn answer(&mut self, text: &str) -> Option<FromServer> {
        match serde_json::from_str(text) {
            Ok(FromClient::Ping) => Some(FromServer::Pong),
            Ok(FromClient::Unsubscribe { id }) => self.open.cancel(&id).then_some(FromServer::Complete { id }),
            Ok(FromClient::Subscribe { id, stream }) => {
                if let Err(error) = self.admit(&id) {
                    return Some(FromServer::error(Some(id), error));
                }
                match stream.open(&self.app).await {
                    Ok(Opened::Events(source)) => self.open.add(id, pulled(source), Json),
                    Ok(Opened::Headers(source)) => self.open.add(id, pulled(source), Json),
                    Ok(Opened::Transaction(source)) => self.open.add(id, pulled(source), Json),
                    Err(error) => return Some(FromServer::error(Some(id), error)),
                }
                None
            }
            Err(error) => Some(FromServer::error(None, ApiError::bad_input(format!("not a message: {error}")))),
        }
    }

    /// The next thing that any subscription says.
    pub(super) async fn next(&mut self) -> FromServer {
        self.open.next().await
    }

    fn admit(&self, id: &str) -> Result<(), ApiError> {
        if id.is_empty() || id.len() > ID_LENGTH {
            return Err(ApiError::bad_input(format!("an id has 1 to {ID_LENGTH} characters")));
        }
        if self.open.contains(id) {
            return Err(ApiError::new(Code::AlreadyExists, format!("subscription `{id}` is open already")));
        }
        let limit = self.app.config().api.subscriptions;
        if self.open.len() >= limit {
            return Err(ApiError::new(Code::RateLimited, format!("a connection has at most {limit} subscriptions")));
        }
        Ok(())
    }
}

/// The messages of `/ws`.
struct Json;

macro_rules! speech {
    ($item:ty, $message:expr) => {
        impl Speech<$item, ApiError> for Json {
            type Message = FromServer;

            fn item(&self, id: &str, item: $item) -> FromServer {
                $message(id.to_owned(), item)
            }

            fn failed(&self, id: &str, error: ApiError) -> FromServer {
                FromServer::error(Some(id.to_owned()), error)
            }

            fn ended(&self, id: &str) -> FromServer {
                FromServer::Complete { id: id.to_owned() }
            }
        }
    };
}
speech!(EventMessage, FromServer::event);
speech!(Header, |id, header| FromServer::Header { id, header: Box::new(header) });
speech!(TransactionStatus, |id, status| FromServer::Status { id, status: Box::new(status) });
