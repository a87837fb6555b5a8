//! What must hold on a real broker.

mod faults;
mod secured;
mod topics;

use rdkafka::producer::{BaseRecord, Producer};
use rustorium_redpanda::{Body, Delivery, Event, Offset, RetentionError, Shard};

use crate::{
    cluster::one,
    lane::{FIRST, PATIENCE, event, fill, intrude, intruder, lanes, next, numbers, settings, until},
};

#[test]
fn ten_thousand_records_come_out_as_they_went_in() {
    let cluster = one();
    let lanes = lanes(settings(&cluster.open, "order", 3));
    lanes.prepare().unwrap();
    let mut tickets = Vec::new();
    for number in 0..10_000_u64 {
        tickets.push(lanes.submit(Shard((number % 3) as u32), &number.to_le_bytes()).unwrap());
    }
    for (number, ticket) in (0..10_000).zip(tickets) {
        assert_eq!(ticket.wait().unwrap().offset, Some(Offset(number / 3)));
    }
    // Each lane from another place, as after a restart.
    let from = [0, 1_000, 3_000];
    let mut consumer = lanes.consume(&from.map(Offset)).unwrap();
    let mut expected = from;
    let mut left: u64 = 10_000 - 4_000;
    while left > 0 {
        let Delivery::Record(record) = next(&mut consumer) else { panic!("an event") };
        let lane = record.shard.0 as usize;
        let number = expected[lane] * 3 + lane as u64;
        assert_eq!(
            (record.offset, record.body),
            (Offset(expected[lane]), Body::Whole(number.to_le_bytes().to_vec().into()))
        );
        expected[lane] += 1;
        left -= 1;
    }
    let snapshot = lanes.snapshot();
    assert_eq!((snapshot.acknowledged, snapshot.queued_records), (10_000, 0));
    assert_eq!(snapshot.lanes.iter().map(|lane| lane.records).sum::<u64>(), 6_000);
    until("no lag", || {
        assert_eq!(consumer.next(std::time::Duration::from_millis(1)), None);
        lanes.snapshot().lanes.iter().all(|lane| lane.lag == Some(0))
    });
}

#[test]
fn deleted_records_are_missed_where_they_are_wanted() {
    let cluster = one();
    let lanes = lanes(settings(&cluster.open, "deleted", 2));
    lanes.prepare().unwrap();
    fill(&lanes, FIRST, 0..100);
    assert_eq!(lanes.delete_below(FIRST, Offset(60)), Ok(Offset(60)));
    assert_eq!(lanes.bounds(FIRST).unwrap().low, Offset(60));
    let mut consumer = lanes.consume(&[Offset(59), Offset(0)]).unwrap();
    assert_eq!(event(&mut consumer), Event::Truncated { shard: FIRST, position: Offset(59), low: Offset(60) });
    consumer.place(FIRST, Offset(60)).unwrap();
    assert_eq!(numbers(&mut consumer, FIRST, 40), (60..100).collect::<Vec<_>>());
    // What was deleted stays so, and below it there is nothing to delete.
    assert_eq!(lanes.delete_below(FIRST, Offset(10)), Ok(Offset(60)));
    let beyond = lanes.delete_below(FIRST, Offset(101));
    assert!(matches!(&beyond, Err(RetentionError::BeyondEnd { below: Offset(101), .. })), "{beyond:?}");
    fill(&lanes, FIRST, [100]);
    assert_eq!(numbers(&mut consumer, FIRST, 1), [100]);
}

#[test]
fn junk_of_every_kind_stops_nothing() {
    let cluster = one();
    let settings = settings(&cluster.open, "junk", 1);
    let (limit, topic) = (settings.record_bytes, settings.topic(FIRST));
    let lanes = lanes(settings);
    lanes.prepare().unwrap();
    // Every codec that a topic admits, for whoever writes chooses.
    let mut written = 0;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let intruder = intruder(&cluster.open, &[("compression.type", codec)]);
        intrude(&intruder, &topic, Some(codec.repeat(2_000).as_bytes()));
        intrude(&intruder, &topic, None);
        // Compressed, a batch may weigh less than the topic's limit, and its record more than ours.
        let oversize = vec![1; limit + 1];
        if codec != "none" {
            intrude(&intruder, &topic, Some(&oversize));
            written += 1;
        }
        written += 2;
    }
    fill(&lanes, FIRST, [1]);
    let mut consumer = lanes.consume(&[Offset(0)]).unwrap();
    let mut oversize = 0;
    for offset in 0..written {
        let Delivery::Record(record) = next(&mut consumer) else { panic!("an event") };
        assert_eq!(record.offset, Offset(offset));
        oversize += u64::from(matches!(record.body, Body::Oversize { length, .. } if length == limit as u64 + 1));
    }
    assert_eq!(oversize, 4);
    assert_eq!(numbers(&mut consumer, FIRST, 1), [1]);
}

#[test]
fn somebody_elses_transactions_leave_gaps_and_their_records() {
    let cluster = one();
    let settings = settings(&cluster.open, "gaps", 1);
    let topic = settings.topic(FIRST);
    let lanes = lanes(settings);
    lanes.prepare().unwrap();
    let intruder = intruder(&cluster.open, &[("transactional.id", "somebody")]);
    intruder.init_transactions(PATIENCE).unwrap();
    intruder.begin_transaction().unwrap();
    let record = BaseRecord::<(), [u8]>::to(&topic).partition(0).payload(b"aborted\0");
    intruder.send(record).map_err(|(error, _)| error).unwrap();
    intruder.flush(PATIENCE).unwrap();
    intruder.abort_transaction(PATIENCE).unwrap();
    // The marker comes in its own time.
    until("the marker is written", || lanes.bounds(FIRST).unwrap().high == Offset(2));
    fill(&lanes, FIRST, [2]);
    let mut consumer = lanes.consume(&[Offset(0)]).unwrap();
    assert_eq!(numbers(&mut consumer, FIRST, 1), [u64::from_le_bytes(*b"aborted\0")], "bytes are bytes");
    let skipped = Event::Skipped { shard: FIRST, expected: Offset(1), found: Offset(2) };
    assert_eq!(next(&mut consumer), Delivery::Event(skipped));
    let Delivery::Record(record) = next(&mut consumer) else { panic!("an event") };
    assert_eq!(record.offset, Offset(2));
}
