//! Running a contract's views.
//!
//! A view runs with the header's height and time, no caller and no value. With a witness it runs at a certified
//! height with the genesis' gas limit, so that whoever checks it runs exactly the same; running out of gas is no
//! answer then, because where gas is not counted it could not be checked.

use std::sync::Arc;

use rustorium_runtime::{StateRead, ViewOutcome};
use rustorium_types::{
    abi::MethodKind,
    code::Code,
    id::{ContractId, Gas, Height},
};

use super::{Pinned, Render, render::returned_json, state};
use crate::api::{
    App,
    arguments::Arguments,
    model::ViewResult,
    problem::ApiError,
    scalar::{self, Bytes, Json},
};

/// Which view of which contract, and how.
#[derive(Clone, Debug)]
pub(crate) struct ViewRequest {
    pub(crate) contract: ContractId,
    pub(crate) name: String,
    pub(crate) args: Option<Json>,
    pub(crate) raw: Option<Bytes>,
    pub(crate) height: Option<Height>,
    pub(crate) witness: bool,
}

/// Runs a view, on a thread for it.
pub(crate) async fn view(app: &App, request: ViewRequest) -> Result<ViewResult, ApiError> {
    let pinned = if request.witness {
        let (pinned, height) = Pinned::certified_at(app, request.height).await?;
        return app.workers().run(move || pinned.view(request, height)).await;
    } else {
        Pinned::newest(app)
    };
    view_of(pinned, request).await
}

/// Runs a view over a picture that the caller has pinned.
pub(crate) async fn view_of(pinned: Pinned, request: ViewRequest) -> Result<ViewResult, ApiError> {
    let height = request.height.unwrap_or_else(|| pinned.height());
    let workers = pinned.app().workers().clone();
    workers.run(move || pinned.view(request, height)).await
}

impl Pinned {
    fn view(&self, request: ViewRequest, height: Height) -> Result<ViewResult, ApiError> {
        let ViewRequest { contract, name, args, raw, witness, .. } = request;
        let (_, state) = self.state(Some(height))?;
        if state::record(&state, contract)?.is_none() {
            return Err(state::no_contract(contract));
        }
        let arguments = Arguments { kind: MethodKind::View, method: &name, args, raw };
        let args = arguments.encode(|| self.abi_at(contract, Some(height)))?;
        let context = self.context(height)?;
        let gas_limit = if witness { context.limits.transaction_gas } else { Gas(self.app().config().api.view_gas) };
        let state: Arc<dyn StateRead> = Arc::new(state);
        let outcome = self.app().chain().runtime().view(&state, &context, contract, &name, &args, gas_limit)?;
        let proven = if witness { Some(self.witness(height, &outcome)?) } else { None };
        let ViewOutcome { result, gas_used, diagnostics, .. } = outcome;
        let mut render = Render::new(self);
        let (value, raw, error) = match result {
            Ok(returned) => {
                let abi = render.abi(contract, height)?;
                let value = returned_json(abi.as_deref(), MethodKind::View, &name, &returned);
                (value.map(Json), returned, None)
            }
            Err(failure) if witness && failure.code == Code::OutOfGas => {
                let message = format!("`{name}` ran out of gas, which nobody could verify");
                return Err(ApiError::new(Code::ViewNotProvable, message));
            }
            Err(failure) => (None, Vec::new(), Some(render.error(&failure, height, Some(&diagnostics))?)),
        };
        Ok(ViewResult {
            height: scalar::Height(height),
            value,
            raw: raw.into(),
            error,
            gas_used: gas_used.into(),
            witness: proven,
        })
    }
}
