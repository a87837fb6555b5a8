//! The lanes' topics: made where they are missing, checked at every start.
//!
//! A node never changes a topic that exists: whoever set it may have had a reason, and other validators read it too.
//! It says what is wrong and what to type instead.

pub(crate) mod wanted;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    types::RDKafkaErrorCode,
};
use thiserror::Error;

use self::wanted::{Found, WrongSetting, is_told, judge, of_new_topic};
use crate::{broker_error::BrokerError, link::Link, settings::Settings, shard::Shard, wait::block_on};

/// Between two looks for a topic that was just made and is not known everywhere yet.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Why the lanes cannot be used as the broker has them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TopicsError {
    /// No broker answered; it may be different in a moment.
    #[error("no broker of {brokers} answered: {error}{}", because(.problem))]
    Unavailable {
        /// Who was asked.
        brokers: String,
        /// What the client library says.
        error: BrokerError,
        /// The newest problem of a connection, if there was one: a refused login, a certificate.
        problem: Option<String>,
    },
    /// The broker refuses to make a topic.
    #[error("topic {topic} is missing, and the broker refuses to make it: {error}")]
    NotMade {
        /// The topic.
        topic: String,
        /// Why.
        error: BrokerError,
    },
    /// The broker refuses to say how a topic is set.
    #[error("the broker does not tell the settings of topic {topic}: {error}")]
    NotTold {
        /// The topic.
        topic: String,
        /// Why.
        error: BrokerError,
    },
    /// The broker tells nothing of how a topic is set.
    #[error(
        "the broker tells nothing of the settings of topic {topic}: does this user have the right DESCRIBE_CONFIGS?"
    )]
    Untold {
        /// The topic.
        topic: String,
    },
    /// Topics that would lose records, or not take them.
    #[error("the broker's topics are not as lanes need them:\n{}", lines(.0))]
    Wrong(Vec<WrongSetting>),
}

impl TopicsError {
    /// It may pass by itself: trying again is all it takes.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

fn because(problem: &Option<String>) -> String {
    problem.as_ref().map(|problem| format!(" (lately: {problem})")).unwrap_or_default()
}

fn lines(wrong: &[WrongSetting]) -> String {
    wrong.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n")
}

/// Makes what is missing and checks everything. Returns the lanes whose topics were made.
pub(crate) fn prepare(admin: &AdminClient<Link>, settings: &Settings) -> Result<Vec<Shard>, TopicsError> {
    let topics = Topics { admin, settings };
    let mut missing = Vec::new();
    for shard in settings.all_shards() {
        if topics.shape(&settings.topic(shard))?.is_none() {
            missing.push(shard);
        }
    }
    topics.make(&missing)?;
    let mut properties = topics.properties()?;
    let mut wrong = Vec::new();
    for shard in settings.all_shards() {
        let topic = settings.topic(shard);
        let (partitions, replication) = topics.await_shape(&topic)?;
        let properties = properties.remove(&topic).unwrap_or_default();
        wrong.extend(judge(settings, &topic, &Found { partitions, replication, properties }));
    }
    if wrong.is_empty() { Ok(missing) } else { Err(TopicsError::Wrong(wrong)) }
}

struct Topics<'a> {
    admin: &'a AdminClient<Link>,
    settings: &'a Settings,
}

impl Topics<'_> {
    fn unavailable(&self, error: BrokerError) -> TopicsError {
        TopicsError::Unavailable { brokers: self.settings.bootstrap(), error, problem: None }
    }

    fn options(&self) -> AdminOptions {
        let timeout = Some(self.settings.timeouts.request);
        AdminOptions::new().request_timeout(timeout).operation_timeout(timeout)
    }

    /// Partitions, and copies of the one that has the fewest; none where there is no such topic.
    fn shape(&self, topic: &str) -> Result<Option<(usize, usize)>, TopicsError> {
        let asked = self.admin.inner().fetch_metadata(Some(topic), self.settings.timeouts.request);
        let metadata = asked.map_err(|error| self.unavailable(BrokerError::of(&error)))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
        match found.error().map(|error| BrokerError(error.into())) {
            Some(error) if error.is_topic_gone() => Ok(None),
            Some(error) if error.is_unavailable() => Err(self.unavailable(error)),
            Some(error) => Err(TopicsError::NotTold { topic: topic.to_owned(), error }),
            None => {
                let copies = found.partitions().iter().map(|partition| partition.replicas().len());
                Ok(Some((found.partitions().len(), copies.min().unwrap_or_default())))
            }
        }
    }

    /// The shape of a topic that exists, though perhaps not everywhere yet.
    fn await_shape(&self, topic: &str) -> Result<(usize, usize), TopicsError> {
        let deadline = Instant::now() + self.settings.timeouts.request;
        loop {
            match self.shape(topic) {
                Ok(Some(shape)) => return Ok(shape),
                Err(error) if !error.is_transient() || Instant::now() >= deadline => return Err(error),
                Ok(None) if Instant::now() >= deadline => {
                    return Err(self.unavailable(BrokerError(RDKafkaErrorCode::UnknownTopicOrPartition)));
                }
                Ok(None) | Err(_) => std::thread::sleep(LOOK_AGAIN),
            }
        }
    }

    fn make(&self, missing: &[Shard]) -> Result<(), TopicsError> {
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = missing.iter().map(|shard| self.settings.topic(*shard)).collect();
        let properties = of_new_topic(self.settings);
        let topics: Vec<_> = names
            .iter()
            .map(|name| {
                let topic = NewTopic::new(name, 1, TopicReplication::Fixed(self.settings.replication.into()));
                properties.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
            })
            .collect();
        let made = block_on(self.admin.create_topics(&topics, &self.options()));
        for made in made.map_err(|error| self.unavailable(BrokerError::of(&error)))? {
            match made {
                // Another validator was quicker.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    let error = BrokerError(code);
                    let unavailable = error.is_unavailable();
                    return Err(if unavailable {
                        self.unavailable(error)
                    } else {
                        TopicsError::NotMade { topic, error }
                    });
                }
            }
        }
        Ok(())
    }

    /// The properties of all topics. Of one that was just made, a broker may tell nothing for a moment.
    fn properties(&self) -> Result<BTreeMap<String, BTreeMap<String, String>>, TopicsError> {
        let mut all = BTreeMap::new();
        for shard in self.settings.all_shards() {
            let topic = self.settings.topic(shard);
            self.await_shape(&topic)?;
            let deadline = Instant::now() + self.settings.timeouts.request;
            let properties = loop {
                match self.properties_of(&topic) {
                    Ok(properties) if is_told(&properties) => break properties,
                    Ok(_) if Instant::now() < deadline => std::thread::sleep(LOOK_AGAIN),
                    Ok(_) => return Err(TopicsError::Untold { topic }),
                    Err(error) if error.is_unavailable() => return Err(self.unavailable(error)),
                    Err(error) => return Err(TopicsError::NotTold { topic, error }),
                }
            };
            all.insert(topic, properties);
        }
        Ok(all)
    }

    /// What the broker tells. rdkafka makes no difference between an error on a topic and nothing to tell.
    fn properties_of(&self, topic: &str) -> Result<BTreeMap<String, String>, BrokerError> {
        let asked = block_on(self.admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &self.options()));
        let answers = asked.map_err(|error| BrokerError::of(&error))?;
        let answer = answers.into_iter().next().unwrap_or(Err(RDKafkaErrorCode::Fail)).map_err(BrokerError)?;
        let entries = answer.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
        Ok(entries.collect())
    }
}
