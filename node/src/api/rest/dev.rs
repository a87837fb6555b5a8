//! What only dev chains take: control records through their log.

use axum::{Json, extract::State};
use bytes::Bytes;
use rustorium_types::{
    code::Code,
    record::{self, Record},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Body;
use crate::api::{
    App,
    problem::{ApiError, Problem},
    scalar::{Address, Amount, DateTime, Height, Uint},
};

/// A command to a dev chain: exactly one of the fields.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ControlInput {
    /// Header times are the clock's plus this from the next block on.
    TimeOffset {
        /// Milliseconds.
        milliseconds: Uint,
    },
    /// The next header's time is at least this.
    TimeAtLeast {
        /// The time.
        time: DateTime,
    },
    /// Seals a block, even an empty one.
    Mine {},
    /// Sets a native balance out of nothing.
    SetBalance {
        /// Whose.
        address: Address,
        /// To how much.
        amount: Amount,
    },
}

/// The block that took a command.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Controlled {
    /// Its height.
    height: Height,
}

/// Commands a dev chain, and waits until the command is executed.
#[utoipa::path(
    post, path = "/v1/dev/control", tag = "dev", request_body = ControlInput,
    responses(
        (status = 200, body = Controlled),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn control(State(app): State<App>, body: Body) -> Result<Json<Controlled>, ApiError> {
    if !app.chain().snapshot().genesis().dev {
        return Err(ApiError::new(Code::Forbidden, "this is not a dev chain"));
    }
    let control = match body.json()? {
        ControlInput::TimeOffset { milliseconds } => record::Control::TimeOffset { milliseconds: milliseconds.0 },
        ControlInput::TimeAtLeast { time } => record::Control::TimeAtLeast { time: time.0 },
        ControlInput::Mine {} => record::Control::Mine,
        ControlInput::SetBalance { address, amount } => {
            record::Control::SetBalance { address: address.0, amount: amount.0 }
        }
    };
    let record = Bytes::from(Record::Control(control).to_bytes());
    let refused = |error: rustorium_chain::submit::Refused| ApiError::new(error.code(), error.to_string());
    let accepted = app.chain().submit(record).await.map_err(refused)?;
    let included = app.chain().included(accepted.position)?.await;
    let height = included.map_err(|_| ApiError::new(Code::LogUnavailable, "the node is stopping"))?;
    Ok(Json(Controlled { height: Height(height) }))
}
