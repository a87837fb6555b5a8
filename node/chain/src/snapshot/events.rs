//! Events by contract, name, indexed field and transaction, in both directions, from any place.
//!
//! One index gives candidates in order, from the database and from the blocks that are not in it yet; what the
//! query asks beyond that is checked for each. Which index:
//!
//! ```text
//! transaction        that block's events
//! fields             field_index of the first field; the other fields by look-up
//! contract, name     event_index of the topic
//! nothing            all blocks that have events
//! ```

use std::ops::RangeInclusive;

use rustorium_types::{
    block::Event,
    id::{ContractId, Hash, Height},
};

use super::Snapshot;
use crate::storage::{
    EventPosition, StoreError, TransactionPosition,
    index::{Topic, contract_topic, event_topic, field_topic, name_topic},
    layer::Layer,
    rows::Rows,
};

/// Which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// Of this contract.
    pub contract: Option<ContractId>,
    /// Of this name.
    pub name: Option<String>,
    /// In which these indexed fields have these values, in their encoding; needs a contract and a name.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Of this transaction.
    pub transaction: Option<Hash>,
    /// In these heights.
    pub heights: RangeInclusive<Height>,
    /// Behind this place.
    pub after: Option<EventPosition>,
    /// Before this place.
    pub before: Option<EventPosition>,
    /// How many at the most.
    pub limit: usize,
    /// The newest first.
    pub reverse: bool,
}

impl EventQuery {
    /// All events, at most so many.
    pub const fn all(limit: usize) -> Self {
        Self {
            contract: None,
            name: None,
            fields: Vec::new(),
            transaction: None,
            heights: Height::ZERO..=Height(u64::MAX),
            after: None,
            before: None,
            limit,
            reverse: false,
        }
    }
}

/// An event and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundEvent {
    /// Where.
    pub position: EventPosition,
    /// The hash of its transaction.
    pub transaction: Hash,
    /// The event.
    pub event: Event,
}

/// Where candidates come from.
enum Source {
    All,
    Events(Topic),
    Field(Topic),
}

type Positions<'a> = Box<dyn Iterator<Item = Result<EventPosition, StoreError>> + 'a>;

impl Snapshot {
    /// The events that a query asks for, in its order.
    ///
    /// # Errors
    /// If fields are named without contract and event, or the database fails.
    pub fn events(&self, query: &EventQuery) -> Result<Vec<FoundEvent>, StoreError> {
        let topics = field_topics(query)?;
        let Some((low, high)) = bounds(query) else { return Ok(Vec::new()) };
        let candidates = match &query.transaction {
            Some(hash) => {
                let Some(at) = self.transaction(hash)? else { return Ok(Vec::new()) };
                self.events_of(at, query.reverse)?
            }
            None => self.candidates(&source(query, &topics), low, high, query.reverse)?,
        };
        let checked = if query.transaction.is_some() { &topics[..] } else { topics.get(1..).unwrap_or_default() };
        let mut found = Vec::new();
        for position in candidates {
            let position = position?;
            if found.len() == query.limit {
                break;
            }
            if self.is_undone(position.height) {
                continue;
            }
            if position < low || position > high || !self.has_fields(position, checked)? {
                continue;
            }
            let event = self.event(position)?;
            let is_wanted = query.contract.is_none_or(|contract| event.event.contract == contract)
                && query.name.as_ref().is_none_or(|name| event.event.name == *name);
            if is_wanted {
                found.push(event);
            }
        }
        Ok(found)
    }

    /// The event of a place that an index named.
    fn event(&self, position: EventPosition) -> Result<FoundEvent, StoreError> {
        let place = (position.transaction, position.event);
        if let Some(layer) = self.layer(position.height) {
            let events = &layer.block.events;
            let at = events.binary_search_by_key(&place, |event| (event.transaction_index, event.event_index));
            let event = at.ok().map(|at| events[at].clone()).ok_or(StoreError::damaged("an event"))?;
            let receipt = layer.block.receipts.get(position.transaction as usize);
            let transaction = receipt.ok_or(StoreError::damaged("a receipt"))?.transaction;
            return Ok(FoundEvent { position, transaction, event });
        }
        let row = self.base.tables.events.get(position.height.0)?.ok_or(StoreError::damaged("events"))?;
        let rows = Rows::new(row.value()).ok_or(StoreError::damaged("events"))?;
        let event = find_event(rows, place).ok_or(StoreError::damaged("an event"))?;
        let at = TransactionPosition { height: position.height, index: position.transaction };
        let receipt = self.receipt(at)?.ok_or(StoreError::damaged("a receipt"))?;
        Ok(FoundEvent { position, transaction: receipt.transaction, event })
    }

    /// The places of a transaction's events, which lie side by side among those of its block.
    fn events_of(&self, at: TransactionPosition, reverse: bool) -> Result<Positions<'_>, StoreError> {
        let indexes: Vec<u32> = match self.layer(at.height) {
            Some(layer) => {
                let events = &layer.block.events;
                let first = events.partition_point(|event| event.transaction_index < at.index);
                let own = events[first..].iter().take_while(|event| event.transaction_index == at.index);
                own.map(|event| event.event_index).collect()
            }
            None => match self.base.tables.events.get(at.height.0)? {
                Some(row) => indexes_of(row.value(), at.index).ok_or(StoreError::damaged("events"))?,
                None => Vec::new(),
            },
        };
        let positions = indexes.into_iter().map(move |event| Ok(position(at.height, (at.index, event))));
        Ok(if reverse { Box::new(positions.rev()) } else { Box::new(positions) })
    }

    fn candidates<'a>(
        &'a self,
        source: &Source,
        low: EventPosition,
        high: EventPosition,
        reverse: bool,
    ) -> Result<Positions<'a>, StoreError> {
        let committed = self.committed(source, low, high, reverse)?;
        let newer = self.layers.iter().filter(move |layer| (low.height..=high.height).contains(&layer.height()));
        let newer = newer.flat_map(|layer| {
            let places = layer_places(layer, source).map(|place| Ok(position(layer.height(), place)));
            places.collect::<Vec<_>>()
        });
        // Collected: there are only so many blocks between two commits.
        let newer: Vec<_> = newer.collect();
        Ok(if reverse { Box::new(newer.into_iter().rev().chain(committed)) } else { Box::new(committed.chain(newer)) })
    }

    /// Candidates in the database, lazily.
    fn committed<'a>(
        &'a self,
        source: &Source,
        low: EventPosition,
        high: EventPosition,
        reverse: bool,
    ) -> Result<Positions<'a>, StoreError> {
        let tables = &self.base.tables;
        let rows: Box<dyn Iterator<Item = Result<Vec<EventPosition>, StoreError>>> = match source {
            Source::Field(topic) => {
                let from = (topic, low.height.0, low.transaction, low.event);
                let to = (topic, high.height.0, high.transaction, high.event);
                let rows = tables.field_index.range(from..=to)?.map(|row| {
                    let (_, height, transaction, event) = row?.0.value();
                    Ok(EventPosition { height: Height(height), transaction, event })
                });
                return Ok(if reverse { Box::new(rows.rev()) } else { Box::new(rows) });
            }
            Source::Events(topic) => {
                let rows = tables.event_index.range((topic, low.height.0)..=(topic, high.height.0))?.map(|row| {
                    let (key, places) = row?;
                    let height = Height(key.value().1);
                    let places = places.value().as_chunks::<8>().0;
                    Ok(places.iter().map(|place| position(height, read_place(place))).collect())
                });
                if reverse { Box::new(rows.rev()) } else { Box::new(rows) }
            }
            Source::All => {
                let rows = tables.events.range(low.height.0..=high.height.0)?.map(|row| {
                    let (height, events) = row?;
                    let height = Height(height.value());
                    Ok(row_places(events.value())?.into_iter().map(|place| position(height, place)).collect())
                });
                if reverse { Box::new(rows.rev()) } else { Box::new(rows) }
            }
        };
        Ok(Box::new(rows.flat_map(move |row| -> Positions<'_> {
            match row {
                Err(error) => Box::new(std::iter::once(Err(error))),
                Ok(positions) if reverse => Box::new(positions.into_iter().rev().map(Ok)),
                Ok(positions) => Box::new(positions.into_iter().map(Ok)),
            }
        })))
    }

    /// Whether the event of a place has all these fields' values.
    fn has_fields(&self, at: EventPosition, topics: &[Topic]) -> Result<bool, StoreError> {
        for topic in topics {
            let has = match self.layer(at.height) {
                Some(layer) => {
                    let places = layer.index.fields.get(topic);
                    places.is_some_and(|places| places.binary_search(&(at.transaction, at.event)).is_ok())
                }
                None => {
                    let key = (topic, at.height.0, at.transaction, at.event);
                    self.base.tables.field_index.get(key)?.is_some()
                }
            };
            if !has {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn source(query: &EventQuery, topics: &[Topic]) -> Source {
    match (topics, query.contract, &query.name) {
        ([topic, ..], ..) => Source::Field(*topic),
        ([], Some(contract), Some(name)) => Source::Events(event_topic(contract, name)),
        ([], Some(contract), None) => Source::Events(contract_topic(contract)),
        ([], None, Some(name)) => Source::Events(name_topic(name)),
        ([], None, None) => Source::All,
    }
}

fn field_topics(query: &EventQuery) -> Result<Vec<Topic>, StoreError> {
    if query.fields.is_empty() {
        return Ok(Vec::new());
    }
    let (Some(contract), Some(name)) = (query.contract, &query.name) else { return Err(StoreError::FieldQuery) };
    Ok(query.fields.iter().map(|(field, value)| field_topic(contract, name, field, value)).collect())
}

/// The first and last place that the query allows; `None` if there is no such place.
fn bounds(query: &EventQuery) -> Option<(EventPosition, EventPosition)> {
    let mut low = EventPosition::start_of(*query.heights.start());
    let mut high = EventPosition::end_of(*query.heights.end());
    if let Some(after) = query.after {
        low = low.max(after.next()?);
    }
    if let Some(before) = query.before {
        high = high.min(before.previous()?);
    }
    (low <= high).then_some((low, high))
}

fn layer_places<'a>(layer: &'a Layer, source: &Source) -> Box<dyn Iterator<Item = (u32, u32)> + 'a> {
    let indexed = |places: Option<&'a Vec<(u32, u32)>>| Box::new(places.into_iter().flatten().copied());
    match source {
        Source::All => Box::new(layer.block.events.iter().map(|event| (event.transaction_index, event.event_index))),
        Source::Events(topic) => indexed(layer.index.events.get(topic)),
        Source::Field(topic) => indexed(layer.index.fields.get(topic)),
    }
}

const fn position(height: Height, (transaction, event): (u32, u32)) -> EventPosition {
    EventPosition { height, transaction, event }
}

/// `borsh(Event)` and a place of the index both begin with the place, 4 bytes little-endian each.
fn read_place(bytes: &[u8; 8]) -> (u32, u32) {
    let place = u64::from_le_bytes(*bytes);
    (place as u32, (place >> 32) as u32)
}

fn row_places(row: &[u8]) -> Result<Vec<(u32, u32)>, StoreError> {
    let rows = Rows::new(row).ok_or(StoreError::damaged("events"))?;
    let places = rows.iter().map(|item| item?.first_chunk().map(read_place));
    places.collect::<Option<_>>().ok_or(StoreError::damaged("events"))
}

fn find_event(rows: Rows<'_>, place: (u32, u32)) -> Option<Event> {
    let item = rows.get(first_from(rows, place)?)?;
    (read_place(item.first_chunk()?) == place).then(|| borsh::from_slice(item).ok())?
}

/// The indexes of the events of a row that are of a transaction.
fn indexes_of(row: &[u8], transaction: u32) -> Option<Vec<u32>> {
    let rows = Rows::new(row)?;
    let mut indexes = Vec::new();
    for at in first_from(rows, (transaction, 0))?..rows.len() {
        match read_place(rows.get(at)?.first_chunk()?) {
            (of, event) if of == transaction => indexes.push(event),
            _ => break,
        }
    }
    Some(indexes)
}

/// The index of the first item of a row that is not before a place.
fn first_from(rows: Rows<'_>, place: (u32, u32)) -> Option<usize> {
    let (mut low, mut high) = (0, rows.len());
    while low < high {
        let middle = low.midpoint(high);
        if read_place(rows.get(middle)?.first_chunk()?) < place {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Some(low)
}

#[cfg(test)]
mod tests;
