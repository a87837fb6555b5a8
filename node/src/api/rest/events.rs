//! Events, a page at a time.

use axum::{
    Json,
    extract::{RawQuery, State},
};
use rustorium_types::id::{Address, ContractId};
use utoipa::IntoParams;

use super::{Name, contracts::json_or_text};
use crate::api::{
    App,
    model::{EventFilter, Events, FieldEquals, HeightRange},
    problem::{ApiError, Problem},
    read::{PageRequest, Pinned},
    scalar::{self, Height, Json as AnyJson},
};

/// Which events.
#[derive(Debug, Default, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "documents a query that is read by hand, because `where` repeats")]
pub(crate) struct EventsQuery {
    /// Of this contract.
    contract: Option<String>,
    /// Of this name.
    name: Option<String>,
    /// `field=value` of an indexed field; repeat it for several. Needs contract and name.
    r#where: Option<Vec<String>>,
    /// Of this transaction.
    transaction: Option<String>,
    /// From this height on.
    from_height: Option<Height>,
    /// Up to this height.
    to_height: Option<Height>,
    /// Items from the front.
    first: Option<u32>,
    /// Behind this cursor.
    after: Option<String>,
    /// Items from the back.
    last: Option<u32>,
    /// Before this cursor.
    before: Option<String>,
}

/// A page of events.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", params(EventsQuery),
    responses(
        (status = 200, body = Events),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<Events>, ApiError> {
    page(&app, None, query.as_deref().unwrap_or_default())
}

/// A page of a contract's events.
#[utoipa::path(
    get, path = "/v1/contracts/{address}/events", tag = "events", params(("address" = String, Path), EventsQuery),
    responses(
        (status = 200, body = Events),
        (status = "default", description = "Refused", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn of_contract(
    State(app): State<App>,
    Name(contract): Name<ContractId>,
    RawQuery(query): RawQuery,
) -> Result<Json<Events>, ApiError> {
    page(&app, Some(contract), query.as_deref().unwrap_or_default())
}

fn page(app: &App, contract: Option<ContractId>, query: &str) -> Result<Json<Events>, ApiError> {
    let contract = contract.map(|contract| scalar::Address(Address::Contract(contract)));
    let mut filter = EventFilter { contract, ..EventFilter::default() };
    let (mut range, mut request) = (HeightRange::default(), PageRequest::default());
    for (name, value) in pairs(query)? {
        match name.as_str() {
            "contract" if filter.contract.is_none() => filter.contract = Some(scalar::Address(value.parse()?)),
            "name" => filter.name = Some(value),
            "where" => filter.fields.get_or_insert_default().push(field_equals(&value)?),
            "transaction" => filter.transaction = Some(scalar::Hash(value.parse()?)),
            "fromHeight" => range.from = Some(Height(number(&name, &value)?)),
            "toHeight" => range.to = Some(Height(number(&name, &value)?)),
            "first" => request.first = Some(number(&name, &value)?),
            "last" => request.last = Some(number(&name, &value)?),
            "after" => request.after = Some(value),
            "before" => request.before = Some(value),
            other => return Err(ApiError::bad_input(format!("there is no parameter `{other}` here"))),
        }
    }
    let pinned = Pinned::newest(app);
    let selection = pinned.select(filter)?;
    pinned.events(&selection, range, &request).map(Json)
}

/// `field=value`.
fn field_equals(text: &str) -> Result<FieldEquals, ApiError> {
    let (field, value) = text
        .split_once('=')
        .ok_or_else(|| ApiError::bad_input(format!("`where` is `field=value`, as where=to=acc1…, not `{text}`")))?;
    Ok(FieldEquals { field: field.to_owned(), value: AnyJson(json_or_text(value.to_owned())) })
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, ApiError> {
    value.parse().map_err(|_| ApiError::bad_input(format!("`{name}`: `{value}` is not a whole number")))
}

/// The pairs of a query string, in order; names may repeat.
pub(in crate::api) fn pairs(query: &str) -> Result<Vec<(String, String)>, ApiError> {
    serde_urlencoded::from_str(query).map_err(|error| ApiError::bad_input(format!("the query: {error}")))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_query_may_repeat_names_and_values_may_have_equal_signs() {
        let pairs = pairs("where=to%3Dacc1x&where=a%3Db%3Dc").unwrap();
        let fields: Vec<_> = pairs.iter().map(|(_, value)| field_equals(value).unwrap()).collect();
        assert_eq!((fields[0].field.as_str(), fields[0].value.0.as_str()), ("to", Some("acc1x")));
        assert_eq!((fields[1].field.as_str(), fields[1].value.0.as_str()), ("a", Some("b=c")));
        assert!(field_equals("to").is_err());
    }
}
