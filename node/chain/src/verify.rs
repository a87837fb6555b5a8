//! A record, judged once: decoded, measured, its signatures checked. Execution does not look again.
//!
//! Judging is a function of the bytes and the genesis alone, so every node calls the same records junk.
//! Signatures are checked in batches, at half the cost of one by one. A record that comes from the log is judged
//! like one that comes from a client: whoever could write to the log could write anything.

use std::sync::Arc;

use bytes::Bytes;
use rustorium_runtime::Transaction;
use rustorium_types::{
    ed25519,
    genesis::Genesis,
    id::{AccountId, Gas, Hash},
    limits::Limits,
    record::{self, Control, Record},
    transaction::{Authorisation, Body, MalformedTransaction, Signed},
};

use crate::submit::{Refused, Signer};

/// Signatures of a batch: more gain little, and one bad signature has all of its batch checked one by one.
const SIGNATURES: usize = 256;

/// A record and what it means.
#[derive(Clone, Debug)]
pub struct Checked {
    /// As it enters a block: itself, or what stands for it if it is over the limit.
    pub entered: Bytes,
    /// The gas that it counts for in a block: what its transaction may use, whether or not its signature holds.
    pub gas: Gas,
    /// What it means.
    pub meaning: Meaning,
}

/// What a record means.
#[derive(Clone, Debug)]
pub enum Meaning {
    /// A transaction whose signatures hold, or which needs none because the chain is for development.
    Transaction(Transaction),
    /// A command to a dev chain.
    Control(Control),
    /// Nothing, for this reason; a no-op everywhere.
    Junk(Refused),
}

/// Judges records.
#[derive(Clone, Debug)]
pub struct Judge {
    chain: Hash,
    genesis: Arc<Genesis>,
}

/// A signature to check: of which record, whose, and the parts.
struct Pending {
    record: usize,
    signer: Signer,
    public_key: ed25519::PublicKey,
    signature: ed25519::Signature,
    digest: Hash,
}

impl Judge {
    /// Of a chain.
    pub fn new(genesis: &Arc<Genesis>) -> Self {
        Self { chain: genesis.hash(), genesis: Arc::clone(genesis) }
    }

    /// The chain's limits.
    pub(crate) fn limits(&self) -> &Limits {
        &self.genesis.limits
    }

    /// Judges records together, in their order.
    pub fn check(&self, records: impl IntoIterator<Item = Bytes>) -> Vec<Checked> {
        let mut signatures = Vec::new();
        let mut checked: Vec<Checked> = Vec::new();
        for record in records {
            let next = self.decode(record, checked.len(), &mut signatures);
            checked.push(next);
        }
        for batch in signatures.chunks(SIGNATURES) {
            let signed: Vec<_> = batch.iter().map(Pending::signed).collect();
            for (pending, verdict) in batch.iter().zip(ed25519::verify_each(&signed)) {
                if verdict.is_err() {
                    checked[pending.record].meaning = Meaning::Junk(Refused::Signature(pending.signer));
                }
            }
        }
        checked
    }

    /// Everything but the signatures, which are added to `signatures` as those of record `index`.
    fn decode(&self, record: Bytes, index: usize, signatures: &mut Vec<Pending>) -> Checked {
        let limit = record::limit(&self.genesis.limits);
        if record.len() > limit {
            let refused = Refused::TooLarge { bytes: record.len(), limit };
            let entered = record::oversize(&record).into();
            return Checked { entered, gas: Gas::ZERO, meaning: Meaning::Junk(refused) };
        }
        let (gas, meaning) = match borsh::from_slice(&record) {
            Ok(Record::Transaction(signed)) => self.transaction(signed, index, signatures),
            Ok(Record::Control(_)) if !self.genesis.dev => (Gas::ZERO, Meaning::Junk(Refused::NotADevChain)),
            Ok(Record::Control(Control::Impersonate { body })) => self.impersonated(body),
            Ok(Record::Control(control)) => (Gas::ZERO, Meaning::Control(control)),
            Err(_) => (Gas::ZERO, Meaning::Junk(Refused::NotARecord)),
        };
        Checked { entered: record, gas, meaning }
    }

    /// What a dev chain executes as if it were signed.
    fn impersonated(&self, body: Body) -> (Gas, Meaning) {
        match body.check(&self.chain) {
            Err(malformed) => (Gas::ZERO, Meaning::Junk(Refused::Malformed(malformed))),
            Ok(()) => {
                let transaction = Transaction::new(body, &self.chain);
                (transaction.gas_limit(&self.genesis.limits), Meaning::Transaction(transaction))
            }
        }
    }

    fn transaction(&self, signed: Signed, index: usize, signatures: &mut Vec<Pending>) -> (Gas, Meaning) {
        let Signed { body, authorisation, fee_payer_authorisation } = signed;
        let malformed = match body.check(&self.chain) {
            Err(malformed) => Some(malformed),
            Ok(()) if body.fee_payer.is_some() != fee_payer_authorisation.is_some() => {
                Some(MalformedTransaction::FeePayer)
            }
            Ok(()) => None,
        };
        if let Some(malformed) = malformed {
            return (Gas::ZERO, Meaning::Junk(Refused::Malformed(malformed)));
        }
        let transaction = Transaction::new(body, &self.chain);
        let gas = transaction.gas_limit(&self.genesis.limits);
        let body = &transaction.body;
        let mut signers = vec![(Signer::Sender, body.sender, authorisation)];
        signers.extend(body.fee_payer.zip(fee_payer_authorisation).map(|(payer, by)| (Signer::FeePayer, payer, by)));
        for (signer, account, authorisation) in signers {
            match pending(index, signer, account, authorisation, transaction.hash) {
                Some(pending) => signatures.push(pending),
                None => return (gas, Meaning::Junk(Refused::Signature(signer))),
            }
        }
        (gas, Meaning::Transaction(transaction))
    }
}

impl Pending {
    fn signed(&self) -> ed25519::SignedMessage<'_> {
        ed25519::SignedMessage {
            public_key: self.public_key,
            message: self.digest.as_bytes(),
            signature: self.signature,
        }
    }
}

/// The signature that an account's authorisation claims to be; `None` if it speaks for another account.
fn pending(
    record: usize,
    signer: Signer,
    account: AccountId,
    authorisation: Authorisation,
    digest: Hash,
) -> Option<Pending> {
    if authorisation.account() != account {
        return None;
    }
    match authorisation {
        Authorisation::Ed25519 { public_key, signature } => Some(Pending {
            record,
            signer,
            public_key: ed25519::PublicKey(public_key),
            signature: ed25519::Signature(signature),
            digest,
        }),
        _ => None,
    }
}
