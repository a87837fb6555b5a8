//! Who may be connected, and who goes when somebody new comes.
//!
//! A listener has a number of seats. When all are taken, a newcomer gets the seat of whoever has been idle the
//! longest: of a connection that has said nothing, that takes its time with a request's head, or that is kept open
//! between two requests. So thousands of idle sockets cost a bounded amount of memory and shut nobody out. Whoever
//! waits for an answer, or has not taken all of one yet, keeps its seat; those are bounded by deadlines.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::metrics::Connections;

/// Those that are asked in vain at the most before the newcomer waits for one to end.
const ASKED: usize = 16;

/// The seats of a listener.
pub(super) struct Seats {
    free: Arc<Semaphore>,
    idle: Mutex<Idle>,
    counted: Connections,
}

/// Idle connections, the longest first.
#[derive(Default)]
struct Idle {
    since: BTreeMap<u64, Arc<Connection>>,
    next: u64,
    /// A newcomer waits: the next that gets idle goes.
    is_wanted: bool,
}

/// A connection's side of its seat.
#[derive(Default)]
pub(super) struct Connection {
    leave: Notify,
    /// An answer is not all sent, because the client does not take it.
    pub(super) is_stalled: AtomicBool,
    /// Its key among the idle, if it is.
    place: Mutex<Option<u64>>,
}

/// A taken seat; free again when dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    connection: Arc<Connection>,
    _permit: OwnedSemaphorePermit,
}

/// A request under way; its connection is idle again when dropped.
pub(super) struct Busy {
    seats: Arc<Seats>,
    connection: Arc<Connection>,
}

impl Seats {
    pub(super) fn new(seats: usize, counted: Connections) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(seats)), idle: Mutex::default(), counted })
    }

    /// A seat for a newcomer, which is idle at first; waits only if nobody is idle.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Seat> {
        let permit = match self.free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.want();
                let permit = self.free.clone().acquire_owned().await.ok()?;
                self.lock().is_wanted = false;
                permit
            }
        };
        self.counted.opened();
        let connection = Arc::default();
        self.idle(&connection);
        Some(Seat { seats: self.clone(), connection, _permit: permit })
    }

    /// Asks whoever is idle the longest to leave, or the next that gets idle.
    fn want(&self) {
        let mut idle = self.lock();
        for _ in 0..ASKED {
            let Some((_, longest)) = idle.since.pop_first() else { break };
            longest.place.lock().unwrap_or_else(PoisonError::into_inner).take();
            if longest.is_stalled.load(Ordering::Relaxed) {
                idle.add(&longest);
                continue;
            }
            longest.leave.notify_one();
            self.counted.unseated();
            return;
        }
        idle.is_wanted = true;
    }

    fn idle(&self, connection: &Arc<Connection>) {
        let mut idle = self.lock();
        idle.add(connection);
        let is_wanted = std::mem::take(&mut idle.is_wanted);
        drop(idle);
        if is_wanted {
            self.want();
        }
    }

    fn remove(&self, connection: &Connection) {
        let place = connection.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(place) = place {
            self.lock().since.remove(&place);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn add(&mut self, connection: &Arc<Connection>) {
        *connection.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.next);
        self.since.insert(self.next, Arc::clone(connection));
        self.next += 1;
    }
}

impl Seat {
    pub(super) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// The connection asks for something.
    pub(super) fn busy(seats: &Arc<Seats>, connection: &Arc<Connection>) -> Busy {
        seats.remove(connection);
        Busy { seats: Arc::clone(seats), connection: Arc::clone(connection) }
    }

    /// Ends when somebody else is to have the seat.
    pub(super) async fn asked_to_leave(&self) {
        self.connection.leave.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.remove(&self.connection);
        self.seats.counted.closed();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.seats.idle(&self.connection);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_asked(seat: &Seat) -> bool {
        seat.asked_to_leave().now_or_never().is_some()
    }

    #[tokio::test]
    async fn a_newcomer_gets_the_seat_of_the_longest_idle() {
        let seats = Seats::new(3, Connections::default());
        let first = seats.take().await.unwrap();
        let second = seats.take().await.unwrap();
        let third = seats.take().await.unwrap();
        // The first has asked for something in between, so the second has been idle for longer.
        drop(Seat::busy(&seats, first.connection()));
        let newcomer = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take().await }
        });
        second.asked_to_leave().await;
        assert!(!is_asked(&first) && !is_asked(&third));
        drop(second);
        assert!(newcomer.await.unwrap().is_some());
    }

    #[tokio::test]
    async fn whoever_waits_for_an_answer_or_has_not_taken_it_keeps_its_seat() {
        let seats = Seats::new(2, Connections::default());
        let (asking, slow) = (seats.take().await.unwrap(), seats.take().await.unwrap());
        let request = Seat::busy(&seats, asking.connection());
        slow.connection().is_stalled.store(true, Ordering::Relaxed);
        let newcomer = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take().await }
        });
        tokio::task::yield_now().await;
        assert!(!is_asked(&asking) && !is_asked(&slow));
        drop(request);
        asking.asked_to_leave().await;
        drop(asking);
        assert!(newcomer.await.unwrap().is_some());
        assert!(seats.lock().since.len() <= 1);
    }
}
