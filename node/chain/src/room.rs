//! Whether there is room on the disk, and waiting for it.
//!
//! A full disk is no fault: nothing is broken, and somebody may make room. So the log refuses what is submitted and
//! tries again ([`Pause`]), and a commit of the database waits inside its write ([`Room::wait`]), while reads go on.
//! Only a running chain waits: one that is being opened or shut down fails instead, in words.

use std::{
    io,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Until the first try after a full disk was met: a log file that was just deleted has often made room by then.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Between tries on a disk that stays full.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What lacks room, for the stages and for those who ask.
#[derive(Debug, Default)]
pub struct Room {
    log: AtomicBool,
    database: AtomicBool,
    /// Whether anybody may wait.
    is_patient: Mutex<bool>,
    changed: Condvar,
}

impl Room {
    /// The log finds no room: nothing is accepted.
    pub fn log_is_full(&self) -> bool {
        self.log.load(Ordering::Relaxed)
    }

    /// The database finds no room: blocks stay in memory and in the log.
    pub fn database_is_full(&self) -> bool {
        self.database.load(Ordering::Relaxed)
    }

    /// Notes whether the log has room; true if that is news.
    pub(crate) fn set_log(&self, is_full: bool) -> bool {
        self.log.swap(is_full, Ordering::Relaxed) != is_full
    }

    /// From now on, commits wait for room.
    pub(crate) fn be_patient(&self) {
        *self.lock() = true;
    }

    /// From now on, nobody waits for room, and those who do give up.
    pub(crate) fn give_up(&self) {
        *self.lock() = false;
        self.changed.notify_all();
    }

    /// Whether commits wait for room: the chain runs, and nobody has told it to stop.
    pub(crate) fn is_patient(&self) -> bool {
        *self.lock()
    }

    /// Does what needs room in the database's file, again and again until there is some.
    pub(crate) fn patiently(&self, mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        let mut pause = Pause::default();
        loop {
            let outcome = attempt();
            let is_full = outcome.as_ref().is_err_and(is_full);
            if self.database.swap(is_full, Ordering::Relaxed) != is_full {
                if is_full {
                    tracing::error!("the disk is full: blocks stay in memory and in the log until there is room");
                } else {
                    tracing::info!("there is room again: blocks are committed");
                }
            }
            if !is_full || !self.wait(pause.next()) {
                return outcome;
            }
        }
    }

    /// Waits a moment; false if nobody may.
    fn wait(&self, pause: Duration) -> bool {
        let is_patient = self.lock();
        let waited = self.changed.wait_timeout_while(is_patient, pause, |is_patient| *is_patient);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_patient.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait between tries: doubled each time, to [`LONGEST_PAUSE`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pause {
    /// The next one.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// Whether an error says that there is no room: on the disk, or in somebody's share of it.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
