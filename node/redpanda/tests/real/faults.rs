//! Brokers that stop, are killed and come back, under load: what was acknowledged is there, once, in its order.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};
use rustorium_redpanda::{
    Body, Change, Consumer, Delivery, Failures, Lanes, Offset, Role, Settings, SubmitError, Ticket,
};

use crate::{
    cluster::{one_to_myself, three_to_myself},
    lane::{Changes, FIRST, PATIENCE, settings, until},
};

/// Submits numbers one after the other, as fast as the queue takes them, until told to stop.
fn load(lanes: &Lanes, stop: &AtomicBool) -> Vec<Ticket> {
    let mut tickets = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match lanes.submit(FIRST, &(tickets.len() as u64).to_le_bytes()) {
            Ok(ticket) => tickets.push(ticket),
            Err(SubmitError::QueueFull) => {}
            Err(error) => panic!("{error}"),
        }
        // A few thousand a second: the fault is to happen among them, not behind them.
        thread::sleep(Duration::from_micros(200));
    }
    tickets
}

/// The numbers that the lane has, read while it is filled.
fn read(consumer: &mut Consumer, done: &AtomicBool, lanes: &Lanes) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut ended = None;
    loop {
        match consumer.next(Duration::from_millis(20)) {
            Some(Delivery::Record(record)) => {
                assert_eq!(record.offset, Offset(numbers.len() as u64));
                let Body::Whole(bytes) = record.body else { panic!("over the limit") };
                numbers.push(u64::from_le_bytes(bytes[..].try_into().unwrap()));
            }
            Some(Delivery::Event(event)) => panic!("{event:?}"),
            None if done.load(Ordering::Relaxed) && is_end(lanes, numbers.len()) => return numbers,
            None if done.load(Ordering::Relaxed) => {
                let since = *ended.get_or_insert_with(Instant::now);
                assert!(since.elapsed() < PATIENCE, "in vain: the lane's end, at {}", numbers.len());
            }
            None => {}
        }
    }
}

fn is_end(lanes: &Lanes, records: usize) -> bool {
    lanes.bounds(FIRST).is_ok_and(|bounds| bounds.high == Offset(records as u64))
}

/// Ends the load and the reading with the test, however that ends: else its failure would wait for them for ever.
struct End<'a>(&'a AtomicBool, &'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.store(true, Ordering::Relaxed);
    }
}

/// Lanes under load, read from the beginning, while something befalls the brokers.
fn under_load(settings: Settings, befall: impl FnOnce(&Lanes, &Changes)) {
    let changes = Changes::default();
    let lanes = Lanes::connect(settings, changes.observer()).unwrap();
    lanes.prepare().unwrap();
    let (stop, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut consumer = lanes.consume(&[Offset(0)]).unwrap();
    let (sent, found) = thread::scope(|scope| {
        let loading = scope.spawn(|| load(&lanes, &stop));
        let reading = scope.spawn(|| read(&mut consumer, &done, &lanes));
        let _end = End(&stop, &done);
        until("load", || lanes.snapshot().acknowledged > 500);
        befall(&lanes, &changes);
        let before = lanes.snapshot().acknowledged;
        until("load goes on", || lanes.snapshot().acknowledged > before + 500);
        stop.store(true, Ordering::Relaxed);
        let tickets = loading.join().unwrap();
        let sent = tickets.len() as u64;
        for (number, ticket) in tickets.into_iter().enumerate() {
            let acknowledged = ticket.wait().unwrap();
            // Where the answer was lost, the broker only says that it has it.
            assert!(acknowledged.offset.is_none_or(|offset| offset == Offset(number as u64)));
        }
        done.store(true, Ordering::Relaxed);
        (sent, reading.join().unwrap())
    });
    assert_eq!(found, (0..sent).collect::<Vec<_>>(), "nothing lost, nothing twice, nothing out of order");
}

#[test]
fn a_broker_restarts_under_load() {
    let cluster = one_to_myself();
    under_load(settings(&cluster.open, "restarted", 1), |_, changes| {
        for signal in ["TERM", "KILL"] {
            let count = |change| changes.count(&change);
            let (down, up) = (count(Change::Down(Role::Producer)), count(Change::Up(Role::Producer)));
            cluster.stop(1, signal);
            until("noticed", || count(Change::Down(Role::Producer)) > down && count(Change::Down(Role::Consumer)) > 0);
            cluster.restart(1);
            until("noticed", || count(Change::Up(Role::Producer)) > up && count(Change::Up(Role::Consumer)) > 1);
        }
    });
}

#[test]
fn one_of_three_brokers_is_killed_under_load() {
    let cluster = three_to_myself();
    let mut settings = settings(&cluster.open, "killed", 1);
    settings.replication = 3;
    settings.min_insync_replicas = 2;
    let topic = settings.topic(FIRST);
    under_load(settings, |lanes, _| {
        // The one that the lane is written to and read from.
        let (leader, _) = copies(&cluster.open, &topic);
        cluster.stop(leader, "KILL");
        let before = lanes.snapshot().acknowledged;
        until("two of three go on", || lanes.snapshot().acknowledged > before + 500);
        cluster.restart(leader);
        until("all are in sync", || copies(&cluster.open, &topic).1 == 3);
        let failed = lanes.snapshot().failed;
        // A full queue only made the load wait.
        assert_eq!(failed, Failures { queue_full: failed.queue_full, ..Failures::default() });
    });
}

/// The broker that leads a topic, and how many copies are in sync.
fn copies(servers: &[String], topic: &str) -> (u32, usize) {
    let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", servers.join(",")).create().unwrap();
    let metadata = client.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let partition = metadata.topics()[0].partitions().first();
    partition.map_or((0, 0), |partition| (partition.leader() as u32, partition.isr().len()))
}
