//! What a chain answers with: headers, the results they commit to, receipts and events.
//!
//! A header is not a function of the log (its time and its cut are choices), so it is durable before
//! anyone hears of it. It commits to the results of all blocks up to its `state_height`, which lags:
//!
//! ```text
//! header h   version │ chain │ epoch │ height │ parent │ time │ gas price │ lanes │ batch root
//!            │ next epoch │ state height s │ results
//!                                             └─ RFC 6962 root over results 1..=s
//! result i   height │ header hash │ state root │ receipts root │ events root
//!                                                │               └─ over contracts, in order of address:
//!                                                │                  (contract, root over its events)
//!                                                └─ over the block's receipts, in order
//! ```
//!
//! so that no height's result is skipped, and one trusted header proves any older one.

use alloc::{string::String, vec::Vec};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    code::Code,
    genesis::EpochRecord,
    id::{AccountId, Amount, ContractId, Epoch, Gas, Hash, Height, Nonce, Timestamp},
};

/// The version of [`Header`] that this crate writes.
pub const VERSION: u16 = 1;

/// What validators sign.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// [`VERSION`].
    pub version: u16,
    /// The genesis hash.
    pub chain: Hash,
    /// The epoch of this height.
    pub epoch: Epoch,
    /// One more than the parent's.
    pub height: Height,
    /// The parent's hash; the genesis hash at height 1.
    pub parent: Hash,
    /// After the parent's.
    pub time: Timestamp,
    /// Base units per gas.
    pub gas_price: Amount,
    /// Where the cut ends in each lane, in order of lane.
    pub lanes: Vec<LaneCut>,
    /// The root over all records of the block in execution order.
    pub batch_root: Hash,
    /// What the next epoch changes; only in an epoch's last header.
    pub next_epoch: Option<EpochRecord>,
    /// The newest height whose result `results` covers; never falls.
    pub state_height: Height,
    /// The root over [`BlockResult`]s 1..=`state_height`.
    pub results: Hash,
}

/// How far a block reaches into one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct LaneCut {
    /// The lane's number.
    pub lane: u32,
    /// Rises when a lane had to be continued after its log contradicted what was finalised.
    pub generation: u32,
    /// Records of this lane and generation that are finalised with this block.
    pub end: u64,
    /// The root over this block's records of the lane.
    pub root: Hash,
}

/// What executing a block came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BlockResult {
    /// The block's height.
    pub height: Height,
    /// Its header's hash.
    pub header_hash: Hash,
    /// The state tree's root after it: a canonical BN254 scalar, big-endian.
    pub state_root: Hash,
    /// The root over its receipts.
    pub receipts_root: Hash,
    /// The root over its contracts' event roots.
    pub events_root: Hash,
}

/// What became of a transaction whose nonce was consumed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// The transaction.
    pub transaction: Hash,
    /// Who sent it.
    pub sender: AccountId,
    /// The nonce that it consumed.
    pub nonce: Nonce,
    /// Gas used.
    pub gas_used: Gas,
    /// What was paid: gas used × the header's gas price; zero if dropped.
    pub fee: Amount,
    /// Who paid it.
    pub paid_by: AccountId,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Outcome {
    /// Every message ran.
    Success {
        /// A result each.
        results: Vec<MessageResult>,
    },
    /// A message failed; all of them are undone, the fee is paid.
    Failure(Failure),
    /// Never ran: `EXPIRED` or `FEE_UNPAID`.
    Dropped {
        /// Which of the two.
        code: Code,
    },
}

/// What a message came to.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum MessageResult {
    /// Value moved; what `receive` returned, if a contract received it.
    Transfer {
        /// Return data.
        returned: Vec<u8>,
    },
    /// Code is stored.
    StoreCode {
        /// Its hash.
        code: Hash,
    },
    /// A contract was made.
    Instantiate {
        /// Its address.
        contract: ContractId,
        /// What `init` returned.
        returned: Vec<u8>,
    },
    /// A method ran.
    Call {
        /// What it returned.
        returned: Vec<u8>,
    },
    /// A contract has other code.
    Upgrade {
        /// What `migrate` returned.
        returned: Vec<u8>,
    },
    /// A contract has another admin.
    SetAdmin,
    /// The next epoch has other validators.
    SetValidators,
}

/// Why a transaction failed, and where.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Failure {
    /// The code.
    pub code: Code,
    /// Which message, from 0.
    pub message_index: u32,
    /// The contract's own error, where the code is `CONTRACT_ERROR`.
    pub error: Option<TypedError>,
    /// The frames from the message's contract to the one that failed; empty if none ran.
    pub path: Vec<Frame>,
}

/// An error that a contract declares: its name and fields, rendered with the contract's ABI.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TypedError {
    /// Its name.
    pub name: String,
    /// `borsh` of its fields.
    pub fields: Vec<u8>,
}

/// A contract's method on the call stack.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Frame {
    /// Which contract.
    pub contract: ContractId,
    /// Its export: `init`, `migrate`, `receive`, `call.NAME` or `view.NAME`.
    pub export: String,
    /// Gas used by it and what it called.
    pub gas_used: Gas,
}

/// Something that a contract said, for those who watch.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Event {
    /// Which transaction of the block, from 0, counting receipts.
    pub transaction_index: u32,
    /// Which event of the transaction, from 0.
    pub event_index: u32,
    /// Which contract.
    pub contract: ContractId,
    /// Its name.
    pub name: String,
    /// `borsh` of its fields.
    pub fields: Vec<u8>,
}

impl Receipt {
    /// True if every message ran.
    pub const fn succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Success { .. })
    }
}

#[cfg(feature = "crypto")]
impl Header {
    /// The hash that certificates sign and results name.
    pub fn hash(&self) -> Hash {
        let bytes = borsh::to_vec(self).unwrap_or_default();
        crate::hash::hash(crate::hash::Domain::Header, &[&bytes])
    }
}
