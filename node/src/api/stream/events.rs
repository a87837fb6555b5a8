//! Events behind a place, once each, in order, without an end.

use std::{collections::VecDeque, time::Duration};

use rustorium_chain::storage::EventPosition;
use rustorium_types::id::Height;
use tokio::{sync::watch, time::Instant};

use super::{App, Source, stopping};
use crate::{
    api::{
        cursor::Cursor,
        model::{Checkpoint, EventMessage, Range},
        problem::ApiError,
        read::{EventSelection, Pinned, Render},
        scalar,
    },
    feed::Heights,
    metrics::Subscriber,
};

/// How long a stream says nothing before it says how far it is.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
/// Events read at a time: bounds the memory of a subscriber that does not take them.
const BATCH: usize = 256;

/// Where a stream starts.
#[derive(Clone, Debug)]
pub(crate) enum Start {
    /// With what is executed from now on.
    Now,
    /// Behind a cursor.
    After(String),
    /// With the first event of a height.
    From(Height),
}

/// A stream of events.
pub(crate) struct EventStream {
    app: App,
    selection: EventSelection,
    /// Everything up to here has been told or does not match.
    place: EventPosition,
    found: VecDeque<EventMessage>,
    /// The last block of the newest stretch of undone blocks that has been told.
    undone: Height,
    heights: watch::Receiver<Heights>,
    /// Once the stream has caught up for the first time, it says so.
    live: bool,
    quiet_until: Instant,
    _counted: Subscriber,
}

impl EventStream {
    /// A stream that starts where it is told to.
    pub(crate) fn new(app: &App, selection: EventSelection, start: &Start) -> Result<Self, ApiError> {
        // Followed before the first picture is pinned: a block in between is seen as a change.
        let heights = app.feed().follow();
        let pinned = Pinned::newest(app);
        let place = match start {
            Start::Now => EventPosition::end_of(pinned.height()),
            Start::After(cursor) => pinned.event_position(cursor)?,
            Start::From(height) => EventPosition::end_of(Height(height.0.saturating_sub(1))),
        };
        // Whoever starts inside a stretch that is undone already has heard nothing of it.
        let undone = pinned.snapshot().undone_at(place.height).map_or(Height::ZERO, |stretch| stretch.to);
        Ok(Self {
            app: app.clone(),
            selection,
            place,
            undone,
            found: VecDeque::new(),
            heights,
            live: false,
            quiet_until: Instant::now() + CHECKPOINT_EVERY,
            _counted: app.metrics().subscriber("events"),
        })
    }

    /// Reads what stands behind the place, up to the newest block.
    fn read(&mut self) -> Result<(), ApiError> {
        let pinned = Pinned::newest(&self.app);
        let head = pinned.height();
        if self.place >= EventPosition::end_of(head) {
            return Ok(());
        }
        if let Some(stretch) = pinned.snapshot().undone_at(self.place.height)
            && stretch.to > self.undone
        {
            // What was told of these blocks is void; what of them was not told yet is never told.
            self.undone = stretch.to;
            self.place = EventPosition::end_of(stretch.to);
            let (from, to) = (scalar::Height(stretch.from), scalar::Height(stretch.to));
            self.found.push_back(EventMessage::Checkpoint(Checkpoint {
                cursor: pinned.end_cursor(stretch.to)?.into(),
                height: to,
                undone: Some(Range { from, to }),
            }));
        }
        let query = self.selection.query(self.place.height..=head, Some(self.place), BATCH);
        let found = pinned.find_events(&query)?;
        self.place = match found.last() {
            Some(last) if found.len() == BATCH => last.position,
            _ => EventPosition::end_of(head),
        };
        let mut render = Render::new(&pinned);
        for event in &found {
            self.found.push_back(EventMessage::Event(render.event(event)?));
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<EventMessage, ApiError> {
        self.quiet_until = Instant::now() + CHECKPOINT_EVERY;
        let cursor = self.cursor()?;
        let height = scalar::Height(self.place.height);
        Ok(EventMessage::Checkpoint(Checkpoint { height, cursor: cursor.into(), undone: None }))
    }

    /// Where to resume: behind everything that has been told.
    fn cursor(&self) -> Result<Cursor, ApiError> {
        Pinned::newest(&self.app).end_cursor(self.place.height)
    }
}

impl Source for EventStream {
    type Item = EventMessage;

    async fn next(&mut self) -> Result<Option<EventMessage>, ApiError> {
        loop {
            if let Some(message) = self.found.pop_front() {
                self.quiet_until = Instant::now() + CHECKPOINT_EVERY;
                return Ok(Some(message));
            }
            self.heights.mark_unchanged();
            self.read()?;
            if !self.found.is_empty() {
                continue;
            }
            if !self.live {
                self.live = true;
                return self.checkpoint().map(Some);
            }
            tokio::select! {
                changed = self.heights.changed() => changed.map_err(|_| stopping())?,
                () = tokio::time::sleep_until(self.quiet_until) => return self.checkpoint().map(Some),
                () = self.app.stopping() => return Err(stopping().at(self.cursor()?)),
            }
        }
    }
}
