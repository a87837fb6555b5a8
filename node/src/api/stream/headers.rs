//! Certified headers, one after the other, without an end.

use rustorium_types::id::Height;
use tokio::sync::watch;

use super::{App, Source, stopping};
use crate::{
    api::{
        model::Header,
        problem::ApiError,
        read::{BlockName, Pinned},
    },
    feed::Heights,
    metrics::Subscriber,
};

/// A stream of headers.
pub(crate) struct HeaderStream {
    app: App,
    next: Height,
    heights: watch::Receiver<Heights>,
    _counted: Subscriber,
}

impl HeaderStream {
    /// The headers behind a height; with the newest first if none is given.
    pub(crate) fn new(app: &App, after: Option<Height>) -> Self {
        let heights = app.feed().follow();
        let newest = Pinned::newest(app).height();
        let next = after.map_or(Height(newest.0.max(1)), Height::next);
        Self { app: app.clone(), next, heights, _counted: app.metrics().subscriber("headers") }
    }
}

impl Source for HeaderStream {
    type Item = Header;

    async fn next(&mut self) -> Result<Option<Header>, ApiError> {
        loop {
            self.heights.mark_unchanged();
            let pinned = Pinned::newest(&self.app);
            if let Some(sealed) = pinned.sealed(BlockName::Height(self.next))? {
                self.next = self.next.next();
                return pinned.header(&sealed).map(Some);
            }
            tokio::select! {
                changed = self.heights.changed() => changed.map_err(|_| stopping())?,
                () = self.app.stopping() => return Err(stopping()),
            }
        }
    }
}
