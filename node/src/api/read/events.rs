//! Events: what is asked for, checked against the ABI, and pages of what was found.

use std::ops::RangeInclusive;

use rustorium_chain::{
    snapshot::{EventQuery, FoundEvent},
    storage::EventPosition,
};
use rustorium_types::{
    abi::{Abi, json},
    code::Code,
    id::{ContractId, Hash, Height},
};
use serde_json::Value;

use super::{PageRequest, Pinned, Render};
use crate::api::{
    cursor::Cursor,
    model::{EventFilter, Events, HeightRange, Range},
    problem::ApiError,
    scalar,
};

/// Which events, checked: values of fields are in borsh, and only indexed ones are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventSelection {
    contract: Option<ContractId>,
    name: Option<String>,
    fields: Vec<(String, Vec<u8>)>,
    transaction: Option<Hash>,
}

impl EventSelection {
    /// The query of a stretch of the chain, from the front.
    pub(crate) fn query(
        &self,
        heights: RangeInclusive<Height>,
        after: Option<EventPosition>,
        limit: usize,
    ) -> EventQuery {
        EventQuery {
            contract: self.contract,
            name: self.name.clone(),
            fields: self.fields.clone(),
            transaction: self.transaction,
            heights,
            after,
            before: None,
            limit,
            reverse: false,
        }
    }
}

impl Pinned {
    /// Checks a filter against the contract's ABI.
    pub(crate) fn select(&self, filter: EventFilter) -> Result<EventSelection, ApiError> {
        let contract = filter.contract.map(|address| contract_id(&address)).transpose()?;
        let wanted = filter.fields.unwrap_or_default();
        let mut fields = Vec::with_capacity(wanted.len());
        if !wanted.is_empty() {
            let (Some(contract), Some(name)) = (contract, &filter.name) else {
                return Err(ApiError::bad_input("values of fields need a contract and an event's name beside them"));
            };
            let abi = self.newest_abi(contract)?;
            for equals in wanted {
                fields.push((equals.field.clone(), indexed_value(&abi, name, &equals.field, &equals.value.0)?));
            }
        }
        let transaction = filter.transaction.map(|hash| hash.0);
        Ok(EventSelection { contract, name: filter.name, fields, transaction })
    }

    /// A page of events.
    pub(crate) fn events(
        &self,
        selection: &EventSelection,
        range: HeightRange,
        page: &PageRequest,
    ) -> Result<Events, ApiError> {
        let page = page.check(self.page_size(), |text| self.event_position(text))?;
        let kept = self.event_range();
        let from = range.from.map_or(kept.from.0, |from| from.0.max(kept.from.0));
        let to = range.to.map_or(kept.to.0, |to| to.0.min(kept.to.0));
        let query = EventQuery {
            after: page.after,
            before: page.before,
            limit: page.limit + 1,
            reverse: page.from_back,
            ..selection.query(from..=to, None, 0)
        };
        let found = if from > to { Vec::new() } else { self.snapshot().events(&query)? };
        let mut render = Render::new(self);
        let mut rendered = Vec::with_capacity(found.len());
        for event in &found {
            rendered.push(render.event(event)?);
        }
        let (nodes, page_info) = page.cut(rendered, |event| event.cursor.clone());
        Ok(Events { nodes, page_info, available_range: kept })
    }

    /// The heights whose events are kept.
    pub(crate) fn event_range(&self) -> Range {
        Range { from: scalar::Height(Height(1)), to: scalar::Height(self.height()) }
    }

    /// The place that a cursor means, if its block is the one of this chain.
    pub(crate) fn event_position(&self, text: &str) -> Result<EventPosition, ApiError> {
        let cursor: Cursor = text.parse().map_err(|error| ApiError::bad_input(format!("{error}")))?;
        if cursor.height > self.height() {
            let message = format!("the cursor is at height {}, this node is at {}", cursor.height, self.height());
            return Err(ApiError::bad_input(message));
        }
        if let Some(stretch) = self.snapshot().undone_at(cursor.height) {
            let message = format!(
                "the cursor is inside blocks {} to {}, which this chain undid; resume behind block {}",
                stretch.from,
                stretch.to,
                stretch.from.0 - 1
            );
            let resume = self.end_cursor(cursor.height)?;
            return Err(ApiError::new(Code::CursorExpired, message).at(resume));
        }
        let known = match self.snapshot().header(cursor.height)? {
            Some(sealed) => cursor.is_of(&sealed.hash),
            // The state of genesis has no header; a stream may start behind it.
            None => cursor.height == Height::ZERO && cursor.is_of(&self.snapshot().genesis_hash()),
        };
        if !known {
            let message = "the cursor is of another chain";
            return Err(ApiError::new(Code::CursorExpired, message));
        }
        Ok(match cursor.event {
            Some(index) => EventPosition { height: cursor.height, transaction: index.transaction, event: index.event },
            None => EventPosition::end_of(cursor.height),
        })
    }

    /// The cursor behind a whole block; of one that was undone, behind the last that stands before it.
    pub(crate) fn end_cursor(&self, height: Height) -> Result<Cursor, ApiError> {
        let undone = self.snapshot().undone_at(height);
        let height = undone.map_or(height, |stretch| Height(stretch.from.0 - 1));
        let hash = match self.snapshot().header(height)? {
            Some(sealed) => sealed.hash,
            None => self.snapshot().genesis_hash(),
        };
        Ok(Cursor::end(height, &hash))
    }

    /// Finds events of a stretch, from the front.
    pub(crate) fn find_events(&self, query: &EventQuery) -> Result<Vec<FoundEvent>, ApiError> {
        Ok(self.snapshot().events(query)?)
    }
}

/// A contract's id, where an address must be one.
pub(crate) fn contract_id(address: &scalar::Address) -> Result<ContractId, ApiError> {
    address.0.contract().ok_or_else(|| ApiError::bad_input(format!("{} is an account, not a contract", address.0)))
}

/// The borsh of the value that an indexed field must have.
fn indexed_value(abi: &Abi, name: &str, field: &str, value: &Value) -> Result<Vec<u8>, ApiError> {
    let event = abi.events.get(name).ok_or_else(|| {
        let known: Vec<_> = abi.events.keys().map(String::as_str).collect();
        ApiError::bad_input(format!("{} has no event `{name}`; it has {}", abi.contract.name, known.join(", ")))
    })?;
    let Some(found) = event.fields.iter().find(|known| known.name == field && known.indexed) else {
        let indexed = event.fields.iter().filter(|field| field.indexed).map(|field| field.name.as_str());
        let indexed = indexed.collect::<Vec<_>>().join(", ");
        return Err(ApiError::bad_input(format!("`{field}` is no indexed field of `{name}`; indexed: {indexed}")));
    };
    let wrong = |error| ApiError::bad_input(format!("`{field}`: {error}"));
    match json::encode(abi, &found.ty, value) {
        Ok(encoded) => Ok(encoded),
        // In a query string everything is text, and `5` reads as a number: the type decides.
        Err(error) if value.is_string() => Err(wrong(error)),
        Err(error) => json::encode(abi, &found.ty, &Value::String(json::plain(value))).map_err(|_| wrong(error)),
    }
}
