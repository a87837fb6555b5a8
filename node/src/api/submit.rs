//! Sending transactions in, and waiting for what becomes of them.
//!
//! ```text
//! decode ─► admit (all of a batch at once) ─► durable ─► wait: executed, certified ─► status
//! ```
//!
//! A batch is appended as a whole before any of it is waited for, so that it can share blocks. A wait that runs
//! out is no failure of the transaction: it is accepted all the same, and the answer says so with its hash.

use std::time::Duration;

use borsh::BorshDeserialize;
use futures_util::future::join_all;
use rustorium_chain::{storage::TransactionPosition, waiters::Executed};
use rustorium_types::{
    code::Code,
    id::{Hash, Height, Timestamp},
    transaction::{Authorisation, Body, MalformedTransaction, Signed},
};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::{
    App, layers,
    model::{Dropped, Pending, SignedInput, SubmitResult, TransactionStatus, Wait},
    problem::ApiError,
    read::Pinned,
    scalar,
};
use crate::admission::{Admitted, Refusal};

/// How long a submission waits unless it says.
pub(crate) const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// How long it may wait.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A transaction that decodes, and its hash.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    signed: Signed,
    pub(crate) hash: Hash,
}

/// A refused transaction: its hash if it has one, and why.
#[derive(Clone, Debug)]
pub(crate) struct Rejected {
    pub(crate) hash: Option<Hash>,
    pub(crate) error: ApiError,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::State(error) => error.into(),
            other => Self::new(other.code(), other.to_string()).after(other.retry_after()),
        }
    }
}

impl From<Rejected> for SubmitResult {
    fn from(rejected: Rejected) -> Self {
        let Rejected { hash, error } = rejected;
        Self {
            hash: hash.map(scalar::Hash),
            retry_after_ms: error.retry_after_ms().map(scalar::Uint),
            code: Some(error.code.to_string()),
            message: Some(error.message),
            status: None,
        }
    }
}

/// A transaction of its parts.
pub(crate) fn parse(app: &App, input: &SignedInput) -> Result<Parsed, Rejected> {
    let malformed = |what: &str| Rejected {
        hash: None,
        error: ApiError::bad_input(format!("`{what}` is not the borsh encoding that it must be")),
    };
    let body: Body = borsh::from_slice(&input.body.0).map_err(|_| malformed("body"))?;
    let authorisation: Authorisation = borsh::from_slice(&input.auth.0).map_err(|_| malformed("auth"))?;
    let payer = input.fee_payer_auth.as_ref().map(|auth| borsh::from_slice(&auth.0)).transpose();
    let fee_payer_authorisation: Option<Authorisation> = payer.map_err(|_| malformed("feePayerAuth"))?;
    check(app, Signed { body, authorisation, fee_payer_authorisation })
}

/// Transactions one behind the other, in borsh.
pub(crate) fn parse_many(app: &App, mut bytes: &[u8]) -> Result<Vec<Result<Parsed, Rejected>>, ApiError> {
    let mut parsed = Vec::new();
    let limit = app.config().api.batch_size;
    while !bytes.is_empty() {
        if parsed.len() == limit {
            return Err(ApiError::new(Code::TooLarge, format!("a submission has at most {limit} transactions")));
        }
        let at = parsed.len();
        let signed = Signed::deserialize(&mut bytes).map_err(|_| {
            ApiError::bad_input(format!("transaction {at} is not the borsh encoding of a signed transaction"))
        })?;
        parsed.push(check(app, signed));
    }
    Ok(parsed)
}

fn check(app: &App, signed: Signed) -> Result<Parsed, Rejected> {
    let genesis = app.chain().snapshot().genesis_hash();
    let hash = signed.body.digest(&genesis);
    let whole = signed.body.check(&genesis).and_then(|()| {
        let consistent = signed.body.fee_payer.is_some() == signed.fee_payer_authorisation.is_some();
        if consistent { Ok(()) } else { Err(MalformedTransaction::FeePayer) }
    });
    match whole {
        Ok(()) => Ok(Parsed { signed, hash }),
        Err(error) => Err(Rejected { hash: Some(hash), error: Refusal::from(error).into() }),
    }
}

/// Submits one transaction and waits.
pub(crate) async fn submit(
    app: &App,
    parsed: Result<Parsed, Rejected>,
    wait: Wait,
    patience: Duration,
) -> Result<SubmitResult, Rejected> {
    let deadline = Instant::now() + patience;
    let (hash, at) = accept(app, parsed).await?;
    Ok(watch(app, hash, at, wait, deadline).await)
}

/// Submits a batch and waits for all of it.
pub(crate) async fn submit_many(
    app: &App,
    batch: Vec<Result<Parsed, Rejected>>,
    wait: Wait,
    patience: Duration,
) -> Vec<SubmitResult> {
    let deadline = Instant::now() + patience;
    let accepted = join_all(batch.into_iter().map(|parsed| accept(app, parsed))).await;
    let mut results = Vec::with_capacity(accepted.len());
    for accepted in accepted {
        results.push(match accepted {
            Ok((hash, at)) => watch(app, hash, at, wait, deadline).await,
            Err(rejected) => rejected.into(),
        });
    }
    results
}

/// Appends a transaction to the log, unless it is there already. Appending starts before the first await.
pub(crate) fn accept(
    app: &App,
    parsed: Result<Parsed, Rejected>,
) -> impl Future<Output = Result<(Hash, Timestamp), Rejected>> {
    let started = parsed.and_then(|parsed| {
        let hash = parsed.hash;
        let admitted = app.admission().admit(layers::source(), &app.chain().snapshot(), parsed.signed, hash);
        admitted.map(|admitted| (hash, admitted)).map_err(|refusal| refused(hash, refusal))
    });
    async move {
        let (hash, admitted) = started.inspect_err(|rejected| app.metrics().refused(rejected.error.code))?;
        match admitted {
            Admitted::Known => Ok((hash, crate::node::now())),
            Admitted::Appending(signed, ticket) => {
                let span = tracing::info_span!("transaction", %hash);
                let finished = app.admission().finish(*signed, hash, ticket).instrument(span.clone()).await;
                let at = finished.map_err(|refusal| {
                    app.metrics().refused(refusal.code());
                    refused(hash, refusal)
                })?;
                span.in_scope(|| tracing::debug!("accepted"));
                Ok((hash, at))
            }
        }
    }
}

fn refused(hash: Hash, refusal: Refusal) -> Rejected {
    Rejected { hash: Some(hash), error: refusal.into() }
}

/// Waits for an accepted transaction, and says what became of it until then.
pub(crate) async fn watch(app: &App, hash: Hash, at: Timestamp, wait: Wait, deadline: Instant) -> SubmitResult {
    let outcome = async {
        if wait == Wait::Accepted {
            let known = Pinned::newest(app).status(hash)?;
            return Ok(known.unwrap_or_else(|| pending(at)));
        }
        let status = executed(app, hash).await?;
        if wait == Wait::Certified { certified(app, hash, status).await } else { Ok(status) }
    };
    // Its span is that of the request, and gets the height once there is one: a log line of either can be followed.
    let span = tracing::info_span!("transaction", %hash, height = tracing::field::Empty);
    let (status, problem) = match timeout_at(deadline, outcome.instrument(span)).await {
        Ok(Ok(status)) => (Some(status), None),
        Ok(Err(error)) => (None, Some(error)),
        Err(_) => late(app, hash, at, wait),
    };
    SubmitResult {
        hash: Some(scalar::Hash(hash)),
        code: problem.as_ref().map(|error| error.code.to_string()),
        message: problem.map(|error| error.message),
        retry_after_ms: None,
        status,
    }
}

/// Waits until a transaction is executed, or void.
pub(crate) async fn executed(app: &App, hash: Hash) -> Result<TransactionStatus, ApiError> {
    let ended = app.chain().executed(hash)?.await;
    if let Ok(Executed::Receipt(TransactionPosition { height, .. })) = ended {
        tracing::Span::current().record("height", height.0);
        tracing::debug!("executed");
    }
    let pinned = Pinned::newest(app);
    match ended {
        // The snapshot knows better than a record that came twice.
        Ok(Executed::Receipt(_) | Executed::Void(_)) => match pinned.status(hash)? {
            Some(status @ (TransactionStatus::Success(_) | TransactionStatus::Failure(_))) => Ok(status),
            Some(status @ TransactionStatus::Dropped(_)) => Ok(status),
            _ => Ok(void(pinned.height())),
        },
        Err(_) => Err(ApiError::new(Code::LogUnavailable, "the node is stopping")),
    }
}

/// Waits until an executed transaction's result is certified.
pub(crate) async fn certified(app: &App, hash: Hash, status: TransactionStatus) -> Result<TransactionStatus, ApiError> {
    let Some(TransactionPosition { height, .. }) = app.chain().snapshot().transaction(&hash)? else {
        return Ok(status);
    };
    let stopping = || ApiError::new(Code::LogUnavailable, "the node is stopping");
    app.feed().until(|heights| heights.certified >= height).await.map_err(|_| stopping())?;
    Ok(Pinned::newest(app).status(hash)?.unwrap_or(status))
}

fn late(app: &App, hash: Hash, at: Timestamp, wait: Wait) -> (Option<TransactionStatus>, Option<ApiError>) {
    let status = Pinned::newest(app).status(hash).ok().flatten().unwrap_or_else(|| pending(at));
    let wanted = if wait == Wait::Certified { "certified" } else { "executed" };
    let message = format!("accepted, but not {wanted} within the wait; ask again for /v1/transactions/{hash}");
    (Some(status), Some(ApiError::new(Code::RequestTimeout, message)))
}

/// The status of what is accepted.
pub(crate) fn pending(at: Timestamp) -> TransactionStatus {
    TransactionStatus::Pending(Pending { accepted_at: scalar::DateTime(at) })
}

/// The status of what lost its nonce to another transaction.
fn void(height: Height) -> TransactionStatus {
    TransactionStatus::Dropped(Dropped {
        height: scalar::Height(height),
        code: Code::NonceUsed.to_string(),
        certified_by: None,
        receipt: None,
    })
}
