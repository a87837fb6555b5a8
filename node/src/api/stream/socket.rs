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

/// Bytes of a client's frame at the most: a subscription, or one transaction as JSON.
pub(crate) const FRAME_BYTES: usize = 4 << 20;

/// `/ws`.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/ws", get(upgrade))
}

async fn upgrade(State(app): State<App>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(FRAME_BYTES).max_frame_size(FRAME_BYTES).on_upgrade(move |socket| serve(app, socket))
}

/// One task for each connection: it reads a frame or a stream, writes, and only then reads on, so a client that
/// does not take what it asked for holds up nobody but itself.
async fn serve(app: App, mut socket: WebSocket) {
    let mut session = Session::new(app.clone());
    let (code, reason) = loop {
        let said = tokio::select! {
            received = socket.recv() => match received {
                None | Some(Err(_) | Ok(Message::Close(_))) => return,
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
