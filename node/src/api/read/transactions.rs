//! Transactions and what became of them.

use bytes::Bytes;
use rustorium_chain::{
    snapshot::{AccountQuery, EventQuery},
    storage::TransactionPosition,
};
use rustorium_types::{
    code::Code,
    id::{AccountId, Address, Hash},
    limits,
    record::{Control, Record},
    transaction::Body,
};

use super::{PageRequest, Pinned, Render, blocks, render::Ended};
use crate::{
    admission::Known,
    api::{
        model::{Dropped, PageInfo, Pending, Transaction, TransactionStatus, Transactions},
        problem::ApiError,
        scalar,
    },
};

impl Pinned {
    /// A transaction by its hash; `None` if nothing is known of it.
    pub(crate) fn transaction(&self, hash: Hash) -> Result<Option<Transaction>, ApiError> {
        if let Some(position) = self.snapshot().transaction(&hash)? {
            return self.transaction_at(&mut Render::new(self), position).map(Some);
        }
        let Some(Known::Accepted(accepted)) = self.app().admission().pool().known(&hash) else { return Ok(None) };
        let mut render = Render::new(self);
        let status = TransactionStatus::Pending(Pending { accepted_at: scalar::DateTime(accepted.at) });
        let bytes = Bytes::from(accepted.signed.to_bytes());
        let height = self.height();
        let body = &accepted.signed.body;
        let sent = Sent { body: body.clone(), bytes, impersonated: false };
        let messages = render.messages(body, height)?;
        Ok(Some(shown(hash, sent, messages, status)))
    }

    /// What became of a transaction; `None` if nothing is known of it.
    pub(crate) fn status(&self, hash: Hash) -> Result<Option<TransactionStatus>, ApiError> {
        if let Some(position) = self.snapshot().transaction(&hash)? {
            return self.ended_at(&mut Render::new(self), position).map(|(.., status)| Some(status));
        }
        Ok(self.app().admission().pool().known(&hash).map(|known| match known {
            Known::Accepted(accepted) => {
                TransactionStatus::Pending(Pending { accepted_at: scalar::DateTime(accepted.at) })
            }
            Known::Void(height) => TransactionStatus::Dropped(Dropped {
                height: scalar::Height(height),
                code: Code::NonceUsed.to_string(),
                certified_by: None,
                receipt: None,
            }),
        }))
    }

    /// The transactions of positions.
    pub(crate) fn transactions(
        &self,
        positions: &[TransactionPosition],
        page_info: PageInfo,
    ) -> Result<Transactions, ApiError> {
        let mut render = Render::new(self);
        let nodes = positions.iter().map(|position| self.transaction_at(&mut render, *position));
        let nodes = nodes.collect::<Result<_, _>>()?;
        Ok(Transactions { nodes, cursors: positions.iter().map(blocks::cursor).collect(), page_info })
    }

    /// A page of the transactions that concern an account, newest first.
    pub(crate) fn account_transactions(
        &self,
        account: AccountId,
        page: &PageRequest,
    ) -> Result<Transactions, ApiError> {
        let page = page.check(self.page_size(), blocks::position)?;
        // The list runs from the newest, the index from the oldest: behind one is before the other.
        let query =
            AccountQuery { after: page.before, before: page.after, limit: page.limit + 1, reverse: !page.from_back };
        let found = self.snapshot().account_transactions(account, &query)?;
        let (positions, page_info) = page.cut(found, blocks::cursor);
        self.transactions(&positions, page_info)
    }

    fn transaction_at(&self, render: &mut Render<'_>, position: TransactionPosition) -> Result<Transaction, ApiError> {
        let (hash, sent, status) = self.ended_at(render, position)?;
        let messages = render.messages(&sent.body, position.height)?;
        Ok(shown(hash, sent, messages, status))
    }

    /// A transaction that has ended: its hash, what was sent, and what became of it.
    fn ended_at(
        &self,
        render: &mut Render<'_>,
        position: TransactionPosition,
    ) -> Result<(Hash, Sent, TransactionStatus), ApiError> {
        let snapshot = self.snapshot();
        let missing = || ApiError::internal(format!("nothing is at {position:?}"));
        let receipt = snapshot.receipt(position)?.ok_or_else(missing)?;
        let sent = snapshot.record(position)?.and_then(|record| Sent::of(&record)).ok_or_else(missing)?;
        let diagnostics = snapshot.diagnostics(position)?;
        let events = if receipt.succeeded() {
            let heights = position.height..=position.height;
            let transaction = Some(receipt.transaction);
            snapshot.events(&EventQuery { transaction, heights, ..EventQuery::all(limits::EVENTS) })?
        } else {
            Vec::new()
        };
        let ended = Ended {
            height: position.height,
            index: position.index,
            receipt: &receipt,
            messages: &sent.body.messages,
            events: &events,
            diagnostics: Some(&diagnostics),
        };
        let status = render.ended(&ended)?;
        Ok((receipt.transaction, sent, status))
    }
}

/// A transaction as a record has it.
struct Sent {
    body: Body,
    /// What stands behind the byte that says what kind of record it is: the signed transaction, or the body.
    bytes: Bytes,
    impersonated: bool,
}

impl Sent {
    fn of(record: &Bytes) -> Option<Self> {
        match borsh::from_slice(record).ok()? {
            Record::Transaction(signed) => {
                Some(Self { body: signed.body, bytes: record.slice(1..), impersonated: false })
            }
            Record::Control(Control::Impersonate { body }) => {
                let bytes = borsh::to_vec(&body).ok()?.into();
                Some(Self { body, bytes, impersonated: true })
            }
            Record::Control(_) => None,
        }
    }
}

/// The body of a record's transaction.
pub(super) fn body_of(record: &Bytes) -> Option<Body> {
    Sent::of(record).map(|sent| sent.body)
}

fn shown(hash: Hash, sent: Sent, messages: Vec<crate::api::model::Message>, status: TransactionStatus) -> Transaction {
    let Sent { body, bytes, impersonated } = sent;
    Transaction {
        hash: scalar::Hash(hash),
        sender: scalar::Address(Address::Account(body.sender)),
        nonce: body.nonce.into(),
        valid_until: body.valid_until.map(scalar::DateTime),
        gas_limit: body.gas_limit.into(),
        max_gas_price: scalar::Amount(body.max_gas_price),
        fee_payer: body.fee_payer.map(|payer| scalar::Address(Address::Account(payer))),
        memo: if body.memo.is_empty() { None } else { Some(body.memo.into()) },
        messages,
        bytes: scalar::Bytes(bytes),
        impersonated,
        status,
    }
}
