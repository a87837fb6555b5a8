//! Many subscriptions over one connection, by the ids that the client gave them.

use std::{collections::HashMap, future::pending, pin::Pin};

use futures_util::{
    Stream, StreamExt,
    stream::{self, SelectAll},
};
use tokio::sync::watch;

type Messages<M> = Pin<Box<dyn Stream<Item = Said<M>> + Send>>;

/// The subscriptions that are open.
pub(crate) struct Multiplex<M> {
    open: HashMap<String, watch::Sender<bool>>,
    streams: SelectAll<Messages<M>>,
}

struct Said<M> {
    id: String,
    message: M,
    last: bool,
}

/// What a subscription's items, its failure and its end are as messages. A failure is the last word.
pub(crate) trait Speech<T, E>: Send + 'static {
    /// The connection's messages.
    type Message: Send + 'static;

    fn item(&self, id: &str, item: T) -> Self::Message;
    fn failed(&self, id: &str, error: E) -> Self::Message;
    fn ended(&self, id: &str) -> Self::Message;
}

impl<M: Send + 'static> Multiplex<M> {
    pub(crate) fn new() -> Self {
        Self { open: HashMap::new(), streams: SelectAll::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.open.contains_key(id)
    }

    /// Opens a subscription under an id that is free.
    pub(crate) fn add<T, E, S>(
        &mut self,
        id: String,
        items: impl Stream<Item = Result<T, E>> + Send + 'static,
        speech: S,
    ) where
        T: Send + 'static,
        E: Send + 'static,
        S: Speech<T, E, Message = M> + Sync,
    {
        let (cancel, mut cancelled) = watch::channel(false);
        self.open.insert(id.clone(), cancel);
        let said = stream::unfold(Some((Box::pin(items), speech, id)), |state| async move {
            let (mut items, speech, id) = state?;
            let (message, last) = match items.next().await {
                Some(Ok(item)) => (speech.item(&id, item), false),
                Some(Err(error)) => (speech.failed(&id, error), true),
                None => (speech.ended(&id), true),
            };
            let said = Said { id: id.clone(), message, last };
            Some((said, if last { None } else { Some((items, speech, id)) }))
        });
        self.streams.push(Box::pin(said.take_until(async move {
            // A connection that is gone has cancelled everything.
            let _ = cancelled.wait_for(|cancelled| *cancelled).await;
        })));
    }

    /// Closes a subscription; false if none is open under the id.
    pub(crate) fn cancel(&mut self, id: &str) -> bool {
        self.open.remove(id).is_some_and(|cancel| {
            cancel.send_replace(true);
            true
        })
    }

    /// The next thing that any subscription says.
    pub(crate) async fn next(&mut self) -> M {
        match self.streams.next().await {
            Some(said) => {
                if said.last {
                    self.open.remove(&said.id);
                }
                said.message
            }
            None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Words;

    impl Speech<u8, &'static str> for Words {
        type Message = String;

        fn item(&self, id: &str, item: u8) -> String {
            format!("{id}:{item}")
        }

        fn failed(&self, id: &str, error: &'static str) -> String {
            format!("{id}:{error}")
        }

        fn ended(&self, id: &str) -> String {
            format!("{id}:end")
        }
    }

    #[tokio::test]
    async fn an_id_is_free_again_after_the_last_word() {
        let mut multiplex = Multiplex::new();
        multiplex.add("a".into(), stream::iter([Ok(1)]), Words);
        assert!(multiplex.contains("a"));
        assert_eq!([multiplex.next().await, multiplex.next().await], ["a:1", "a:end"]);
        assert_eq!(multiplex.len(), 0);
        multiplex.add("a".into(), stream::iter([Err("broke"), Ok(2)]), Words);
        assert_eq!(multiplex.next().await, "a:broke");
        assert!(!multiplex.contains("a"));
    }

    #[tokio::test]
    async fn a_cancelled_subscription_says_nothing_more() {
        let mut multiplex = Multiplex::new();
        multiplex.add("a".into(), stream::pending(), Words);
        assert!(multiplex.cancel("a") && !multiplex.cancel("a"));
        multiplex.add("b".into(), stream::iter([Ok(7)]), Words);
        assert_eq!(multiplex.next().await, "b:7");
    }
}
