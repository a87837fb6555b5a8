//! `/ws`: streams as JSON over one WebSocket.

use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, close_code},
    },
    response::Response,
    routing::get,
};

use super::{App, session::Session};
use crate::api::{layers, problem::ApiError};

/// Bytes of a client's frame at the most: a subscription, or one transaction as JSON.
pub(crate) const FRAME_BYTES: usize = 4 << 20;

/// `/ws`.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/ws", get(upgrade))
}

async fn upgrade(State(app): State<App>, upgrade: WebSocketUpgrade) -> Result<Response, ApiError> {
    let (room, source) = (app.socket()?, layers::source());
    let upgrade = upgrade.max_message_size(FRAME_BYTES).max_frame_size(FRAME_BYTES);
    Ok(upgrade.on_upgrade(move |socket| async move {
        layers::on_behalf_of(source, serve(app, socket)).await;
        drop(room);
    }))
}

/// The close code and the reason for what is no WebSocket message, by RFC 6455. The error's type is that of a library
/// behind the library, so its text is looked at.
pub(crate) fn malformed(error: &axum::Error) -> (u16, &'static str) {
    let text = error.to_string();
    if text.contains("too long") || text.contains("too big") {
        (close_code::SIZE, "a message has at most 4 MiB")
    } else if text.to_ascii_lowercase().contains("utf-8") {
        (close_code::INVALID, "text is UTF-8")
    } else {
        (close_code::PROTOCOL, "this is not the WebSocket protocol")
    }
}

/// One task for each connection: it reads a frame or a stream, writes, and only then reads on, so a client that
/// does not take what it asked for holds up nobody but itself.
async fn serve(app: App, mut socket: WebSocket) {
    let mut session = Session::new(app.clone());
    let (code, reason) = loop {
        let said = tokio::select! {
            received = socket.recv() => match received {
                None | Some(Ok(Message::Close(_))) => return,
                Some(Err(error)) => break malformed(&error),
                Some(Ok(Message::Text(text))) => session.receive(text.as_str()).await,
                Some(Ok(Message::Binary(_))) => break (close_code::UNSUPPORTED, "text frames of JSON are spoken here"),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
            },
            said = session.next() => Some(said),
            () = app.stopping() => break (close_code::AWAY, "the node is stopping"),
        };
        let Some(said) = said else { continue };
        let Ok(text) = serde_json::to_string(&said) else { break (close_code::ERROR, "an answer is no JSON") };
        if socket.send(Message::Text(text.into())).await.is_err() {
            return;
        }
    };
    // The client may be gone already.
    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
}
