//! What a submitter waits on: answers once the broker has the record, or says why it has not.
//!
//! Invariant: a ticket always answers. Whoever would have answered and is gone answers [`SubmitError::Stopped`].

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_channel::oneshot;

use crate::{producer::SubmitError, shard::Offset, wait::block_on};

/// The broker has a record, durably: in as many copies as have to be in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Where; none if the broker had it from an earlier try whose answer was lost.
    pub offset: Option<Offset>,
}

/// Waits for one record: blocks a thread, or is awaited on any executor.
#[derive(Debug)]
#[must_use = "only the ticket tells whether the record is in the lane"]
pub struct Ticket(oneshot::Receiver<Result<Acknowledged, SubmitError>>);

/// The side that answers.
pub(crate) type Answer = oneshot::Sender<Result<Acknowledged, SubmitError>>;

/// A ticket and the side that answers it.
pub(crate) fn ticket() -> (Answer, Ticket) {
    let (answer, ticket) = oneshot::channel();
    (answer, Ticket(ticket))
}

impl Ticket {
    /// Blocks until the broker has the record durably, or it is known why not.
    ///
    /// # Errors
    /// Why the record is not known to be in the lane; [`SubmitError::is_settled`] says if it surely is not.
    pub fn wait(self) -> Result<Acknowledged, SubmitError> {
        block_on(self)
    }
}

impl Future for Ticket {
    type Output = Result<Acknowledged, SubmitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(SubmitError::Stopped)))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_blocked_thread_gets_the_answer() {
        let (answer, ticket) = ticket();
        let waiting = thread::spawn(move || ticket.wait());
        let acknowledged = Acknowledged { offset: Some(Offset(7)) };
        assert_eq!(answer.send(Ok(acknowledged)), Ok(()));
        assert_eq!(waiting.join().ok(), Some(Ok(acknowledged)));
    }

    #[test]
    fn a_dropped_answer_says_stopped() {
        let (answer, ticket) = ticket();
        drop(answer);
        assert_eq!(ticket.wait(), Err(SubmitError::Stopped));
    }
}
