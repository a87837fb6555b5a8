//! Waiting without an I/O runtime: a [`Promise`] is kept once, its [`Handle`] blocks or is awaited.
//!
//! The chain knows no tokio, and its callers do: a handle is a plain [`Future`] that any executor polls, and
//! [`Handle::wait`] parks a thread. Invariant: a handle always ends, because a promise that is dropped
//! unkept answers [`Stopped`].

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use thiserror::Error;

/// Whoever would have answered is gone: the chain stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the chain stopped before it could answer")]
pub struct Stopped;

/// The side that answers.
#[derive(Debug)]
pub struct Promise<T> {
    shared: Arc<Shared<T>>,
}

/// The side that waits.
#[derive(Debug)]
pub struct Handle<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    answered: Condvar,
}

#[derive(Debug)]
struct State<T> {
    answer: Option<Result<T, Stopped>>,
    /// Set once, so that dropping a promise that was kept changes nothing.
    kept: bool,
    waker: Option<Waker>,
}

/// A promise and the handle that waits for it.
pub fn promise<T>() -> (Promise<T>, Handle<T>) {
    let state = State { answer: None, kept: false, waker: None };
    let shared = Arc::new(Shared { state: Mutex::new(state), answered: Condvar::new() });
    (Promise { shared: Arc::clone(&shared) }, Handle { shared })
}

impl<T> Promise<T> {
    /// Answers.
    pub fn keep(self, value: T) {
        self.shared.answer(Ok(value));
    }

    /// True if nobody waits any more.
    pub fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.shared.answer(Err(Stopped));
    }
}

impl<T> Handle<T> {
    /// A handle whose answer is known.
    pub fn ready(value: T) -> Self {
        let (promise, handle) = promise();
        promise.keep(value);
        handle
    }

    /// Blocks until there is an answer.
    ///
    /// # Errors
    /// [`Stopped`] if there will be none.
    pub fn wait(self) -> Result<T, Stopped> {
        let mut state = self.shared.lock();
        loop {
            if let Some(answer) = state.answer.take() {
                return answer;
            }
            state = self.shared.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Blocks until there is an answer, at most this long; the handle itself if there was none.
    ///
    /// # Errors
    /// The handle, to wait on.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<T, Stopped>, Self> {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.lock();
        loop {
            if let Some(answer) = state.answer.take() {
                return Ok(answer);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(state);
                return Err(self);
            }
            state = self.shared.answered.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<T> Future for Handle<T> {
    type Output = Result<T, Stopped>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.lock();
        match state.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, answer: Result<T, Stopped>) {
        let mut state = self.lock();
        if state.kept {
            return;
        }
        state.kept = true;
        state.answer = Some(answer);
        let waker = state.waker.take();
        drop(state);
        self.answered.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU32, Ordering},
        task::Wake,
        thread,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_blocked_thread_gets_the_answer() {
        let (promise, handle) = promise();
        let waiting = thread::spawn(move || handle.wait());
        promise.keep(7);
        assert_eq!(waiting.join().ok(), Some(Ok(7)));
    }

    #[test]
    fn a_dropped_promise_answers_stopped() {
        let (promise, handle) = promise::<u8>();
        drop(promise);
        assert_eq!(handle.wait(), Err(Stopped));
    }

    #[test]
    fn a_task_is_woken_once_and_then_ready() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let (promise, mut handle) = promise();
        assert_eq!(Pin::new(&mut handle).poll(&mut context), Poll::Pending);
        promise.keep(1);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(Pin::new(&mut handle).poll(&mut context), Poll::Ready(Ok(1)));
    }

    #[test]
    fn a_timeout_gives_the_handle_back() {
        let (promise, handle) = promise();
        let Err(handle) = handle.wait_timeout(Duration::from_millis(1)) else {
            unreachable!("nobody answered");
        };
        promise.keep(3);
        assert_eq!(handle.wait(), Ok(3));
    }
}
