//! What changes something.

use async_graphql::{Context, Object, Result};
use rustorium_types::code::Code;

use crate::api::{
    App,
    model::{SignedInput, SubmitResult, Wait},
    problem::ApiError,
    submit::{self, DEFAULT_WAIT},
};

/// What can be changed.
pub(in crate::api) struct Mutation;

#[Object]
impl Mutation {
    /// Submits signed transactions; each has its answer, in the same order. Submitting the same one again is
    /// harmless and answers with the same hash.
    #[graphql(complexity = "transactions.len() * (10 + child_complexity)")]
    async fn submit(
        &self,
        ctx: &Context<'_>,
        transactions: Vec<SignedInput>,
        #[graphql(default_with = "Wait::Executed", desc = "Until when to wait, ten seconds at the most.")] wait: Wait,
    ) -> Result<Vec<SubmitResult>> {
        let app = App::of(ctx)?;
        let limit = app.config().api.batch_size;
        if transactions.len() > limit {
            let message = format!("a submission has at most {limit} transactions");
            return Err(ApiError::new(Code::TooLarge, message).into());
        }
        let batch = transactions.iter().map(|input| submit::parse(app, input)).collect();
        Ok(submit::submit_many(app, batch, wait, DEFAULT_WAIT).await)
    }
}
