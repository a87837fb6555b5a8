//! What tests do with lanes, whatever the broker.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};
use rustorium_redpanda::{Body, Change, Consumer, Delivery, Event, Lanes, Offset, Settings, Shard};

/// Far longer than anything here takes: who waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const FIRST: Shard = Shard(0);

/// Quick to see a change, and one copy of everything.
pub(crate) fn settings(servers: &[String], prefix: &str, shards: u32) -> Settings {
    let mut settings = Settings::new(servers.to_vec(), NonZeroU32::new(shards).unwrap());
    settings.topic_prefix = format!("{prefix}-");
    settings.replication = 1;
    settings.min_insync_replicas = 1;
    settings.timeouts.acknowledge = PATIENCE;
    settings.timeouts.statistics = Duration::from_millis(50);
    settings
}

/// The changes that lanes told of.
#[derive(Clone, Default)]
pub(crate) struct Changes(Arc<Mutex<Vec<Change>>>);

impl Changes {
    pub(crate) fn observer(&self) -> impl Fn(Change) + Send + Sync + 'static + use<> {
        let changes = self.clone();
        move |change| changes.0.lock().unwrap().push(change)
    }

    pub(crate) fn all(&self) -> Vec<Change> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, of: &Change) -> usize {
        self.all().iter().filter(|change| *change == of).count()
    }
}

pub(crate) fn lanes(settings: Settings) -> Lanes {
    Lanes::connect(settings, |_| {}).unwrap()
}

/// Waits for a condition.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Submits numbers to a lane and waits for all of them.
pub(crate) fn fill(lanes: &Lanes, shard: Shard, numbers: impl IntoIterator<Item = u64>) {
    let tickets: Vec<_> =
        numbers.into_iter().map(|number| lanes.submit(shard, &number.to_le_bytes()).unwrap()).collect();
    for ticket in tickets {
        ticket.wait().unwrap();
    }
}

/// The next delivery.
pub(crate) fn next(consumer: &mut Consumer) -> Delivery {
    consumer.next(PATIENCE).expect("a delivery")
}

/// The next event; records before it are passed over.
pub(crate) fn event(consumer: &mut Consumer) -> Event {
    loop {
        if let Delivery::Event(event) = next(consumer) {
            return event;
        }
    }
}

/// So many records of one lane, as numbers, each at the offset behind the one before it.
pub(crate) fn numbers(consumer: &mut Consumer, shard: Shard, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut at = consumer.position(shard).unwrap();
    while numbers.len() < count {
        match next(consumer) {
            Delivery::Record(record) if record.shard == shard => {
                assert_eq!(record.offset, at);
                at = Offset(at.0 + 1);
                let Body::Whole(bytes) = record.body else { panic!("over the limit") };
                numbers.push(u64::from_le_bytes(bytes[..].try_into().unwrap()));
            }
            Delivery::Record(_) => {}
            Delivery::Event(event) => panic!("{event:?} instead of a record"),
        }
    }
    numbers
}

/// Somebody else who can write to a topic, and does so in a way of his own.
pub(crate) fn intruder(servers: &[String], properties: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers.join(",")).set("message.max.bytes", "8000000");
    for (name, value) in properties {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

pub(crate) fn intrude(producer: &BaseProducer, topic: &str, payload: Option<&[u8]>) {
    let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(0).key(b"a key");
    record.payload = payload;
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}
