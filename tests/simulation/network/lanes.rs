//! What validators say of their lanes: the node's `peers/lanes.rs` and `peers/bodies.rs`, without sockets and tasks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use rustorium_chain::{
    chain::Chain,
    exchange::{Peers, Want},
    handle::{Handle, Promise},
    log::LanePosition,
    submit::{Accepted, Refused},
};
use rustorium_consensus::simulation::Bodies;
use rustorium_types::id::Hash;

use crate::adversaries::two_faced;

/// How long a validator may take to store what it was sent before it is sent again.
const AGAIN: Duration = Duration::from_millis(250);
/// Peers that something is asked of at a time.
const ASKED: usize = 2;

/// What a chain says.
enum Said {
    Appended { from: LanePosition, records: Vec<Bytes> },
    Wanted(Want),
}

/// How a chain speaks.
#[derive(Clone, Default)]
pub(crate) struct Mouth(Arc<Mutex<Vec<Said>>>);

impl Mouth {
    fn say(&self, said: Said) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(said);
    }
}

impl Peers for Mouth {
    fn appended(&self, from: LanePosition, records: Vec<Bytes>) {
        self.say(Said::Appended { from, records });
    }

    fn wanted(&self, want: Want) {
        self.say(Said::Wanted(want));
    }

    fn forward(&self, _: Bytes, answer: Promise<Result<Accepted, Refused>>) {
        answer.keep(Err(Refused::NoValidator));
    }
}

#[derive(BorshSerialize, BorshDeserialize)]
enum Message {
    Records { from: Position, records: Vec<Vec<u8>> },
    Stored { end: Position },
    Ask { from: Position, end: u64, root: Hash, is_final: bool },
    Answer { from: Position, end: u64, root: Hash, is_final: bool, records: Vec<Vec<u8>> },
}

/// [`LanePosition`], on the wire.
type Position = (u32, u32, u64);

/// Records that stand in a lane, and where the first of them does.
type Read = (LanePosition, Vec<Bytes>);

/// A validator's part.
pub(crate) struct Lanes {
    chain: Chain,
    mouth: Mouth,
    me: usize,
    validators: Vec<[u8; 32]>,
    /// Tells others other records.
    is_two_faced: bool,
    /// How far others have the own lane, and since when that is known or was sent.
    progress: BTreeMap<usize, (LanePosition, Duration)>,
    /// Whom to tell how far a lane of theirs is durable here.
    storing: Vec<(usize, Handle<LanePosition>)>,
    /// Whom to send what is read of the own lane.
    resending: Vec<(usize, Handle<Read>)>,
    /// Who wants what.
    looking: Vec<(usize, Want, Handle<Read>)>,
    turn: usize,
}

impl Lanes {
    pub(crate) fn new(chain: Chain, mouth: Mouth, me: usize, validators: Vec<[u8; 32]>, is_two_faced: bool) -> Self {
        Self {
            chain,
            mouth,
            me,
            validators,
            is_two_faced,
            progress: BTreeMap::new(),
            storing: Vec::new(),
            resending: Vec::new(),
            looking: Vec::new(),
            turn: 0,
        }
    }

    /// Hears a message of another.
    pub(crate) fn hear(&mut self, from: usize, message: &[u8], now: Duration) {
        let exchange = self.chain.exchange();
        match borsh::from_slice(message).unwrap() {
            Message::Records { from: at, records } => {
                self.storing.push((from, exchange.store(position(at), owned(records))));
            }
            Message::Stored { end } => {
                exchange.held(self.validators[from], position(end));
                self.progress.insert(from, (position(end), now));
            }
            Message::Ask { from: at, end, root, is_final } => {
                let want = Want { from: position(at), end, root, is_final };
                self.looking.push((from, want, exchange.read(want.from, want.end)));
            }
            Message::Answer { from: at, end, root, is_final, records } => {
                exchange.found(Want { from: position(at), end, root, is_final }, owned(records));
            }
        }
    }

    /// Says what there is to say.
    pub(crate) fn speak(&mut self, bodies: &mut Bodies, now: Duration) {
        let said = std::mem::take(&mut *self.mouth.0.lock().unwrap_or_else(PoisonError::into_inner));
        for one in said {
            match one {
                Said::Appended { from, records } => {
                    self.others().for_each(|to| self.send_records(bodies, to, from, &records))
                }
                Said::Wanted(Want { from, end, root, is_final }) => {
                    self.turn += 1;
                    let others: Vec<usize> = self.others().collect();
                    for next in 0..ASKED {
                        let to = others[(self.turn + next) % others.len()];
                        send(bodies, to, &Message::Ask { from: wire(from), end, root, is_final });
                    }
                }
            }
        }
        for (to, end) in answered(&mut self.storing) {
            send(bodies, to, &Message::Stored { end: wire(end) });
        }
        for (to, (from, records)) in answered(&mut self.resending) {
            self.send_records(bodies, to, from, &records);
        }
        self.look_up(bodies);
        self.resend(now);
    }

    /// Answers who wants something that is here.
    fn look_up(&mut self, bodies: &mut Bodies) {
        let looking = std::mem::take(&mut self.looking);
        for (to, want, handle) in looking {
            let (at, records) = match handle.wait_timeout(Duration::ZERO) {
                Ok(Ok(read)) => read,
                Ok(Err(_)) => continue,
                Err(handle) => {
                    self.looking.push((to, want, handle));
                    continue;
                }
            };
            let is_here = at == want.from && want.is_for(&records);
            let found = if is_here { Some(records) } else { self.chain.records_of(&want).ok().flatten() };
            let Some(found) = found.filter(|records| want.is_for(records)) else { continue };
            let Want { from, end, root, is_final } = want;
            let records = self.told(to, &found);
            send(bodies, to, &Message::Answer { from: wire(from), end, root, is_final, records });
        }
    }

    /// Has read again what others should have by now.
    fn resend(&mut self, now: Duration) {
        let is_due = |lanes: &Self, to: usize| lanes.progress.get(&to).is_none_or(|(_, at)| now >= *at + AGAIN);
        let due: Vec<usize> = self.others().filter(|to| is_due(self, *to)).collect();
        if due.is_empty() {
            return;
        }
        let Ok(rules) = self.chain.rules() else { return };
        let Some(lane) = rules.lane_of(&self.validators[self.me]) else { return };
        let begin = LanePosition { lane, generation: rules.epoch().generation, index: 0 };
        for to in due {
            let known = self.progress.get(&to).map(|(end, _)| *end);
            let known = known.filter(|end| (end.lane, end.generation) == (begin.lane, begin.generation));
            let known = known.unwrap_or(begin);
            self.progress.insert(to, (known, now));
            self.resending.push((to, self.chain.exchange().read(known, u64::MAX)));
        }
    }

    fn send_records(&self, bodies: &mut Bodies, to: usize, from: LanePosition, records: &[Bytes]) {
        if records.is_empty() {
            return;
        }
        send(bodies, to, &Message::Records { from: wire(from), records: self.told(to, records) });
    }

    /// Records as another is told of them.
    fn told(&self, to: usize, records: &[Bytes]) -> Vec<Vec<u8>> {
        if self.is_two_faced {
            return two_faced::face(to, records);
        }
        records.iter().map(|record| record.to_vec()).collect()
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me;
        (0..self.validators.len()).filter(move |other| *other != me)
    }
}

/// Takes out what is answered.
fn answered<T>(waiting: &mut Vec<(usize, Handle<T>)>) -> Vec<(usize, T)> {
    let mut answered = Vec::new();
    for (to, handle) in std::mem::take(waiting) {
        match handle.wait_timeout(Duration::ZERO) {
            Ok(Ok(answer)) => answered.push((to, answer)),
            // A chain that is gone, or had nothing to say.
            Ok(Err(_)) => {}
            Err(handle) => waiting.push((to, handle)),
        }
    }
    answered
}

fn send(bodies: &mut Bodies, to: usize, message: &Message) {
    bodies.send(to, borsh::to_vec(message).unwrap().into());
}

fn owned(records: Vec<Vec<u8>>) -> Vec<Bytes> {
    records.into_iter().map(Bytes::from).collect()
}

const fn wire(LanePosition { lane, generation, index }: LanePosition) -> Position {
    (lane, generation, index)
}

const fn position((lane, generation, index): Position) -> LanePosition {
    LanePosition { lane, generation, index }
}
