//! Subscriptions.

use async_graphql::{Context, Result, Subscription as Subscriptions};
use futures_util::{Stream, TryStreamExt};

use crate::api::{
    App,
    model::{EventFilter, EventMessage, Header, SignedInput, TransactionStatus, Wait},
    read::Pinned,
    scalar::{Cursor, Height},
    stream::{EventStream, HeaderStream, Source, Start, TransactionStream, pulled},
    submit,
};

/// What can be followed.
pub(in crate::api) struct Subscription;

#[Subscriptions]
impl Subscription {
    /// Events behind a cursor, or from now on, once each, in order; a checkpoint when none matched for a while.
    async fn events(
        &self,
        ctx: &Context<'_>,
        filter: EventFilter,
        after: Option<Cursor>,
    ) -> Result<impl Stream<Item = Result<EventMessage>> + use<>> {
        let app = App::of(ctx)?;
        let selection = Pinned::newest(app).select(filter)?;
        let start = after.map_or(Start::Now, |after| Start::After(after.0));
        Ok(items(EventStream::new(app, selection, &start)?))
    }

    /// Submits a transaction and says what becomes of it. Always ends in a terminal status, or at the wait asked for.
    async fn submit_and_watch(
        &self,
        ctx: &Context<'_>,
        transaction: SignedInput,
        #[graphql(default_with = "Wait::Executed")] until: Wait,
    ) -> Result<impl Stream<Item = Result<TransactionStatus>> + use<>> {
        let app = App::of(ctx)?;
        let accepted = submit::accept(app, submit::parse(app, &transaction)).await;
        let (hash, at) = accepted.map_err(|rejected| rejected.error)?;
        Ok(items(TransactionStream::accepted(app, hash, at, until)))
    }

    /// Certified headers behind a height, with their state roots, for light clients; from the newest on if no height
    /// is given.
    async fn headers(
        &self,
        ctx: &Context<'_>,
        after: Option<Height>,
    ) -> Result<impl Stream<Item = Result<Header>> + use<>> {
        Ok(items(HeaderStream::new(App::of(ctx)?, after.map(|after| after.0))))
    }
}

fn items<S: Source>(source: S) -> impl Stream<Item = Result<S::Item>> + use<S> {
    pulled(source).map_err(Into::into)
}
