//! Our call beside somebody's, in one group of criterion's: on one thread, or on two at once.

use std::sync::mpsc::{Receiver, Sender, channel};

use criterion::{Criterion, Throughput};

use crate::chain::Repeated;

/// Calls of one measurement, on each thread.
const BATCH: u64 = 64;

/// One call, of some thread.
pub(crate) type Call = Box<dyn FnMut() + Send>;

/// On one thread.
pub(crate) fn on_one_thread(
    criterion: &mut Criterion,
    figure: &str,
    ours: &Repeated,
    peer: &str,
    mut theirs: impl FnMut(),
) {
    let mut group = criterion.benchmark_group(figure);
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("rustorium", |bencher| bencher.iter(|| (0..BATCH).for_each(|_| ours.execute())));
    group.bench_function(peer, |bencher| bencher.iter(|| (0..BATCH).for_each(|_| theirs())));
    group.finish();
}

/// On two threads at once.
pub(crate) fn on_two_threads(
    criterion: &mut Criterion,
    figure: &str,
    ours: &Repeated,
    peer: &str,
    theirs: impl Fn() -> Call,
) {
    let mut group = criterion.benchmark_group(figure);
    group.throughput(Throughput::Elements(2 * BATCH));
    let our_call = || -> Call {
        let ours = ours.clone();
        Box::new(move || ours.execute())
    };
    for (name, call) in [("rustorium", &our_call as &dyn Fn() -> Call), (peer, &theirs)] {
        let threads = [Worker::start(call()), Worker::start(call())];
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                threads.iter().for_each(Worker::begin);
                threads.iter().for_each(Worker::wait);
            });
        });
    }
    group.finish();
}

/// A thread that makes a batch of calls whenever it is told to.
struct Worker {
    begin: Sender<()>,
    done: Receiver<()>,
}

impl Worker {
    fn start(mut call: Call) -> Self {
        let (begin, begun) = channel();
        let (finish, done) = channel();
        // Executions belong on a thread that is deep enough.
        rustorium_runtime::spawn("call", move || {
            while begun.recv().is_ok() {
                (0..BATCH).for_each(|_| call());
                finish.send(()).unwrap();
            }
        })
        .unwrap();
        Self { begin, done }
    }

    fn begin(&self) {
        self.begin.send(()).unwrap();
    }

    fn wait(&self) {
        self.done.recv().unwrap();
    }
}
