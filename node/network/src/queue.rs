//! What waits to be sent to a peer, of one class: bounded in messages and bytes.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::class::{ClassLimits, Overflow};

#[derive(Debug)]
pub(crate) struct Queue {
    messages: usize,
    bytes: usize,
    overflow: Overflow,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Bytes>,
    bytes: usize,
}

/// There is no room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Queue {
    pub(crate) fn new(limits: &ClassLimits) -> Self {
        Self {
            messages: limits.outgoing_messages.max(1),
            bytes: limits.outgoing_bytes.max(limits.message_bytes),
            overflow: limits.overflow,
            waiting: Mutex::default(),
            arrived: Notify::new(),
        }
    }

    /// Queues a message; answers how many were dropped for it.
    pub(crate) fn push(&self, message: Bytes) -> Result<u64, Full> {
        let mut waiting = self.lock();
        let mut dropped = 0;
        while waiting.messages.len() >= self.messages || waiting.bytes + message.len() > self.bytes {
            if self.overflow == Overflow::Refuse || waiting.pop().is_none() {
                return Err(Full);
            }
            dropped += 1;
        }
        waiting.bytes += message.len();
        waiting.messages.push_back(message);
        drop(waiting);
        self.arrived.notify_one();
        Ok(dropped)
    }

    /// The next message; waits for one. One task at a time takes from a queue.
    pub(crate) async fn next(&self) -> Bytes {
        loop {
            if let Some(message) = self.lock().pop() {
                return message;
            }
            self.arrived.notified().await;
        }
    }

    /// Messages that wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().messages.len()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn pop(&mut self) -> Option<Bytes> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.len();
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Class;

    fn queue(overflow: Overflow) -> Queue {
        let limits = ClassLimits { outgoing_messages: 3, outgoing_bytes: 10, overflow, ..Class::Vote.limits() };
        Queue::new(&ClassLimits { message_bytes: 10, ..limits })
    }

    #[tokio::test]
    async fn the_oldest_goes_or_the_newest_is_refused() {
        let votes = queue(Overflow::DropOldest);
        for message in ["1", "2", "3"] {
            assert_eq!(votes.push(message.into()), Ok(0));
        }
        assert_eq!(votes.push("4".into()), Ok(1));
        assert_eq!(votes.next().await, "2");
        assert_eq!(votes.push("large one".into()), Ok(1));
        assert_eq!((votes.next().await, votes.next().await), ("4".into(), "large one".into()));

        let bodies = queue(Overflow::Refuse);
        assert_eq!(bodies.push("nine bytes".into()), Ok(0));
        assert_eq!(bodies.push("1".into()), Err(Full));
        assert_eq!(bodies.next().await, "nine bytes");
        assert_eq!((bodies.push("1".into()), bodies.len()), (Ok(0), 1));
    }
}
