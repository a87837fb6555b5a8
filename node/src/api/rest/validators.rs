//! The validators, and those to come.

use axum::{Json, extract::State};
use rustorium_types::{certificate::ValidatorSet, id as types};

use crate::api::{
    App,
    model::{NextValidators, Validators},
    problem::{ApiError, Problem},
    read::Pinned,
    scalar::{Hash, Height, Uint},
};

/// Who validates in the epoch of the next block, and who will.
#[utoipa::path(
    get, path = "/v1/validators", tag = "chain",
    responses(
        (status = 200, body = Validators),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn validators(State(app): State<App>) -> Result<Json<Validators>, ApiError> {
    let pinned = Pinned::newest(&app);
    let (snapshot, context) = (pinned.snapshot(), pinned.next_context()?);
    let last = types::Height(snapshot.genesis().epoch_length.saturating_mul(context.epoch.0.saturating_add(1)));
    let newest = snapshot.validator_change(pinned.height())?;
    let changes = newest.as_ref().map_or(0, |change| change.number);
    let next = newest.filter(|change| *change.validators != *context.validators);
    let keys = |validators: &[[u8; 32]]| validators.iter().map(|key| Hash(types::Hash(*key))).collect::<Vec<_>>();
    let quorum = ValidatorSet::new(&context.validators).map_err(ApiError::internal)?.quorum();
    Ok(Json(Validators {
        height: Height(pinned.height()),
        epoch: Uint(context.epoch.0),
        last_height: Height(last),
        validators: keys(&context.validators),
        quorum: u32::try_from(quorum).unwrap_or(u32::MAX),
        changes: Uint(changes),
        next: next.map(|change| NextValidators {
            epoch: Uint(context.epoch.0.saturating_add(1)),
            first_height: Height(last.next()),
            validators: keys(&change.validators),
        }),
    }))
}
