//! Streams: events, headers and the life of one transaction, for `/ws` and GraphQL subscriptions.
//!
//! A stream is pulled, never pushed: it keeps its place, and when it is asked for the next item it reads what
//! stands behind that place in the newest snapshot, history and the last block alike. So there is no seam between
//! history and live at which something could be lost or told twice, and a slow subscriber is not dropped from: it
//! only reads older blocks. What wakes a stream that has caught up is the watch of heights.

use futures_util::{Stream, stream};

use super::{App, problem::ApiError};

mod events;
mod headers;
pub(crate) mod multiplex;
mod protocol;
mod session;
mod socket;
mod transaction;

pub(crate) use events::{EventStream, Start};
pub(crate) use headers::HeaderStream;
pub(crate) use socket::{FRAME_BYTES, malformed, routes};
pub(crate) use transaction::TransactionStream;

/// Something that is asked for one item after the other.
pub(crate) trait Source: Send + 'static {
    /// What it gives.
    type Item: Send;

    /// The next item; `None` at the end. An error is the last item.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Item>, ApiError>> + Send;
}

/// The source as a stream, which ends after an error.
pub(crate) fn pulled<S: Source>(source: S) -> impl Stream<Item = Result<S::Item, ApiError>> + Send + 'static {
    stream::unfold(Some(source), |source| async move {
        let mut source = source?;
        match source.next().await {
            Ok(Some(item)) => Some((Ok(item), Some(source))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

/// What a stream ends with when the node stops.
fn stopping() -> ApiError {
    ApiError::new(rustorium_types::code::Code::LogUnavailable, "the node is stopping; resume at another time")
}
