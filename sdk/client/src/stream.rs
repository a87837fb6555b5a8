//! Events as they happen, over a WebSocket that may break.
//!
//! ```text
//! connect ─► subscribe behind the last cursor ─► event, event, checkpoint …
//!    ▲                                              │ closed, silent, or sent away with a cursor
//!    └───────────────── wait a little ◄─────────────┘
//! ```
//!
//! Every event and checkpoint carries the cursor to resume from, and the node sends what stands behind a cursor
//! once and in order: so a stream that reconnects loses nothing and repeats nothing.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustorium_types::{code::Code, id::Height};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{self, Message},
};

use crate::{
    Client, ClientError, Problem,
    model::{Event, EventFilter},
};

/// A node says something every 5 s; after this long it is taken for gone.
const SILENCE: Duration = Duration::from_secs(20);
/// For a connection to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The first pause before a connection is tried again; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// How long a node may be away before the stream ends.
const PATIENCE: Duration = Duration::from_secs(120);
/// The only subscription of a connection.
const ID: &str = "events";

/// Where a stream starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what is executed from now on.
    Now,
    /// Behind a cursor.
    After(String),
    /// With the first event of a height.
    From(Height),
}

/// What a stream says.
#[derive(Clone, Debug)]
pub enum StreamItem {
    /// An event that matches.
    Event(Event),
    /// Nothing more matches up to this cursor; the first one says that the stream is live.
    Checkpoint {
        /// Resume here.
        cursor: String,
        /// A dev chain has undone these blocks: what was told of them is void.
        undone: Option<Undone>,
    },
}

/// Blocks that a dev chain has undone, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Undone {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// A stream of events without an end.
#[derive(Debug)]
pub struct EventStream {
    node: String,
    filter: EventFilter,
    start: Start,
    socket: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    /// Since when there is no connection; none before the first.
    away_since: Option<Instant>,
    pause: Duration,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum FromServer {
    Event {
        event: Event,
    },
    Checkpoint {
        cursor: String,
        #[serde(default)]
        undone: Option<Undone>,
    },
    Error(Problem),
    Complete {},
    #[serde(other)]
    Other,
}

impl EventStream {
    /// A stream that connects when it is first asked.
    pub fn new(client: &Client, filter: EventFilter, start: Start) -> Self {
        let node = client.url().to_owned();
        Self { node, filter, start, socket: None, away_since: None, pause: FIRST_PAUSE }
    }

    /// The next item. Can be dropped and asked again; nothing is lost by it.
    ///
    /// # Errors
    /// If the node refuses, as `CURSOR_EXPIRED`, cannot be reached at first, or stays away too long.
    pub async fn next(&mut self) -> Result<StreamItem, ClientError> {
        loop {
            match self.try_next().await {
                Ok(item) => return Ok(item),
                Err(Broken::For(error)) => return Err(error),
                Err(Broken::Connection(reason)) => self.wait_to_reconnect(reason).await?,
            }
        }
    }

    async fn try_next(&mut self) -> Result<StreamItem, Broken> {
        loop {
            let socket = match &mut self.socket {
                Some(socket) => socket,
                None => {
                    let socket = self.connect().await?;
                    self.socket.insert(socket)
                }
            };
            let text = match timeout(SILENCE, socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => text,
                Ok(Some(Ok(Message::Close(_))) | None) => return Err(self.broken("the node closed the stream".into())),
                Ok(Some(Ok(_))) => continue,
                Ok(Some(Err(error))) => return Err(self.broken(error.to_string())),
                Err(_) => return Err(self.broken("the node fell silent".into())),
            };
            if let Some(item) = self.take_message(&text)? {
                return Ok(item);
            }
        }
    }

    fn take_message(&mut self, text: &str) -> Result<Option<StreamItem>, Broken> {
        let understood = serde_json::from_str(text)
            .map_err(|error| Broken::For(ClientError::Answer { url: self.node.clone(), reason: error.to_string() }))?;
        match understood {
            FromServer::Event { event } => {
                self.start = Start::After(event.cursor.clone());
                Ok(Some(StreamItem::Event(event)))
            }
            FromServer::Checkpoint { cursor, undone } => {
                self.start = Start::After(cursor.clone());
                Ok(Some(StreamItem::Checkpoint { cursor, undone }))
            }
            FromServer::Error(problem) => {
                // Sent away for being slow, or because the node stops: there is a place to go on from.
                let resumes = matches!(problem.known(), Some(Code::LogUnavailable | Code::RateLimited));
                if let (true, Some(cursor)) = (resumes, &problem.cursor) {
                    self.start = Start::After(cursor.clone());
                }
                Err(if resumes { self.broken(problem.message) } else { Broken::For(problem.into()) })
            }
            FromServer::Complete {} => Err(self.broken("the node ended the stream".into())),
            FromServer::Other => Ok(None),
        }
    }

    fn broken(&mut self, reason: String) -> Broken {
        self.socket = None;
        Broken::Connection(reason)
    }

    async fn connect(&mut self) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Broken> {
        let url = format!("ws{}/ws", self.node.trim_start_matches("http"));
        let connected = timeout(CONNECT_TIMEOUT, connect_async_with_config(url, None, true)).await;
        let failed = |error: tungstenite::Error| Broken::Connection(error.to_string());
        let (mut socket, _) = connected.map_err(|_| Broken::Connection("no answer in time".into()))?.map_err(failed)?;
        socket.send(Message::text(self.request().to_string())).await.map_err(failed)?;
        self.away_since = None;
        self.pause = FIRST_PAUSE;
        Ok(socket)
    }

    fn request(&self) -> Value {
        let mut request = json!({ "id": ID, "type": "subscribe", "stream": "events" });
        if let (Value::Object(request), Ok(Value::Object(filter))) = (&mut request, serde_json::to_value(&self.filter))
        {
            request.extend(filter);
            match &self.start {
                Start::Now => {}
                Start::After(cursor) => drop(request.insert("after".into(), cursor.as_str().into())),
                Start::From(height) => drop(request.insert("fromHeight".into(), height.0.into())),
            }
        }
        request
    }

    /// A stream that never got a place has nothing to come back to.
    async fn wait_to_reconnect(&mut self, reason: String) -> Result<(), ClientError> {
        let away_since = *self.away_since.get_or_insert_with(Instant::now);
        let resumable = matches!(self.start, Start::After(_)) || self.pause > FIRST_PAUSE;
        if !resumable || away_since.elapsed() > PATIENCE {
            return Err(ClientError::Unreachable { url: self.node.clone(), reason });
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// Why there is no next item.
enum Broken {
    /// The connection: another one may do.
    Connection(String),
    /// The stream itself.
    For(ClientError),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustorium_types::id::{ContractId, Hash};
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;

    use super::*;

    fn event(cursor: &str) -> Value {
        let (contract, transaction) = (ContractId([1; 32]).to_string(), Hash([2; 32]).to_string());
        json!({"id": ID, "type": "event", "event": {
            "cursor": cursor, "height": 1, "transaction": transaction, "contract": contract, "name": "Happened", "fields": {},
        }})
    }

    /// Takes connections, says to each what it is to hear, and hangs up; answers with what each asked for.
    async fn node(scripts: Vec<Vec<Value>>) -> (Client, tokio::task::JoinHandle<Vec<Value>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let asked = tokio::spawn(async move {
            let mut asked = Vec::new();
            for script in scripts {
                let mut socket = accept_async(listener.accept().await.unwrap().0).await.unwrap();
                let request = socket.next().await.unwrap().unwrap();
                asked.push(serde_json::from_str(request.to_text().unwrap()).unwrap());
                for message in script {
                    socket.send(Message::text(message.to_string())).await.unwrap();
                }
            }
            asked
        });
        (client, asked)
    }

    #[tokio::test]
    async fn a_broken_stream_goes_on_behind_the_last_cursor() {
        let live = json!({"id": ID, "type": "checkpoint", "cursor": "c0", "height": 1});
        let slow = json!({"id": ID, "type": "error", "code": "RATE_LIMITED", "message": "too slow", "cursor": "c2"});
        let (client, asked) = node(vec![vec![live, event("c1")], vec![slow], vec![event("c3")]]).await;
        let filter = EventFilter { contract: Some(ContractId([1; 32])), ..EventFilter::default() };
        let mut stream = EventStream::new(&client, filter, Start::Now);
        let mut cursors = Vec::new();
        for _ in 0..3 {
            match stream.next().await.unwrap() {
                StreamItem::Event(event) => cursors.push(event.cursor),
                StreamItem::Checkpoint { cursor, .. } => cursors.push(cursor),
            }
        }
        assert_eq!(cursors, ["c0", "c1", "c3"]);
        let asked = asked.await.unwrap();
        assert_eq!(
            asked.iter().map(|request| request["after"].as_str()).collect::<Vec<_>>(),
            [None, Some("c1"), Some("c2")]
        );
        assert_eq!(asked[0]["contract"], ContractId([1; 32]).to_string());
    }

    #[tokio::test]
    async fn a_refusal_ends_the_stream() {
        let expired = json!({"id": ID, "type": "error", "code": "CURSOR_EXPIRED", "message": "gone"});
        let (client, _) = node(vec![vec![expired]]).await;
        let mut stream = EventStream::new(&client, EventFilter::default(), Start::After("c".into()));
        assert_eq!(stream.next().await.unwrap_err().code(), Some(Code::CursorExpired));
        let nobody = Client::new("http://127.0.0.1:1").unwrap();
        let mut stream = EventStream::new(&nobody, EventFilter::default(), Start::Now);
        assert!(matches!(stream.next().await, Err(ClientError::Unreachable { .. })));
    }
}
