//! The life of one transaction: accepted, executed, certified, as far as was asked for.

use rustorium_types::{
    code::Code,
    id::{Hash, Timestamp},
};

use super::{App, Source};
use crate::{
    api::{
        model::{TransactionStatus, Wait},
        problem::ApiError,
        read::Pinned,
        submit,
    },
    metrics::Subscriber,
};

/// A stream of one transaction's statuses. It ends at the wait asked for, or at a status that is the last word.
pub(crate) struct TransactionStream {
    app: App,
    hash: Hash,
    until: Wait,
    stage: Stage,
    _counted: Subscriber,
}

enum Stage {
    /// Accepted, and to be said.
    Accepted(Timestamp),
    /// Said to be accepted.
    Executing,
    /// Said to be executed.
    Certifying(Box<TransactionStatus>),
    Ended,
}

impl TransactionStream {
    /// A transaction that was accepted just now.
    pub(crate) fn accepted(app: &App, hash: Hash, at: Timestamp, until: Wait) -> Self {
        let counted = app.metrics().subscriber("transaction");
        Self { app: app.clone(), hash, until, stage: Stage::Accepted(at), _counted: counted }
    }

    /// A transaction that this node knows.
    pub(crate) fn known(app: &App, hash: Hash, until: Wait) -> Result<Self, ApiError> {
        let at = match Pinned::newest(app).status(hash)? {
            Some(TransactionStatus::Pending(pending)) => pending.accepted_at.0,
            Some(_) => crate::node::now(),
            None => return Err(ApiError::new(Code::NotFound, format!("there is no transaction {hash}"))),
        };
        Ok(Self::accepted(app, hash, at, until))
    }

    /// The status if it is the last word, or all that was asked for.
    fn said(&mut self, status: TransactionStatus) -> TransactionStatus {
        self.stage = if self.until == Wait::Certified && certified_by(&status).is_none() && has_receipt(&status) {
            Stage::Certifying(Box::new(status.clone()))
        } else {
            Stage::Ended
        };
        status
    }
}

impl Source for TransactionStream {
    type Item = TransactionStatus;

    async fn next(&mut self) -> Result<Option<TransactionStatus>, ApiError> {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Accepted(at) => {
                let executed = self.app.chain().snapshot().transaction(&self.hash)?.is_some();
                if executed {
                    let status = submit::executed(&self.app, self.hash).await?;
                    return Ok(Some(self.said(status)));
                }
                if self.until > Wait::Accepted {
                    self.stage = Stage::Executing;
                }
                Ok(Some(submit::pending(at)))
            }
            Stage::Executing => {
                let status = submit::executed(&self.app, self.hash).await?;
                Ok(Some(self.said(status)))
            }
            Stage::Certifying(status) => {
                let status = submit::certified(&self.app, self.hash, *status).await?;
                Ok(Some(status))
            }
            Stage::Ended => Ok(None),
        }
    }
}

fn has_receipt(status: &TransactionStatus) -> bool {
    match status {
        TransactionStatus::Pending(_) => false,
        TransactionStatus::Dropped(dropped) => dropped.receipt.is_some(),
        TransactionStatus::Success(_) | TransactionStatus::Failure(_) => true,
    }
}

fn certified_by(status: &TransactionStatus) -> Option<u64> {
    let height = match status {
        TransactionStatus::Pending(_) => None,
        TransactionStatus::Dropped(dropped) => dropped.certified_by,
        TransactionStatus::Success(success) => success.receipt.certified_by,
        TransactionStatus::Failure(failure) => failure.receipt.certified_by,
    };
    height.map(|height| height.0.0)
}
