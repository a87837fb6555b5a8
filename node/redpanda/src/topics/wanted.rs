//! What a lane's topic has to be like, and what to type where it is not.
//!
//! A pure function over what the broker says, so that every rule is tested without one. What every broker has must be
//! told. A property that only some have is not asked of the others: Redpanda replicates by Raft and knows no unclean
//! election, Kafka knows no write caching.

use std::{collections::BTreeMap, fmt};

use crate::settings::Settings;

/// What a message weighs beside its record, at the most: the batch's header, the record's, and room.
pub const RECORD_OVERHEAD_BYTES: usize = 4_096;
/// Bytes of a message that a topic may admit at the most: what one reader takes in at once.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// A topic as the broker describes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) partitions: usize,
    /// Copies of the partition that has the fewest.
    pub(crate) replication: usize,
    pub(crate) properties: BTreeMap<String, String>,
}

/// A setting of a topic that is not as a lane needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongSetting {
    /// The topic.
    pub topic: String,
    /// The setting.
    pub setting: &'static str,
    /// What it is.
    pub found: String,
    /// What it has to be.
    pub wanted: String,
    /// What mends it.
    pub cure: Cure,
}

/// The commands that mend a setting: either of them, whichever tool is at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cure {
    /// Redpanda's tool.
    pub rpk: String,
    /// Kafka's.
    pub kafka: String,
    /// What has to be known first.
    pub caution: Option<&'static str>,
}

impl fmt::Display for WrongSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, setting, found, wanted, cure } = self;
        write!(f, "topic {topic}: {setting} is {found}, and has to be {wanted}; ")?;
        if let Some(caution) = cure.caution {
            write!(f, "{caution}; ")?;
        }
        write!(f, "mend it with\n    {}\n  or\n    {}", cure.rpk, cure.kafka)
    }
}

/// What a property has to be.
enum Rule {
    Is(String),
    OneOf(&'static [&'static str]),
    Between(u64, u64),
    AtLeast(u64),
}

impl Rule {
    fn admits(&self, value: &str) -> bool {
        let number = value.parse::<u64>();
        match self {
            Self::Is(wanted) => value == wanted,
            Self::OneOf(values) => values.contains(&value),
            Self::Between(least, most) => number.is_ok_and(|number| (*least..=*most).contains(&number)),
            Self::AtLeast(least) => number.is_ok_and(|number| number >= *least),
        }
    }

    /// The value that a new topic gets, and that commands set.
    fn value(&self) -> String {
        match self {
            Self::Is(value) => value.clone(),
            Self::OneOf(values) => values.first().copied().unwrap_or_default().to_owned(),
            Self::Between(least, _) | Self::AtLeast(least) => least.to_string(),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(value) => f.write_str(value),
            Self::OneOf(values) => f.write_str(&values.join(" or ")),
            Self::Between(least, most) => write!(f, "{least} to {most}"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

/// A property, its rule, and whether a topic is made with it: those that only some brokers know are not.
struct Property {
    name: &'static str,
    rule: Rule,
    is_set: bool,
}

fn properties(settings: &Settings) -> [Property; 7] {
    let property = |name, rule| Property { name, rule, is_set: true };
    let message_bytes = (settings.record_bytes + RECORD_OVERHEAD_BYTES) as u64;
    [
        property("cleanup.policy", Rule::Is("delete".to_owned())),
        property("retention.ms", Rule::Is("-1".to_owned())),
        property("retention.bytes", Rule::Is("-1".to_owned())),
        property("max.message.bytes", Rule::Between(message_bytes, MAX_MESSAGE_BYTES as u64)),
        property("min.insync.replicas", Rule::AtLeast(settings.min_insync_replicas.into())),
        property("unclean.leader.election.enable", Rule::Is("false".to_owned())),
        Property { name: "write.caching", rule: Rule::OneOf(&["false", "disabled"]), is_set: false },
    ]
}

/// Whether the broker told what every broker has. To a user without the right it tells nothing, and no more than that.
pub(crate) fn is_told(properties: &BTreeMap<String, String>) -> bool {
    let everywhere = ["cleanup.policy", "retention.ms", "retention.bytes", "max.message.bytes"];
    everywhere.into_iter().all(|name| properties.contains_key(name))
}

/// The properties that a lane's topic is made with.
pub(crate) fn of_new_topic(settings: &Settings) -> Vec<(&'static str, String)> {
    let set = properties(settings).into_iter().filter(|property| property.is_set);
    set.map(|property| (property.name, property.rule.value())).collect()
}

/// Everything about a topic that is not as it has to be.
pub(crate) fn judge(settings: &Settings, topic: &str, found: &Found) -> Vec<WrongSetting> {
    let commands = Commands { bootstrap: settings.bootstrap(), topic };
    let mut wrong = Vec::new();
    let mut add = |setting, found: String, wanted: String, cure| {
        wrong.push(WrongSetting { topic: topic.to_owned(), setting, found, wanted, cure });
    };
    if found.partitions != 1 {
        add("partitions", found.partitions.to_string(), "1".to_owned(), commands.delete());
    }
    let replication = usize::from(settings.replication);
    if found.replication < replication {
        let wanted = format!("at least {replication}");
        add("replication.factor", found.replication.to_string(), wanted, commands.replicate(replication));
    }
    for property in properties(settings) {
        if let Some(value) = found.properties.get(property.name)
            && !property.rule.admits(value)
        {
            let cure = commands.alter(property.name, &property.rule.value());
            add(property.name, value.clone(), property.rule.to_string(), cure);
        }
    }
    wrong
}

struct Commands<'a> {
    bootstrap: String,
    topic: &'a str,
}

impl Commands<'_> {
    fn alter(&self, name: &str, value: &str) -> Cure {
        let Self { bootstrap, topic } = self;
        Cure {
            rpk: format!("rpk topic alter-config {topic} --set {name}={value} -X brokers={bootstrap}"),
            kafka: format!(
                "kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics --entity-name {topic} \
                 --add-config {name}={value}"
            ),
            caution: None,
        }
    }

    fn replicate(&self, copies: usize) -> Cure {
        let Self { bootstrap, topic } = self;
        let brokers = (1..=copies).map(|broker| broker.to_string()).collect::<Vec<_>>().join(",");
        let plan =
            format!(r#"{{"version":1,"partitions":[{{"topic":"{topic}","partition":0,"replicas":[{brokers}]}}]}}"#);
        Cure {
            rpk: format!("rpk topic alter-config {topic} --set replication.factor={copies} -X brokers={bootstrap}"),
            kafka: format!(
                "kafka-reassign-partitions.sh --bootstrap-server {bootstrap} --execute --reassignment-json-file \
                 <(echo '{plan}')"
            ),
            caution: Some("the second command names brokers by id: put in yours"),
        }
    }

    fn delete(&self) -> Cure {
        let Self { bootstrap, topic } = self;
        Cure {
            rpk: format!("rpk topic delete {topic} -X brokers={bootstrap}"),
            kafka: format!("kafka-topics.sh --bootstrap-server {bootstrap} --delete --topic {topic}"),
            caution: Some(
                "partitions cannot be taken away: if it holds nothing of this chain, delete it, and the node makes it \
                 anew; else choose another prefix",
            ),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn settings() -> Settings {
        Settings::new(vec!["127.0.0.1:9092".to_owned()], NonZeroU32::MIN)
    }

    fn sound() -> Found {
        let properties = of_new_topic(&settings()).into_iter().map(|(name, value)| (name.to_owned(), value));
        Found { partitions: 1, replication: 3, properties: properties.collect() }
    }

    #[test]
    fn a_topic_as_it_is_made_is_right() {
        assert_eq!(judge(&settings(), "t", &sound()), []);
        let mut few = sound();
        for kafkas_own in ["min.insync.replicas", "unclean.leader.election.enable"] {
            assert!(few.properties.remove(kafkas_own).is_some());
        }
        assert_eq!(judge(&settings(), "t", &few), []);
        assert!(is_told(&few.properties));
        few.properties.remove("retention.ms");
        assert!(!is_told(&few.properties));
    }

    #[test]
    fn every_wrong_setting_is_named_with_its_cure() {
        for (name, value, wanted, set) in [
            ("cleanup.policy", "compact", "delete", "delete"),
            ("cleanup.policy", "compact,delete", "delete", "delete"),
            ("retention.ms", "604800000", "-1", "-1"),
            ("retention.bytes", "1", "-1", "-1"),
            ("max.message.bytes", "1048588", "1118209 to 67108864", "1118209"),
            ("max.message.bytes", "67108865", "1118209 to 67108864", "1118209"),
            ("min.insync.replicas", "1", "at least 2", "2"),
            ("unclean.leader.election.enable", "true", "false", "false"),
            ("write.caching", "true", "false or disabled", "false"),
        ] {
            let mut found = sound();
            found.properties.insert(name.to_owned(), value.to_owned());
            let [wrong] = judge(&settings(), "t", &found).try_into().unwrap();
            assert_eq!((wrong.setting, &*wrong.found, &*wrong.wanted), (name, value, wanted));
            let text = wrong.to_string();
            for command in [
                format!("rpk topic alter-config t --set {name}={set} -X brokers=127.0.0.1:9092"),
                format!("--alter --entity-type topics --entity-name t --add-config {name}={set}"),
            ] {
                assert!(text.contains(&command), "{text}");
            }
        }
    }

    #[test]
    fn partitions_and_copies_are_counted() {
        let found = Found { partitions: 3, replication: 1, ..sound() };
        let wrong = judge(&settings(), "t", &found);
        let text: Vec<_> = wrong.iter().map(ToString::to_string).collect();
        assert!(text[0].starts_with("topic t: partitions is 3, and has to be 1; partitions cannot be taken away"));
        assert!(text[0].contains("rpk topic delete t") && text[0].contains("kafka-topics.sh"));
        assert!(text[1].contains("replication.factor is 1, and has to be at least 3"));
        assert!(text[1].contains(r#""replicas":[1,2,3]"#) && text[1].contains("replication.factor=3"));
    }
}
