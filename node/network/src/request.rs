//! Requests and their responses: a stream of QUIC each.
//!
//! ```text
//! asks      class mark u8 │ frame │ end
//! answers   frame │ end, or the stream is reset: 1 has no answer, 2 is busy
//! ```
//!
//! A response cannot be to anything but its request, and one that is large delays no other. Whoever gives up stops the
//! stream, which the other side is told at once; dropping the future is giving up.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use quinn::{RecvStream, SendStream, VarInt};
use tokio::{
    sync::{mpsc::error::TrySendError, oneshot},
    time::{Instant, timeout},
};

use crate::{
    class::{Class, patience},
    link::{Link, LinkToll},
    message::{Request, RequestError},
    network::Shared,
    peers::Seat,
    score::Misbehaviour,
    stats::count,
    stream::{self, Fault, Frames, Free},
};

const UNAVAILABLE: VarInt = VarInt::from_u32(1);
const BUSY: VarInt = VarInt::from_u32(2);

/// Asks a peer.
pub(crate) async fn ask(
    shared: &Shared,
    seat: &Seat,
    class: Class,
    request: Bytes,
    time: Duration,
) -> Result<Bytes, RequestError> {
    let limits = shared.config.limits(class);
    if limits.requests == 0 || limits.request_bytes == 0 {
        return Err(RequestError::Class(class));
    }
    if request.is_empty() || request.len() > limits.request_bytes {
        return Err(RequestError::Size { bytes: request.len(), limit: limits.request_bytes });
    }
    let answer = timeout(time, exchange(shared, seat, class, request)).await.map_err(|_| RequestError::TimedOut)?;
    answer.map_err(|fault| match fault {
        Fault::Lost | Fault::Cut => RequestError::NotConnected,
        Fault::Given(BUSY) => RequestError::Busy,
        Fault::Given(_) => RequestError::Unavailable,
        Fault::Misbehaved(misbehaviour) => {
            shared.punish(seat.peer.id, misbehaviour);
            RequestError::Misbehaved(misbehaviour)
        }
    })
}

async fn exchange(shared: &Shared, seat: &Seat, class: Class, request: Bytes) -> Result<Bytes, Fault> {
    let (limits, traffic) = (shared.config.limits(class), &seat.peer.traffic[class.index()]);
    let _permit = seat.peer.requests[class.index()].acquire().await.map_err(|_| Fault::Lost)?;
    seat.peer.pace(class, request.len()).await;
    let (mut to, from) = seat.connection.open_bi().await.map_err(|_| Fault::Lost)?;
    _ = to.set_priority(class.priority());
    to.write_all(&[class.mark()]).await?;
    shared.went(traffic, class, request.len());
    stream::write(&mut to, request).await?;
    // Fails only if it was stopped, which reading tells.
    _ = to.finish();
    let mut frames = Frames::new(from, limits.response_bytes, shared.config.frame_timeout);
    let response = frames.only(&Free, None).await?;
    shared.came(traffic, class, response.len());
    Ok(response)
}

/// Answers a peer's request, through whoever reads the class's requests.
pub(crate) async fn serve(link: Arc<Link>, mut to: SendStream, from: RecvStream) -> Result<(), Fault> {
    match answer(&link, &mut to, from).await {
        Err(Fault::Given(code)) => {
            _ = to.reset(code);
            Ok(())
        }
        // The asker is about to be gone.
        Err(Fault::Cut) => Ok(()),
        answered => answered,
    }
}

async fn answer(link: &Link, to: &mut SendStream, mut from: RecvStream) -> Result<(), Fault> {
    let (shared, peer) = (&link.shared, &link.seat.peer);
    let patience_base = shared.config.frame_timeout;
    let class = Class::from_mark(Frames::mark(&mut from, patience_base).await?);
    let class = class.ok_or(Fault::Misbehaved(Misbehaviour::Malformed))?;
    let requests = shared.deliveries.requests[class.index()].as_ref();
    let requests = requests.ok_or(Fault::Misbehaved(Misbehaviour::Malformed))?;
    let limits = shared.config.limits(class);
    _ = to.set_priority(class.priority());
    // One that was given up may not be gone yet when the next one comes: it waits, and is no offence.
    let _permit = link.serving[class.index()].acquire().await.map_err(|_| Fault::Lost)?;
    let mut frames = Frames::new(from, limits.request_bytes, patience_base);
    let begins = Some(Instant::now() + patience_base);
    let payload = frames.only(&LinkToll { link, class: Some(class) }, begins).await?;
    shared.came(&peer.traffic[class.index()], class, payload.len());

    let (answer, answered) = oneshot::channel();
    let request = Request { peer: peer.id, class, payload, limit_bytes: limits.response_bytes, answer };
    requests.try_send(request).map_err(|error| {
        count(&shared.counters.requests_refused);
        Fault::Given(match error {
            TrySendError::Full(_) => BUSY,
            TrySendError::Closed(_) => UNAVAILABLE,
        })
    })?;
    let response = tokio::select! {
        response = answered => response.map_err(|_| Fault::Given(UNAVAILABLE))?,
        _ = to.stopped() => return Ok(()),
    };
    let bytes = response.len();
    peer.pace(class, bytes).await;
    match timeout(patience(patience_base, bytes), stream::write(to, response)).await {
        Err(_) => return Err(Fault::Misbehaved(Misbehaviour::Stalled)),
        // Given up: that is all right.
        Ok(Err(Fault::Given(_))) => return Ok(()),
        Ok(written) => written?,
    }
    shared.went(&peer.traffic[class.index()], class, bytes);
    _ = to.finish();
    Ok(())
}
