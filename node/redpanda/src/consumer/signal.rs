//! Wakes a reader that sleeps until one of many queues has something.
//!
//! Raised by librdkafka's threads when a queue is no longer empty, lowered by the reader before it looks: what comes
//! behind the look raises it again, and is not slept through.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

#[derive(Debug, Default)]
pub(super) struct Signal {
    is_up: Mutex<bool>,
    raised: Condvar,
}

impl Signal {
    /// What a queue calls.
    pub(super) fn raiser(self: &Arc<Self>) -> impl Fn() + Send + Sync + 'static + use<> {
        let signal = Arc::clone(self);
        move || {
            *signal.lock() = true;
            signal.raised.notify_one();
        }
    }

    pub(super) fn lower(&self) {
        *self.lock() = false;
    }

    /// Sleeps until it is up, at most so long.
    pub(super) fn wait(&self, timeout: Duration) {
        let is_up = self.lock();
        // Who wakes looks again, whatever woke him.
        let _ = self.raised.wait_timeout_while(is_up, timeout, |is_up| !*is_up);
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
