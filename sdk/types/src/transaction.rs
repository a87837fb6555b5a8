//! A transaction: what its sender signs, and the signatures beside it.
//!
//! ```text
//! Signed   Body │ Authorisation of the sender │ Option<Authorisation> of the fee payer       (borsh)
//! digest = hash = blake3( "rustorium transaction 1" │ 0 │ genesis hash │ borsh(Body) )
//! ```
//!
//! Invariants: the digest excludes the signatures, so a malleable signature changes nothing, and includes
//! the genesis hash, so that a transaction means something on one chain only. Sender and fee payer sign
//! the same digest. Messages run in order, all or nothing.

use alloc::{string::String, vec::Vec};

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use crate::{
    id::{AccountId, Address, Amount, ContractId, Gas, Hash, Nonce, Timestamp},
    limits,
    validators::{ValidatorChange, ValidatorSignature},
};

/// The version of [`Body`] that this crate writes.
pub const VERSION: u16 = 1;

/// What the sender signs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Body {
    /// [`VERSION`].
    pub version: u16,
    /// The first four bytes of the genesis hash: a cheap check; the digest binds to the whole.
    pub chain: [u8; 4],
    /// Who acts, and pays unless there is a fee payer.
    pub sender: AccountId,
    /// Unused by the sender before, and inside the window.
    pub nonce: Nonce,
    /// The last header time at which it may run.
    pub valid_until: Option<Timestamp>,
    /// Gas that it may use at the most.
    pub gas_limit: Gas,
    /// Base units per gas that it pays at the most.
    pub max_gas_price: Amount,
    /// Who pays the fee instead of the sender.
    pub fee_payer: Option<AccountId>,
    /// For the sender's own use; at most [`limits::MEMO_BYTES`].
    pub memo: Vec<u8>,
    /// What to do: 1 to [`limits::MESSAGES`].
    pub messages: Vec<Message>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Message {
    /// Moves native value. To a contract it runs `receive`, and fails where there is none.
    Transfer {
        /// Who receives.
        to: Address,
        /// How much.
        amount: Amount,
    },
    /// Stores WebAssembly code; storing what exists succeeds.
    StoreCode {
        /// The module.
        wasm: Vec<u8>,
    },
    /// Creates a contract of stored code and runs its `init`.
    Instantiate {
        /// The code's hash.
        code: Hash,
        /// With the creator, decides the address.
        salt: [u8; 32],
        /// Who may upgrade it and hand this right over; nobody ever, if none.
        admin: Option<Address>,
        /// A name for people; at most [`limits::LABEL_BYTES`].
        label: String,
        /// `borsh` of the arguments of `init`.
        args: Vec<u8>,
        /// Value that it starts with.
        value: Amount,
    },
    /// Runs a method.
    Call {
        /// Of which contract.
        contract: ContractId,
        /// Its name, without the `call.` of the export.
        method: String,
        /// `borsh` of its arguments.
        args: Vec<u8>,
        /// Value that goes with it.
        value: Amount,
    },
    /// Gives a contract other code and runs that code's `migrate`, if it has one. Only its admin may.
    Upgrade {
        /// Which contract.
        contract: ContractId,
        /// The new code's hash.
        code: Hash,
        /// `borsh` of the arguments of `migrate`.
        args: Vec<u8>,
    },
    /// Hands over the right to upgrade; only the admin may.
    SetAdmin {
        /// Which contract.
        contract: ContractId,
        /// The next admin; nobody ever, if none.
        admin: Option<Address>,
    },
    /// Says who validates from the next epoch on. Anybody may; it holds if a quorum of the epoch's validators signed.
    SetValidators {
        /// What they decided.
        change: ValidatorChange,
        /// Theirs, in rising order of validator.
        signatures: Vec<ValidatorSignature>,
    },
}

/// A proof that an account agrees. Its scheme and public key hash to the account's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[non_exhaustive]
pub enum Authorisation {
    /// Scheme 0: ed25519 by ZIP-215 over the digest.
    Ed25519 {
        /// The key.
        public_key: [u8; 32],
        /// The signature.
        signature: [u8; 64],
    },
}

/// A transaction as it travels and as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Signed {
    /// What was signed.
    pub body: Body,
    /// The sender's.
    pub authorisation: Authorisation,
    /// The fee payer's; present exactly when the body names one.
    pub fee_payer_authorisation: Option<Authorisation>,
}

/// Why bytes or a body are not a transaction that could ever run on this chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MalformedTransaction {
    /// Not borsh of a signed transaction, or bytes behind it.
    #[error("not the borsh encoding of a signed transaction")]
    Encoding,
    /// Of a version that this chain does not know.
    #[error("transaction version {0} is unknown; this chain knows {VERSION}")]
    Version(u16),
    /// For another chain.
    #[error("the transaction was made for another chain")]
    WrongChain,
    /// No message, or too many.
    #[error("a transaction has 1 to {limit} messages, this one has {0}", limit = limits::MESSAGES)]
    MessageCount(usize),
    /// The memo is too long.
    #[error("a memo has at most {limit} bytes, this one has {0}", limit = limits::MEMO_BYTES)]
    Memo(usize),
    /// A label is too long.
    #[error("a label has at most {limit} bytes, this one has {0}", limit = limits::LABEL_BYTES)]
    Label(usize),
    /// A method name is too long.
    #[error("a method's name has at most {limit} bytes, this one has {0}", limit = limits::NAME_BYTES)]
    Method(usize),
    /// Arguments are too long.
    #[error("arguments have at most {limit} bytes, these have {0}", limit = limits::ARGUMENT_BYTES)]
    Arguments(usize),
    /// More validators than an epoch can have.
    #[error("an epoch has at most {limit} validators, this change names {0}", limit = limits::VALIDATORS)]
    Validators(usize),
    /// More signatures than an epoch has validators.
    #[error("a change has at most {limit} signatures, one of each validator, this one has {0}", limit = limits::VALIDATORS)]
    Signatures(usize),
    /// Nonces start at 1.
    #[error("the first nonce is 1")]
    NonceZero,
    /// A fee payer is named and did not sign, or signed and is not named.
    #[error("a fee payer is named without its signature, or signed without being named")]
    FeePayer,
}

impl Signed {
    /// Decodes exactly, nothing behind it, and checks what needs no state: version, chain, counts and lengths.
    ///
    /// # Errors
    /// What is malformed, the first of them.
    pub fn parse(bytes: &[u8], genesis: &Hash) -> Result<Self, MalformedTransaction> {
        let signed: Self = borsh::from_slice(bytes).map_err(|_| MalformedTransaction::Encoding)?;
        signed.body.check(genesis)?;
        if signed.body.fee_payer.is_some() != signed.fee_payer_authorisation.is_some() {
            return Err(MalformedTransaction::FeePayer);
        }
        Ok(signed)
    }

    /// The bytes that travel.
    pub fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).unwrap_or_default()
    }
}

impl Body {
    /// Checks what needs no state: version, chain, counts and lengths.
    ///
    /// # Errors
    /// What is malformed, the first of them.
    pub fn check(&self, genesis: &Hash) -> Result<(), MalformedTransaction> {
        use MalformedTransaction as Malformed;
        let at_most = |length: usize, limit: usize, error: fn(usize) -> Malformed| {
            if length > limit { Err(error(length)) } else { Ok(()) }
        };
        if self.version != VERSION {
            return Err(Malformed::Version(self.version));
        }
        if self.chain[..] != genesis.0[..4] {
            return Err(Malformed::WrongChain);
        }
        if self.nonce == Nonce::ZERO {
            return Err(Malformed::NonceZero);
        }
        if self.messages.is_empty() {
            return Err(Malformed::MessageCount(0));
        }
        at_most(self.messages.len(), limits::MESSAGES, Malformed::MessageCount)?;
        at_most(self.memo.len(), limits::MEMO_BYTES, Malformed::Memo)?;
        for message in &self.messages {
            match message {
                Message::Instantiate { label, args, .. } => {
                    at_most(label.len(), limits::LABEL_BYTES, Malformed::Label)?;
                    at_most(args.len(), limits::ARGUMENT_BYTES, Malformed::Arguments)?;
                }
                Message::Call { method, args, .. } => {
                    at_most(method.len(), limits::NAME_BYTES, Malformed::Method)?;
                    at_most(args.len(), limits::ARGUMENT_BYTES, Malformed::Arguments)?;
                }
                Message::Upgrade { args, .. } => {
                    at_most(args.len(), limits::ARGUMENT_BYTES, Malformed::Arguments)?;
                }
                Message::SetValidators { change, signatures } => {
                    at_most(change.validators.len(), limits::VALIDATORS, Malformed::Validators)?;
                    at_most(signatures.len(), limits::VALIDATORS, Malformed::Signatures)?;
                }
                Message::Transfer { .. } | Message::StoreCode { .. } | Message::SetAdmin { .. } => {}
            }
        }
        Ok(())
    }

    /// Who pays the fee.
    pub fn payer(&self) -> AccountId {
        self.fee_payer.unwrap_or(self.sender)
    }

    /// The digest that is signed, which is also the hash that names the transaction.
    #[cfg(feature = "crypto")]
    pub fn digest(&self, genesis: &Hash) -> Hash {
        let body = borsh::to_vec(self).unwrap_or_default();
        crate::hash::hash(crate::hash::Domain::Transaction, &[&genesis.0, &body])
    }
}

impl Authorisation {
    /// The account that this speaks for.
    #[cfg(feature = "crypto")]
    pub fn account(&self) -> AccountId {
        match self {
            Self::Ed25519 { public_key, .. } => crate::hash::account_id(0, public_key),
        }
    }
}
