//! Records that were submitted to a node without a lane: handed to a validator, which answers for them.
//!
//! A validator that does not answer may have taken the record all the same. It is handed to another then: the second
//! that is executed is a no-op, and nothing is lost.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rustorium_chain::{
    handle::Promise,
    submit::{Accepted, Refused, Share, Source},
};
use rustorium_network::{Class, Misbehaviour, PeerId};
use tokio::sync::{Semaphore, mpsc};

use super::{
    Links,
    wire::{BodiesRequest, SubmitResponse, decode, encode},
};

/// Requests that are on their way to validators at once.
const UNDER_WAY: usize = 8;
/// Records in a request.
const RECORDS: usize = 256;
/// Bytes of them, but for a single one that has more.
const BYTES: usize = 512 << 10;
/// For an answer, before the next validator is asked too: one that has just died looks connected for some seconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// A record, and whom to tell.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) record: Bytes,
    pub(super) answer: Promise<Result<Accepted, Refused>>,
}

/// Hands on what comes, until nothing does any more.
pub(super) async fn run(links: Arc<Links>, mut records: mpsc::UnboundedReceiver<Forward>) {
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(first) => first,
            None => match records.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let mut bytes = first.record.len();
        let mut batch = vec![first];
        while batch.len() < RECORDS
            && let Ok(forward) = records.try_recv()
        {
            bytes += forward.record.len();
            if bytes > BYTES {
                next = Some(forward);
                break;
            }
            batch.push(forward);
        }
        let links = Arc::clone(&links);
        links.clone().spawn(async move {
            links.hand_on(batch).await;
            drop(place);
        });
    }
}

impl Links {
    /// Hands records to a validator, and to the next where one does not answer.
    async fn hand_on(&self, mut batch: Vec<Forward>) {
        let turn = batch.first().map_or(0, |forward| turn_of(&forward.record));
        for peer in self.some_peers(turn) {
            let records = batch.iter().map(|forward| forward.record.to_vec()).collect();
            let request = encode(&BodiesRequest::Submit(records));
            let Ok(answer) = self.network.request(&peer, Class::Bodies, request, PATIENCE).await else { continue };
            let answers: Option<Vec<SubmitResponse>> = decode(&answer);
            let Some(answers) = answers.filter(|answers| answers.len() == batch.len()) else {
                self.network.report(&peer, Misbehaviour::Invalid);
                continue;
            };
            let mut left = Vec::new();
            for (forward, answer) in batch.into_iter().zip(answers) {
                match answer {
                    SubmitResponse::Accepted { transaction, position } => {
                        forward.answer.keep(Ok(Accepted { transaction, position: position.into() }));
                    }
                    SubmitResponse::Busy => forward.answer.keep(Err(Refused::Busy(Share::Sender))),
                    // It was judged here by the same rules: the next will take it.
                    SubmitResponse::Refused | SubmitResponse::Unavailable => left.push(forward),
                }
            }
            batch = left;
            if batch.is_empty() {
                return;
            }
        }
        for forward in batch {
            forward.answer.keep(Err(Refused::NoValidator));
        }
    }

    /// Takes records that a peer hands on.
    pub(super) async fn submit(&self, peer: &PeerId, records: Vec<Vec<u8>>) -> Vec<SubmitResponse> {
        let source = source(peer);
        let tickets: Vec<_> = records.into_iter().map(|record| self.chain.submit_from(source, record.into())).collect();
        let mut answers = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            answers.push(match ticket.await {
                Ok(Accepted { transaction, position }) => {
                    SubmitResponse::Accepted { transaction, position: position.into() }
                }
                Err(Refused::Busy(_)) => SubmitResponse::Busy,
                Err(Refused::NoRoom | Refused::Stopped | Refused::NoValidator) => SubmitResponse::Unavailable,
                Err(_) => SubmitResponse::Refused,
            });
        }
        answers
    }
}

/// A peer has turns of its own.
fn source(peer: &PeerId) -> Source {
    let mut hasher = DefaultHasher::new();
    peer.hash(&mut hasher);
    Source(hasher.finish())
}

/// The same record goes to the same validator first.
fn turn_of(record: &Bytes) -> usize {
    let mut hasher = DefaultHasher::new();
    record.hash(&mut hasher);
    hasher.finish() as usize
}
