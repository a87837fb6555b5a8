//! Reading requests' bodies, in a bounded amount of memory.
//!
//! A body may be as large as the largest code as JSON, and as many may be on their way as there are connections: more
//! than a node has memory for. So what is over [`SMALL`] of each is taken from a store that all of them share, as the
//! bytes arrive (a length that is only claimed takes nothing), and given back when the request is answered. Whoever
//! finds it empty is told to come again; small requests never are.

use std::{sync::Arc, time::Duration};

use axum::{
    body::BodyDataStream,
    extract::Request,
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use rustorium_types::code::Code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::ApiError;

/// Bytes of each body that take nothing from the store: a batch of some hundred transfers.
const SMALL: usize = 64 << 10;
/// Bytes that one permit of the store stands for.
const UNIT: usize = 1 << 10;
/// When to try again if the store is empty: other bodies have arrived, or timed out, by then.
const READ_AFTER: Duration = Duration::from_secs(1);

/// The store.
pub(super) struct Bodies {
    units: Arc<Semaphore>,
}

/// What a body holds of the store.
pub(super) type Room = OwnedSemaphorePermit;

impl Bodies {
    /// A store of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { units: Arc::new(Semaphore::new(bytes / UNIT)) }
    }

    /// Bytes that are left.
    pub(super) fn free(&self) -> usize {
        self.units.available_permits() * UNIT
    }

    /// A request's body, of at most `limit` bytes.
    pub(super) async fn read(&self, request: Request, limit: usize) -> Result<(Bytes, Option<Room>), ApiError> {
        let too_large = || ApiError::new(Code::TooLarge, format!("a request's body has at most {limit} bytes"));
        let claimed = length(request.headers());
        if claimed.is_some_and(|claimed| claimed > limit as u64) {
            return Err(too_large());
        }
        let mut chunks: BodyDataStream = request.into_body().into_data_stream();
        let mut body = BytesMut::new();
        let mut room: Option<Room> = None;
        while let Some(chunk) = chunks.next().await {
            let chunk =
                chunk.map_err(|_| ApiError::bad_input("the request's body breaks off or is not well-formed"))?;
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
            let held = room.as_ref().map_or(0, Room::num_permits);
            let more = body.len().saturating_sub(SMALL).div_ceil(UNIT).saturating_sub(held);
            if more == 0 {
                continue;
            }
            let busy = |_| ApiError::busy("as many large requests are under way as may; try again", READ_AFTER);
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            let more = self.units.clone().try_acquire_many_owned(more).map_err(busy)?;
            match &mut room {
                None => room = Some(more),
                Some(room) => room.merge(more),
            }
        }
        Ok((body.freeze(), room))
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use axum::body::Body;

    use super::{super::problem::Remedy, *};

    fn request(bytes: usize) -> Request {
        Request::new(Body::from(vec![b' '; bytes]))
    }

    #[tokio::test]
    async fn large_bodies_share_a_store_and_small_ones_need_none() {
        let bodies = Bodies::new(64 << 10);
        let (bytes, room) = bodies.read(request(SMALL + (48 << 10)), 1 << 20).await.unwrap();
        assert_eq!((bytes.len(), bodies.free()), (112 << 10, 16 << 10));
        let refused = bodies.read(request(SMALL + (17 << 10)), 1 << 20).await.unwrap_err();
        assert_eq!((refused.code, refused.remedy), (Code::RateLimited, Some(Remedy::Later(READ_AFTER))));
        assert!(bodies.read(request(SMALL), 1 << 20).await.is_ok(), "a small one");
        drop((bytes, room));
        assert_eq!(bodies.free(), 64 << 10, "all is given back");
        let refused = bodies.read(request(SMALL + 1), SMALL).await.unwrap_err();
        assert_eq!(refused.code, Code::TooLarge);
    }

    #[tokio::test]
    async fn a_length_that_is_over_the_limit_is_refused_unread() {
        let mut request =
            Request::new(Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>()));
        request.headers_mut().insert(header::CONTENT_LENGTH, "99999999".parse().unwrap());
        let refused = Bodies::new(0).read(request, 1_000).await.unwrap_err();
        assert_eq!(refused.code, Code::TooLarge);
    }
}
