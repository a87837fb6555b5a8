//! The door: what is taken into the log, and what is refused with a reason.
//!
//! The checks are cheap and read only the newest executed state. They refuse what could not run as things stand;
//! the rules at execution decide again. Signatures are checked by the chain, in batches, behind this door, so
//! nothing here may reserve anything for a sender before the chain has accepted the transaction: else anybody
//! could block anybody's nonce with a forgery.
//!
//! Invariants: the same transaction is answered the same way, however often it comes, and enters the log once
//! from here; what is accepted and not executed is bounded, by sender and in all.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rustorium_chain::{
    chain::Chain,
    snapshot::Snapshot,
    storage::StoreError,
    submit::{Refused, Source, Ticket},
};
use rustorium_runtime::{StateError, StateKey, StateRead};
use rustorium_types::{
    code::Code,
    id::{AccountId, Amount, Gas, Hash, Nonce, Timestamp},
    limits::NONCE_AHEAD,
    record::Record,
    state::{Account, NonceState},
    time::format_timestamp,
    transaction::{Body, MalformedTransaction, Message, Signed},
};
use thiserror::Error;

use crate::{config, node::now};

mod pool;

/// When to try again where too much waits to be executed: about what a full block takes.
const EXECUTED_AFTER: Duration = Duration::from_secs(1);

pub(crate) use pool::{Known, Pool};

/// Why a transaction is not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It could never run on this chain.
    #[error("{0}")]
    Malformed(#[from] MalformedTransaction),
    /// The authorisation is of another account than the one that must agree.
    #[error("the {role} is {expected}, but the authorisation's key is that of {found}")]
    OtherSigner {
        /// `sender` or `fee payer`.
        role: &'static str,
        /// Who must agree.
        expected: AccountId,
        /// Who did.
        found: AccountId,
    },
    /// Its last time has passed.
    #[error("the transaction was valid until {}; it is {}", format_timestamp(*.until), format_timestamp(*.now))]
    Expired {
        /// Its last time.
        until: Timestamp,
        /// The time.
        now: Timestamp,
    },
    /// Its nonce was consumed by another.
    #[error("nonce {nonce} of {sender} is used; the next free one is {next}")]
    NonceUsed {
        /// Whose.
        sender: AccountId,
        /// Which.
        nonce: Nonce,
        /// The next.
        next: Nonce,
    },
    /// Its nonce is that of another accepted transaction.
    #[error("nonce {nonce} of {sender} is that of {by}, which is accepted and not yet executed")]
    NonceTaken {
        /// Whose.
        sender: AccountId,
        /// Which.
        nonce: Nonce,
        /// By which transaction.
        by: Hash,
    },
    /// Its nonce is above the window.
    #[error("nonce {nonce} is too far ahead: {sender} may use nonces up to {last} now")]
    NonceTooFar {
        /// Whose.
        sender: AccountId,
        /// Which.
        nonce: Nonce,
        /// The highest that may be used.
        last: Nonce,
    },
    /// It asks for more gas than a transaction may have.
    #[error("a transaction has at most {limit} gas on this chain, this one asks for {asked}")]
    GasLimit {
        /// What it asks for.
        asked: Gas,
        /// The chain's limit.
        limit: Gas,
    },
    /// It pays less than the chain's price.
    #[error("gas costs {price} on this chain, the transaction pays at most {offered}")]
    GasPriceTooLow {
        /// What it pays.
        offered: Amount,
        /// The price.
        price: Amount,
    },
    /// The payer cannot cover the fee, or the sender what it transfers.
    #[error("{account} has {available} and needs {needed}: {purpose}")]
    InsufficientFunds {
        /// Whose balance.
        account: AccountId,
        /// What it has.
        available: Amount,
        /// What it needs.
        needed: Amount,
        /// What for.
        purpose: &'static str,
    },
    /// Too much is waiting to be executed.
    #[error("{0}; try again when some of it is executed")]
    Busy(&'static str),
    /// The chain refused it.
    #[error(transparent)]
    Chain(#[from] Refused),
    /// State cannot be read.
    #[error("the state cannot be read")]
    State(#[from] StateError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::State(error.into())
    }
}

impl Refusal {
    /// The code that users see.
    pub fn code(&self) -> Code {
        use MalformedTransaction as Malformed;
        match self {
            Self::Malformed(Malformed::WrongChain) => Code::WrongChain,
            Self::Malformed(
                Malformed::Memo(_) | Malformed::Label(_) | Malformed::Method(_) | Malformed::Arguments(_),
            ) => Code::TooLarge,
            Self::Malformed(_) | Self::GasLimit { .. } => Code::BadUserInput,
            Self::OtherSigner { .. } => Code::InvalidSignature,
            Self::Expired { .. } => Code::Expired,
            Self::NonceUsed { .. } | Self::NonceTaken { .. } => Code::NonceUsed,
            Self::NonceTooFar { .. } => Code::NonceTooFar,
            Self::GasPriceTooLow { .. } => Code::GasPriceTooLow,
            Self::InsufficientFunds { .. } => Code::InsufficientFunds,
            Self::Busy(_) => Code::RateLimited,
            Self::Chain(refused) => refused.code(),
            Self::State(_) => Code::Internal,
        }
    }

    /// When to try again, where that is all it takes.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(_) => Some(EXECUTED_AFTER),
            Self::Chain(refused) => refused.retry_after(),
            _ => None,
        }
    }
}

/// A transaction on its way into the log.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// It is accepted or executed already.
    Known,
    /// It is being appended; answer with [`Admission::finish`].
    Appending(Box<Signed>, Ticket),
}

/// The door of one node.
pub(crate) struct Admission {
    chain: Chain,
    pool: Arc<Pool>,
}

impl Admission {
    pub(crate) fn new(chain: Chain, bounds: &config::Admission) -> Self {
        Self { chain, pool: Arc::new(Pool::new(bounds)) }
    }

    /// What is accepted and not yet executed.
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Checks a transaction and starts to append it, in the turns of where it comes from.
    pub(crate) fn admit(
        &self,
        source: Source,
        snapshot: &Arc<Snapshot>,
        signed: Signed,
        hash: Hash,
    ) -> Result<Admitted, Refusal> {
        if self.pool.known(&hash).is_some_and(|known| matches!(known, Known::Accepted(_)))
            || snapshot.transaction(&hash)?.is_some()
        {
            return Ok(Admitted::Known);
        }
        let view = Standing::of(snapshot);
        view.check(snapshot, &signed)?;
        self.pool.check(&signed.body)?;
        let record = Bytes::from(Record::Transaction(signed.clone()).to_bytes());
        Ok(Admitted::Appending(Box::new(signed), self.chain.submit_from(source, record)))
    }

    /// Waits until the transaction is durable, and remembers it until it is executed.
    pub(crate) async fn finish(&self, signed: Signed, hash: Hash, ticket: Ticket) -> Result<Timestamp, Refusal> {
        ticket.await?;
        let accepted_at = now();
        let (sender, nonce) = (signed.body.sender, signed.body.nonce);
        self.pool.insert(hash, signed, accepted_at);
        // It may have been executed before it was remembered: then nobody else would forget it.
        let snapshot = self.chain.snapshot();
        if account(&snapshot, sender)?.nonces.state(nonce) == NonceState::Used {
            self.pool.executed(&[(hash, sender, nonce)], snapshot.height());
        }
        Ok(accepted_at)
    }
}

/// What transactions are measured against.
struct Standing {
    now: Timestamp,
    gas_price: Amount,
    gas_limit: Gas,
}

impl Standing {
    fn of(snapshot: &Snapshot) -> Self {
        let genesis = snapshot.genesis();
        let head = snapshot.head().map(|head| &head.header);
        let head_time = head.map_or(genesis.time, |head| head.time);
        let gas_price = head.map_or(genesis.gas_price, |head| head.gas_price);
        Self { now: now().max(head_time), gas_price, gas_limit: genesis.limits.transaction_gas }
    }

    fn check(&self, snapshot: &Arc<Snapshot>, signed: &Signed) -> Result<(), Refusal> {
        let body = &signed.body;
        let signer = |role, expected, found: AccountId| {
            if found == expected { Ok(()) } else { Err(Refusal::OtherSigner { role, expected, found }) }
        };
        signer("sender", body.sender, signed.authorisation.account())?;
        if let (Some(payer), Some(authorisation)) = (body.fee_payer, &signed.fee_payer_authorisation) {
            signer("fee payer", payer, authorisation.account())?;
        }
        self.check_offer(body)?;
        let sender = account(snapshot, body.sender)?;
        check_nonce(body, &sender)?;
        check_funds(snapshot, body, &sender)
    }

    fn check_offer(&self, body: &Body) -> Result<(), Refusal> {
        if let Some(until) = body.valid_until.filter(|until| *until < self.now) {
            return Err(Refusal::Expired { until, now: self.now });
        }
        if body.gas_limit > self.gas_limit {
            return Err(Refusal::GasLimit { asked: body.gas_limit, limit: self.gas_limit });
        }
        if body.max_gas_price < self.gas_price {
            return Err(Refusal::GasPriceTooLow { offered: body.max_gas_price, price: self.gas_price });
        }
        Ok(())
    }
}

fn check_nonce(body: &Body, sender: &Account) -> Result<(), Refusal> {
    let (account, nonce) = (body.sender, body.nonce);
    match sender.nonces.state(nonce) {
        NonceState::Unused => Ok(()),
        NonceState::Used => Err(Refusal::NonceUsed { sender: account, nonce, next: sender.nonces.next() }),
        NonceState::TooFar => {
            let last = Nonce(sender.nonces.highest.0.saturating_add(NONCE_AHEAD));
            Err(Refusal::NonceTooFar { sender: account, nonce, last })
        }
    }
}

/// The fee must be covered, and with it what is transferred before anything could bring the sender more.
fn check_funds(snapshot: &Arc<Snapshot>, body: &Body, sender: &Account) -> Result<(), Refusal> {
    let fee = body.gas_limit.cost(body.max_gas_price);
    let payer = body.payer();
    let covered = |account, available: Amount, needed: Amount, purpose| {
        if needed <= available {
            Ok(())
        } else {
            Err(Refusal::InsufficientFunds { account, available, needed, purpose })
        }
    };
    let balance = if payer == body.sender { sender.balance } else { account(snapshot, payer)?.balance };
    covered(payer, balance, fee, "the gas limit times the price that it pays at the most")?;
    let transfers = body.messages.iter().map_while(|message| match message {
        Message::Transfer { to, amount } if to.account().is_some() => Some(amount.0),
        _ => None,
    });
    let moved = Amount(transfers.fold(0u128, u128::saturating_add));
    let needed = if payer == body.sender { Amount(moved.0.saturating_add(fee.0)) } else { moved };
    covered(body.sender, sender.balance, needed, "what it transfers, and its fee at the most")
}

/// An account's record in the newest executed state.
pub(crate) fn account(snapshot: &Arc<Snapshot>, account: AccountId) -> Result<Account, StateError> {
    let state = snapshot.state(snapshot.height()).map_err(|error| StateError::from(StoreError::from(error)))?;
    let record = state.read(&StateKey::account(account))?;
    match record {
        None => Ok(Account::default()),
        Some(bytes) => borsh::from_slice(&bytes).map_err(|_| StateError::Damaged(rustorium_runtime::Damage::Account)),
    }
}
