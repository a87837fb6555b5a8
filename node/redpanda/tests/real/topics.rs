//! Topics: made, checked, named where they are wrong, missed when they are gone.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
};
use rustorium_redpanda::{Event, Offset, Shard, SubmitError, TopicsError};

use crate::{
    cluster::one,
    lane::{FIRST, PATIENCE, event, fill, lanes, numbers, settings},
};

fn admin(servers: &[String]) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", servers.join(",")).create().unwrap()
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE))
}

fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn topics_are_made_once_and_found_right() {
    let cluster = one();
    let lanes = lanes(settings(&cluster.open, "made", 3));
    assert_eq!(lanes.prepare().unwrap(), [Shard(0), Shard(1), Shard(2)]);
    assert_eq!(lanes.prepare().unwrap(), []);
    now(admin(&cluster.open).delete_topics(&["made-1"], &options())).unwrap()[0].as_ref().unwrap();
    assert_eq!(lanes.prepare().unwrap(), [Shard(1)]);
}

#[test]
fn validators_that_start_at_once_agree_on_their_topics() {
    let cluster = one();
    let lanes = lanes(settings(&cluster.open, "raced", 2));
    let made: usize = thread::scope(|scope| {
        let starts: Vec<_> = (0..3).map(|_| scope.spawn(|| lanes.prepare().unwrap().len())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).sum()
    });
    // Two of them may have missed the same topic, and only one of them made it.
    assert!(made >= 2);
    assert_eq!(lanes.prepare().unwrap(), []);
}

#[test]
fn wrong_settings_are_named_with_what_mends_them() {
    let cluster = one();
    let admin = admin(&cluster.open);
    let topics = [
        NewTopic::new("wrong-0", 2, TopicReplication::Fixed(1)),
        NewTopic::new("wrong-1", 1, TopicReplication::Fixed(1))
            .set("cleanup.policy", "compact")
            .set("retention.ms", "604800000")
            .set("retention.bytes", "1000000")
            .set("max.message.bytes", "1000")
            .set("unclean.leader.election.enable", "true"),
    ];
    for made in now(admin.create_topics(&topics, &options())).unwrap() {
        made.unwrap();
    }
    let mut settings = settings(&cluster.open, "wrong", 2);
    settings.replication = 2;
    settings.min_insync_replicas = 2;
    let lanes = lanes(settings.clone());
    let error = lanes.prepare().unwrap_err();
    assert!(!error.is_transient());
    let TopicsError::Wrong(wrong) = &error else { panic!("{error}") };
    let named: Vec<_> = wrong.iter().map(|one| (&*one.topic, one.setting, &*one.found)).collect();
    for expected in [
        ("wrong-0", "partitions", "2"),
        ("wrong-0", "replication.factor", "1"),
        ("wrong-0", "retention.ms", "604800000"),
        ("wrong-0", "min.insync.replicas", "1"),
        ("wrong-1", "replication.factor", "1"),
        ("wrong-1", "cleanup.policy", "compact"),
        ("wrong-1", "retention.ms", "604800000"),
        ("wrong-1", "retention.bytes", "1000000"),
        ("wrong-1", "max.message.bytes", "1000"),
        ("wrong-1", "unclean.leader.election.enable", "true"),
    ] {
        assert!(named.contains(&expected), "{expected:?} is not among {named:?}");
    }
    let text = error.to_string();
    let broker = &cluster.open[0];
    for command in [
        format!("rpk topic alter-config wrong-1 --set retention.ms=-1 -X brokers={broker}\n"),
        format!(
            "kafka-configs.sh --bootstrap-server {broker} --alter --entity-type topics --entity-name wrong-1 \
             --add-config cleanup.policy=delete\n"
        ),
    ] {
        assert!(text.contains(&command), "{text}");
    }

    // With what the commands set, and the partitions that were not to be mended made anew, all is well.
    settings.replication = 1;
    settings.min_insync_replicas = 1;
    let mut mended = AlterConfig::new(ResourceSpecifier::Topic("wrong-1"));
    for one in wrong.iter().filter(|one| one.topic == "wrong-1" && one.setting.contains(['.', '_'])) {
        let set = one.cure.kafka.rsplit_once("--add-config ").and_then(|(_, set)| set.split_once('='));
        if let Some((_, value)) = set.filter(|(name, _)| *name == one.setting && *name != "min.insync.replicas") {
            mended = mended.set(one.setting, value);
        }
    }
    now(admin.alter_configs(&[mended], &AdminOptions::new())).unwrap()[0].as_ref().unwrap();
    now(admin.delete_topics(&["wrong-0"], &options())).unwrap()[0].as_ref().unwrap();
    let lanes = crate::lane::lanes(settings);
    crate::lane::until("mended", || lanes.prepare().is_ok());
}

#[test]
fn more_copies_than_brokers_are_refused_in_the_brokers_words() {
    let cluster = one();
    let mut settings = settings(&cluster.open, "copies", 1);
    settings.replication = 3;
    let error = lanes(settings).prepare().unwrap_err();
    assert!(matches!(&error, TopicsError::NotMade { topic, .. } if topic == "copies-0"), "{error}");
    assert!(error.to_string().contains("InvalidReplicationFactor"), "{error}");
}

#[test]
fn a_broker_that_is_not_there_is_named() {
    let mut settings = settings(&["127.0.0.1:1".to_owned()], "nowhere", 1);
    settings.timeouts.request = Duration::from_millis(200);
    let error = lanes(settings).prepare().unwrap_err();
    assert!(error.is_transient());
    assert!(error.to_string().starts_with("no broker of 127.0.0.1:1 answered: "), "{error}");
}

#[test]
fn a_deleted_topic_is_told_and_made_anew_it_is_another() {
    let cluster = one();
    let lanes = lanes(settings(&cluster.open, "gone", 1));
    lanes.prepare().unwrap();
    fill(&lanes, FIRST, 0..5);
    let mut consumer = lanes.consume(&[Offset(0)]).unwrap();
    assert_eq!(numbers(&mut consumer, FIRST, 5), [0, 1, 2, 3, 4]);
    now(admin(&cluster.open).delete_topics(&["gone-0"], &options())).unwrap()[0].as_ref().unwrap();
    assert_eq!(event(&mut consumer), Event::TopicGone { shard: FIRST });
    let error = lanes.submit(FIRST, b"nowhere").and_then(|ticket| ticket.wait()).unwrap_err();
    assert!(matches!(error, SubmitError::Refused(_)), "{error}");
    assert_eq!(lanes.prepare().unwrap(), [FIRST]);
    assert_eq!(event(&mut consumer), Event::Shrunk { shard: FIRST, position: Offset(5), high: Offset(0) });
    crate::lane::until("known again", || {
        lanes.submit(FIRST, &7_u64.to_le_bytes()).and_then(|ticket| ticket.wait()).is_ok()
    });
    consumer.place(FIRST, Offset(0)).unwrap();
    assert_eq!(numbers(&mut consumer, FIRST, 1), [7]);
}
