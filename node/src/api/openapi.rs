//! The OpenAPI document of the REST API.

use utoipa::OpenApi;

use super::rest::{accounts, blocks, chain, contracts, dev, events, peers, transactions, validators};

/// All routes under `/v1`. Errors are RFC 9457 problems with a `code`.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rustorium",
        description = "The REST API of a Rustorium node. Amounts are decimal texts in base units, hashes and bytes are \
                       `0x…`, addresses are bech32m, times are RFC 3339 in UTC. Errors are RFC 9457 problems; their \
                       `code` is of one vocabulary with GraphQL and WebSocket."
    ),
    paths(
        transactions::submit,
        transactions::prepare,
        transactions::transaction,
        transactions::trace,
        blocks::block,
        blocks::blocks,
        accounts::account,
        accounts::transactions,
        contracts::contract,
        contracts::abi,
        contracts::state,
        contracts::view,
        contracts::view_with_body,
        contracts::code,
        events::events,
        events::of_contract,
        chain::status,
        chain::genesis,
        chain::epoch,
        validators::validators,
        peers::peers,
        dev::control,
        dev::impersonate,
        dev::snapshots,
        dev::state,
    )
)]
struct Document;

/// The document as JSON.
pub(super) fn text() -> String {
    Document::openapi().to_json().unwrap_or_default()
}
