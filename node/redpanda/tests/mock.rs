//! Faults, injected into librdkafka's mock of a cluster.

use std::time::Duration;

use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey as Api, RDKafkaRespErr as Answer},
};
use rustorium_redpanda::{
    Body, Change, ConsumeError, Delivery, Event, LaneRecord, Lanes, Offset, Role, Settings, Shard, SubmitError,
};

use crate::lane::{Changes, FIRST, PATIENCE, event, fill, intrude, intruder, lanes, next, numbers, settings, until};

type Mock = MockCluster<'static, DefaultProducerContext>;

/// Three brokers and two lanes on them.
fn mock() -> (Mock, Settings) {
    let mock = MockCluster::new(3).unwrap();
    let servers: Vec<_> = mock.bootstrap_servers().split(',').map(str::to_owned).collect();
    let settings = settings(&servers, "mock", 2);
    for shard in settings.all_shards() {
        mock.create_topic(&settings.topic(shard), 1, 3).unwrap();
    }
    (mock, settings)
}

fn connect(settings: Settings) -> (Lanes, Changes) {
    let changes = Changes::default();
    (Lanes::connect(settings, changes.observer()).unwrap(), changes)
}

#[test]
fn what_passes_is_tried_again_and_stored_once() {
    let (mock, settings) = mock();
    let lanes = lanes(settings);
    let errors = [
        Answer::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Answer::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        Answer::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        Answer::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        Answer::RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    for (number, error) in errors.into_iter().enumerate() {
        mock.request_errors(Api::Produce, &[error, error]);
        fill(&lanes, FIRST, [number as u64]);
    }
    let mut consumer = lanes.consume(&[Offset(0); 2]).unwrap();
    assert_eq!(numbers(&mut consumer, FIRST, errors.len()), [0, 1, 2, 3, 4]);
    assert_eq!(lanes.bounds(FIRST).unwrap().high, Offset(5));
    assert_eq!(lanes.snapshot().acknowledged, 5);
}

#[test]
fn order_is_kept_while_batches_fail_and_leaders_change() {
    let (mock, settings) = mock();
    let topic = settings.topic(FIRST);
    let lanes = lanes(settings);
    let mut tickets = Vec::new();
    for number in 0..2_000_u64 {
        if number % 400 == 0 {
            mock.request_errors(Api::Produce, &[Answer::RD_KAFKA_RESP_ERR__TRANSPORT]);
            mock.partition_leader(&topic, 0, Some(1 + (number / 400 % 3) as i32)).unwrap();
        }
        tickets.push(lanes.submit(FIRST, &number.to_le_bytes()).unwrap());
    }
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    let mut consumer = lanes.consume(&[Offset(0); 2]).unwrap();
    assert_eq!(numbers(&mut consumer, FIRST, 2_000), (0..2_000).collect::<Vec<_>>());
}

#[test]
fn a_refusal_says_why() {
    let (mock, settings) = mock();
    let limit = settings.record_bytes;
    let lanes = lanes(settings);
    let too_large = |bytes| Err(SubmitError::TooLarge { bytes, limit });
    assert_eq!(lanes.submit(FIRST, &vec![0; limit + 1]).map(drop), too_large(limit + 1));
    lanes.submit(FIRST, &vec![0; limit]).unwrap().wait().unwrap();
    assert_eq!(lanes.submit(Shard(2), b"").map(drop), Err(SubmitError::NoSuchShard(Shard(2))));

    mock.request_errors(Api::Produce, &[Answer::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    assert_eq!(lanes.submit(FIRST, b"abc").unwrap().wait().map(drop), too_large(3));

    mock.request_errors(Api::Produce, &[Answer::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    let error = lanes.submit(FIRST, b"abc").unwrap().wait().unwrap_err();
    assert!(matches!(error, SubmitError::Refused(code) if code.number() == 29), "{error}");
    assert!(error.is_settled());
    let failed = lanes.snapshot().failed;
    assert_eq!((failed.too_large, failed.refused), (2, 2));
}

#[test]
fn a_full_queue_refuses_and_what_waits_goes_on_when_the_broker_is_back() {
    let (mock, mut settings) = mock();
    settings.queue_records = 10;
    let (lanes, changes) = connect(settings);
    fill(&lanes, FIRST, [0]);
    until("connected", || changes.count(&Change::Up(Role::Producer)) == 1);
    mock.broker_down(-1).unwrap();
    until("noticed", || changes.count(&Change::Down(Role::Producer)) == 1);
    let waiting: Vec<_> = (1..=10_u64).map(|number| lanes.submit(FIRST, &number.to_le_bytes()).unwrap()).collect();
    let refused = lanes.submit(FIRST, b"one more").unwrap_err();
    assert!(refused == SubmitError::QueueFull && refused.is_settled());
    let snapshot = lanes.snapshot();
    assert_eq!((snapshot.queued_records, snapshot.queued_bytes, snapshot.failed.queue_full), (10, 80, 1));
    assert_eq!(snapshot.brokers_connected, 0);

    mock.broker_up(-1).unwrap();
    for ticket in waiting {
        ticket.wait().unwrap();
    }
    until("noticed", || changes.count(&Change::Up(Role::Producer)) == 2);
    fill(&lanes, FIRST, [11]);
    let mut consumer = lanes.consume(&[Offset(0); 2]).unwrap();
    assert_eq!(numbers(&mut consumer, FIRST, 12), (0..12).collect::<Vec<_>>());
    assert_eq!(lanes.snapshot().queued_records, 0);
}

#[test]
fn a_broker_that_stays_away_and_one_that_is_slow_are_told_apart() {
    let (mock, mut settings) = mock();
    settings.timeouts.acknowledge = Duration::from_millis(300);
    let (lanes, changes) = connect(settings);
    // The first record also waits for the producer's id.
    until("connected", || lanes.submit(FIRST, b"").unwrap().wait().is_ok());
    until("connected", || changes.count(&Change::Up(Role::Producer)) == 1);
    mock.broker_round_trip_time(-1, Duration::from_secs(2)).unwrap();
    let error = lanes.submit(FIRST, b"slow").unwrap().wait().unwrap_err();
    assert!(error == SubmitError::TimedOut && !error.is_settled());
    mock.broker_round_trip_time(-1, Duration::ZERO).unwrap();
    mock.broker_down(-1).unwrap();
    until("noticed", || changes.count(&Change::Down(Role::Producer)) == 1);
    let error = lanes.submit(FIRST, b"away").unwrap().wait().unwrap_err();
    assert!(error == SubmitError::Unavailable && !error.is_settled());
}

#[test]
fn the_round_trip_is_measured() {
    let (mock, settings) = mock();
    let lanes = lanes(settings);
    mock.broker_round_trip_time(-1, Duration::from_millis(40)).unwrap();
    until("measured", || {
        fill(&lanes, FIRST, [0]);
        lanes.snapshot().round_trip.is_some_and(|trip| trip.mean >= Duration::from_millis(40) && trip.p99 >= trip.mean)
    });
}

#[test]
fn a_producer_that_was_fenced_off_is_replaced() {
    let (mock, settings) = mock();
    // What makes librdkafka give a producer up for good.
    mock.request_errors(Api::InitProducerId, &[Answer::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED]);
    let (lanes, changes) = connect(settings);
    let first = lanes.submit(FIRST, &0_u64.to_le_bytes()).unwrap().wait();
    let error = first.unwrap_err();
    assert!(error == SubmitError::Fenced && !error.is_settled());
    fill(&lanes, FIRST, [1, 2]);
    let renewed = |change: &Change| matches!(change, Change::ProducerRenewed { error, .. } if error.number() == 31);
    assert_eq!(changes.all().iter().filter(|change| renewed(change)).count(), 1);
    let mut consumer = lanes.consume(&[Offset(0); 2]).unwrap();
    assert_eq!(numbers(&mut consumer, FIRST, 2), [1, 2]);
}

#[test]
fn closing_answers_what_waits() {
    let (mock, settings) = mock();
    let lanes = lanes(settings);
    fill(&lanes, FIRST, [0]);
    mock.broker_down(-1).unwrap();
    let ticket = lanes.submit(FIRST, b"waits").unwrap();
    assert!(!lanes.flush(Duration::from_millis(1)));
    drop(lanes);
    assert_eq!(ticket.wait(), Err(SubmitError::Stopped));
}

#[test]
fn reading_goes_on_over_errors_leaders_and_outages() {
    let (mock, settings) = mock();
    let topic = settings.topic(FIRST);
    let (lanes, changes) = connect(settings);
    fill(&lanes, FIRST, 0..10);
    let mut consumer = lanes.consume(&[Offset(0); 2]).unwrap();
    assert_eq!(numbers(&mut consumer, FIRST, 10), (0..10).collect::<Vec<_>>());
    let errors = [
        Answer::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Answer::RD_KAFKA_RESP_ERR__TRANSPORT,
        // The position is there: it was out of reach for a moment.
        Answer::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
    ];
    for (number, error) in (10..).zip(errors) {
        mock.request_errors(Api::Fetch, &[error]);
        fill(&lanes, FIRST, [number]);
        assert_eq!(numbers(&mut consumer, FIRST, 1), [number]);
    }
    mock.partition_leader(&topic, 0, Some(2)).unwrap();
    fill(&lanes, FIRST, [13]);
    assert_eq!(numbers(&mut consumer, FIRST, 1), [13]);

    mock.broker_down(-1).unwrap();
    until("noticed", || {
        assert_eq!(consumer.next(Duration::from_millis(1)), None);
        changes.count(&Change::Down(Role::Consumer)) == 1
    });
    mock.broker_up(-1).unwrap();
    fill(&lanes, FIRST, [14]);
    assert_eq!(numbers(&mut consumer, FIRST, 1), [14]);
    until("noticed", || {
        assert_eq!(consumer.next(Duration::from_millis(1)), None);
        changes.count(&Change::Up(Role::Consumer)) == 2
    });
}

#[test]
fn a_position_that_is_gone_stops_its_lane_alone() {
    let (_mock, settings) = mock();
    let lanes = lanes(settings);
    fill(&lanes, FIRST, 0..3);
    fill(&lanes, Shard(1), 0..3);
    let mut consumer = lanes.consume(&[Offset(7), Offset(1)]).unwrap();
    assert_eq!(event(&mut consumer), Event::Shrunk { shard: FIRST, position: Offset(7), high: Offset(3) });
    consumer.place(Shard(1), Offset(1)).unwrap();
    assert_eq!(numbers(&mut consumer, Shard(1), 2), [1, 2]);
    fill(&lanes, FIRST, [3]);
    fill(&lanes, Shard(1), [3]);
    assert_eq!(numbers(&mut consumer, Shard(1), 1), [3], "the other lane goes on");
    consumer.place(FIRST, Offset(2)).unwrap();
    assert_eq!(numbers(&mut consumer, FIRST, 2), [2, 3]);
    assert_eq!(consumer.position(FIRST), Some(Offset(4)));
    assert!(matches!(consumer.place(Shard(2), Offset(0)), Err(ConsumeError::NoSuchShard(Shard(2)))));
    assert!(matches!(lanes.consume(&[]), Err(ConsumeError::Positions { lanes: 2, positions: 0 })));
}

#[test]
fn a_paused_lane_waits_and_a_flooded_one_delays_nobody() {
    let (_mock, mut settings) = mock();
    settings.ahead_bytes = 64 << 10;
    let lanes = lanes(settings);
    fill(&lanes, FIRST, 0..20_000);
    fill(&lanes, Shard(1), 0..100);
    let mut consumer = lanes.consume(&[Offset(0); 2]).unwrap();
    // Both lanes have something from here on.
    let mut seen = [0_u64; 2];
    while seen.contains(&0) {
        let Delivery::Record(record) = next(&mut consumer) else { panic!("an event") };
        seen[record.shard.0 as usize] += 1;
    }
    let before = seen[0];
    while seen[1] < 100 {
        let Delivery::Record(record) = next(&mut consumer) else { panic!("an event") };
        seen[record.shard.0 as usize] += 1;
    }
    assert!(seen[0] - before < 5_000, "{} records of a flood before 100 of another lane", seen[0] - before);

    consumer.pause(FIRST);
    fill(&lanes, Shard(1), 100..200);
    assert_eq!(numbers(&mut consumer, Shard(1), 100), (100..200).collect::<Vec<_>>());
    assert_eq!(consumer.position(FIRST), Some(Offset(seen[0])));
    consumer.resume(FIRST);
    let rest = numbers(&mut consumer, FIRST, 20_000 - seen[0] as usize);
    assert_eq!(rest, (seen[0]..20_000).collect::<Vec<_>>());
    until("the lag is known", || {
        assert_eq!(consumer.next(Duration::from_millis(1)), None);
        lanes.snapshot().lanes.iter().all(|lane| lane.lag == Some(0))
    });
}

#[test]
fn junk_over_the_limit_is_its_length_and_hash() {
    let (mock, settings) = mock();
    let (limit, topic) = (settings.record_bytes, settings.topic(FIRST));
    let lanes = lanes(settings);
    let servers = [mock.bootstrap_servers()];
    let intruder = intruder(&servers, &[]);
    let junk = vec![7; limit + 1];
    for payload in [None, Some(&junk[..]), Some(&junk[1..])] {
        intrude(&intruder, &topic, payload);
    }
    let mut consumer = lanes.consume(&[Offset(0); 2]).unwrap();
    let mut body = || match next(&mut consumer) {
        Delivery::Record(LaneRecord { body, .. }) => body,
        Delivery::Event(event) => panic!("{event:?}"),
    };
    assert_eq!(body(), Body::Whole(bytes::Bytes::new()), "a record without a value is an empty one");
    let Body::Oversize { length, hash } = body() else { panic!("over the limit") };
    assert_eq!(length, limit as u64 + 1);
    assert_eq!(hash.0, rustorium_types::record::oversize(&junk)[9..]);
    assert_eq!(body(), Body::Whole(junk[1..].to_vec().into()), "just within the limit");
    assert_eq!(lanes.snapshot().lanes[0].oversize, 1);
}

#[test]
fn a_topic_that_is_gone_is_told_once() {
    let (mock, settings) = mock();
    let topic = settings.topic(FIRST);
    let lanes = lanes(settings);
    fill(&lanes, FIRST, [0]);
    let mut consumer = lanes.consume(&[Offset(0); 2]).unwrap();
    assert_eq!(numbers(&mut consumer, FIRST, 1), [0]);
    mock.topic_error(&topic, Answer::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    // The next look at the topic, which an error brings about.
    mock.request_errors(Api::Fetch, &[Answer::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART; 3]);
    assert_eq!(event(&mut consumer), Event::TopicGone { shard: FIRST });
    mock.topic_error(&topic, Answer::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    fill(&lanes, FIRST, [1]);
    assert_eq!(numbers(&mut consumer, FIRST, 1), [1]);
    assert!(lanes.flush(PATIENCE));
}
