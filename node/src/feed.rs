//! What has been executed and certified, for those who wait.
//!
//! The chain publishes each block on a thread of its own; this turns that into a watch that any number of tasks
//! follow. Only heights go through it: whoever is woken reads the newest snapshot, so a slow one loses nothing,
//! it only has more to read.

use rustorium_types::id::Height;
use tokio::sync::watch;

/// How far the chain is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heights {
    /// The newest executed block.
    pub(crate) executed: Height,
    /// The newest height that a certified header commits to.
    pub(crate) certified: Height,
}

/// The watch.
#[derive(Debug)]
pub(crate) struct Feed {
    heights: watch::Sender<Heights>,
}

/// The chain stopped while somebody waited.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended;

impl Feed {
    pub(crate) fn new(heights: Heights) -> Self {
        Self { heights: watch::Sender::new(heights) }
    }

    /// Tells everyone; heights never fall.
    pub(crate) fn publish(&self, heights: Heights) {
        self.heights.send_if_modified(|current| {
            let rose = heights.executed > current.executed || heights.certified > current.certified;
            current.executed = current.executed.max(heights.executed);
            current.certified = current.certified.max(heights.certified);
            rose
        });
    }

    /// Follows.
    pub(crate) fn follow(&self) -> watch::Receiver<Heights> {
        self.heights.subscribe()
    }

    /// Waits until the condition holds.
    ///
    /// # Errors
    /// If the node stops first.
    pub(crate) async fn until(&self, condition: impl FnMut(&Heights) -> bool) -> Result<Heights, Ended> {
        self.follow().wait_for(condition).await.map(|heights| *heights).map_err(|_| Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn heights_never_fall() {
        let feed = Feed::new(Heights::default());
        feed.publish(Heights { executed: Height(3), certified: Height(1) });
        feed.publish(Heights { executed: Height(2), certified: Height(2) });
        let reached = feed.until(|heights| heights.certified >= Height(2)).await;
        assert_eq!(reached.ok(), Some(Heights { executed: Height(3), certified: Height(2) }));
    }
}
