//! A connection at work: the tasks that read and write its streams.
//!
//! ```text
//!            ┌ control ─► exchange          one task
//! accept_uni ┼ vote    ─► Incoming::votes   one task for each class, so that one which
//!            ┼ …                            waits stops no other
//! accept_bi  ─ request ─► a task each, at most as many as QUIC lets the peer open
//! queues     ─ vote, … ─► open_uni          one task for each class
//! ```
//!
//! Whatever a peer does wrong on a stream of messages ends the connection, since what follows in the stream cannot be
//! told from what was meant; and such a stream lasts as long as the connection. A request that goes wrong ends by
//! itself. All tasks end with the connection.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use quinn::{RecvStream, SendStream};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use crate::{
    budget::Meter,
    class::Class,
    close::Close,
    control::{CONTROL_BYTES, CONTROL_PER_SECOND, Control},
    event::Lost,
    exchange::RECORDS_ANSWERED,
    message::Message,
    network::Shared,
    peers::Seat,
    record::RecordError,
    request,
    score::Misbehaviour,
    stats::count,
    stream::{self, Fault, Frames, Toll},
};

/// Answers of the control stream that wait to be written.
const CONTROL_QUEUE: usize = 4;

pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) seat: Seat,
    /// Requests of the peer that are being read, answered or written.
    pub(crate) serving: [Semaphore; Class::COUNT],
    /// What the peer may send, by class; the last is the control stream's.
    meters: [Mutex<Meter>; Class::COUNT + 1],
    /// Classes whose stream the peer has opened.
    opened: [AtomicBool; Class::COUNT],
    /// An answer of the control stream is due.
    has_asked: AtomicBool,
}

/// The control stream, both halves; its greetings are exchanged.
pub(crate) struct ControlStream {
    pub(crate) to: SendStream,
    pub(crate) from: Frames,
}

/// The charge for what a peer sends of a class; `None` is the control stream.
pub(crate) struct LinkToll<'a> {
    pub(crate) link: &'a Link,
    pub(crate) class: Option<Class>,
}

impl Toll for LinkToll<'_> {
    async fn pay(&self, bytes: usize) -> Result<(), Fault> {
        let meter = &self.link.meters[self.class.map_or(Class::COUNT, Class::index)];
        let lock = || meter.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = lock().charge(bytes, Instant::now());
        if !wait.is_zero() {
            sleep(wait).await;
            let is_flood = lock().is_flood(self.link.shared.config.flood_patience, Instant::now());
            if is_flood && self.link.shared.punish(self.link.seat.peer.id, Misbehaviour::Flood) {
                return Err(Fault::Lost);
            }
        }
        Ok(())
    }
}

impl Link {
    pub(crate) fn new(shared: Arc<Shared>, seat: Seat) -> Arc<Self> {
        let (config, now) = (shared.config.clone(), Instant::now());
        // Twice of what an honest peer sends.
        let meter = |at: usize| {
            let (bytes, messages) = Class::ALL.get(at).map_or((CONTROL_BYTES as u64, CONTROL_PER_SECOND), |class| {
                (config.limits(*class).bytes_per_second, config.limits(*class).messages_per_second)
            });
            Mutex::new(Meter::new(bytes.saturating_mul(2), messages.saturating_mul(2), now))
        };
        Arc::new(Self {
            serving: Class::ALL.map(|class| Semaphore::new(config.limits(class).requests)),
            meters: std::array::from_fn(meter),
            opened: Default::default(),
            has_asked: AtomicBool::new(false),
            shared,
            seat,
        })
    }

    /// Works until the connection ends; says why it did.
    pub(crate) async fn run(self: Arc<Self>, control: ControlStream) -> Lost {
        let connection = &self.seat.connection;
        let mut tasks = JoinSet::new();
        let (answers, to_answer) = mpsc::channel(CONTROL_QUEUE);
        tasks.spawn(self.clone().write_control(control.to, to_answer));
        tasks.spawn(self.clone().read_control(control.from, answers));
        tasks.spawn(self.clone().accept_messages());
        tasks.spawn(self.clone().accept_requests());
        for class in Class::ALL {
            tasks.spawn(self.clone().write_messages(class));
        }
        let lost = loop {
            tokio::select! {
                lost = connection.closed() => break lost,
                Some(ended) = tasks.join_next() => {
                    match ended {
                        Ok(Err(Fault::Misbehaved(misbehaviour))) => {
                            self.shared.punish(self.seat.peer.id, misbehaviour);
                            self.seat.close(Close::Misbehaved(misbehaviour));
                        }
                        Ok(Err(Fault::Given(_) | Fault::Cut)) => self.seat.close(Close::Ended),
                        // The connection is lost, or will be.
                        _ => {}
                    }
                }
            }
        };
        tasks.shutdown().await;
        Lost::new(lost, self.seat.closed.get().copied())
    }

    async fn accept_messages(self: Arc<Self>) -> Result<(), Fault> {
        let mut readers = JoinSet::new();
        loop {
            tokio::select! {
                stream = self.seat.connection.accept_uni() => {
                    let stream = stream.map_err(|_| Fault::Lost)?;
                    readers.spawn(self.clone().read_messages(stream));
                }
                Some(Ok(ended)) = readers.join_next() => ended?,
            }
        }
    }

    async fn read_messages(self: Arc<Self>, mut stream: RecvStream) -> Result<(), Fault> {
        let (shared, peer) = (&self.shared, &self.seat.peer);
        let malformed = Fault::Misbehaved(Misbehaviour::Malformed);
        let class = Class::from_mark(Frames::mark(&mut stream, shared.config.frame_timeout).await?).ok_or(malformed)?;
        if self.opened[class.index()].swap(true, Relaxed) {
            return Err(malformed);
        }
        let (deliver, traffic) = (&shared.deliveries.messages[class.index()], &peer.traffic[class.index()]);
        let mut frames = Frames::new(stream, shared.config.limits(class).message_bytes, shared.config.frame_timeout);
        while let Some(payload) = frames.next(&LinkToll { link: &self, class: Some(class) }).await? {
            shared.came(traffic, class, payload.len());
            // A follower has no vote; and who has lost its vote may not know yet.
            let is_heard = class != Class::Vote || peer.is_known();
            // Waits for its turn among the peers. Nobody listens to a class whose queue was dropped.
            if !is_heard || deliver.send(Message { peer: peer.id, payload }).await.is_err() {
                shared.dropped(traffic, class, 1);
            }
        }
        Err(Fault::Cut)
    }

    async fn accept_requests(self: Arc<Self>) -> Result<(), Fault> {
        let mut served = JoinSet::new();
        loop {
            tokio::select! {
                streams = self.seat.connection.accept_bi() => {
                    let (to, from) = streams.map_err(|_| Fault::Lost)?;
                    served.spawn(request::serve(self.clone(), to, from));
                }
                Some(Ok(ended)) = served.join_next() => {
                    if let Err(Fault::Misbehaved(misbehaviour)) = ended {
                        self.shared.punish(self.seat.peer.id, misbehaviour);
                    }
                }
            }
        }
    }

    async fn write_messages(self: Arc<Self>, class: Class) -> Result<(), Fault> {
        let peer = &self.seat.peer;
        let mut stream = None;
        loop {
            let message = peer.queues[class.index()].next().await;
            peer.pace(class, message.len()).await;
            let stream = match &mut stream {
                Some(stream) => stream,
                None => {
                    let mut opened = self.seat.connection.open_uni().await.map_err(|_| Fault::Lost)?;
                    _ = opened.set_priority(class.priority());
                    opened.write_all(&[class.mark()]).await?;
                    stream.insert(opened)
                }
            };
            let bytes = message.len();
            stream::write(stream, message).await?;
            self.shared.went(&peer.traffic[class.index()], class, bytes);
        }
    }

    /// Asks now and then, and writes what the peer asked for.
    async fn write_control(
        self: Arc<Self>,
        mut to: SendStream,
        mut answers: mpsc::Receiver<Control>,
    ) -> Result<(), Fault> {
        let mut ask = interval(self.shared.config.exchange_interval);
        loop {
            let control = tokio::select! {
                _ = ask.tick() => {
                    self.has_asked.store(true, Relaxed);
                    Control::Ask
                }
                Some(answer) = answers.recv() => answer,
                else => return Ok(()),
            };
            stream::write(&mut to, control.encode()).await?;
        }
    }

    async fn read_control(self: Arc<Self>, mut from: Frames, answers: mpsc::Sender<Control>) -> Result<(), Fault> {
        let malformed = Fault::Misbehaved(Misbehaviour::Malformed);
        while let Some(payload) = from.next(&LinkToll { link: &self, class: None }).await? {
            match Control::decode(&payload).ok_or(malformed)? {
                // Asked again before the last answers were taken: no more of them.
                Control::Ask => _ = answers.try_send(Control::Records(self.shared.records_for(&self.seat.peer.id))),
                Control::Records(records) => {
                    if !self.has_asked.swap(false, Relaxed) {
                        self.shared.punish(self.seat.peer.id, Misbehaviour::UnrequestedResponse);
                        continue;
                    }
                    if records.len() > RECORDS_ANSWERED + 1 {
                        return Err(malformed);
                    }
                    for record in records {
                        let learned = self.shared.learn(record, self.seat.peer.id);
                        match learned {
                            Ok(()) => self.shared.wake.notify_one(),
                            Err(RecordError::Known) => {}
                            Err(error) => {
                                count(&self.shared.counters.records_refused);
                                if error == RecordError::Forged {
                                    return Err(Fault::Misbehaved(Misbehaviour::ForgedRecord));
                                }
                            }
                        }
                    }
                }
                Control::Hello(_) => return Err(malformed),
            }
        }
        Err(Fault::Cut)
    }
}
