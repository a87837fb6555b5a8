//! What nodes say to each other beside consensus: borsh, a message or a request each, within its class's limit.
//!
//! ```text
//! Bodies   message   Records │ Stored       lanes among validators
//!          request   Records → [record]     what a block takes and is not here
//!                    [record] → [response] what a follower was given
//! Sync     message   Introduction           which validator a peer is
//!          request   After height → [block] for whoever catches up
//! ```

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use rustorium_chain::{exchange::Want, log::LanePosition};
use rustorium_network::PeerId;
use rustorium_types::{
    block::Header,
    ed25519::{PublicKey, Signature, SigningKey},
    hash::{Domain, hash},
    id::{Hash, Height},
};

/// A message between validators about their lanes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) enum LaneMessage {
    /// Records of the sender's lane, from a position on.
    Records {
        /// Of the first.
        from: Position,
        /// The records.
        records: Vec<Vec<u8>>,
    },
    /// The sender has the receiver's lane on its disk, up to an end.
    Stored {
        /// The end.
        end: Position,
    },
}

/// [`LanePosition`], on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Position {
    lane: u32,
    generation: u32,
    index: u64,
}

/// A request of class Bodies.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) enum BodiesRequest {
    /// Records that a block takes.
    Records(RecordsRequest),
    /// Records for the validator's lane. The answer is a [`SubmitResponse`] each.
    Submit(Vec<Vec<u8>>),
}

/// What became of a record that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) enum SubmitResponse {
    /// It is accepted.
    Accepted {
        /// The transaction's hash.
        transaction: Option<Hash>,
        /// Where it stands.
        position: Position,
    },
    /// The validator has too much of its sender.
    Busy,
    /// The validator's disk is full, or it stops: another may take it.
    Unavailable,
    /// The validator refuses it for what it is.
    Refused,
}

/// A request for the records that a block takes of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct RecordsRequest {
    from: Position,
    end: u64,
    root: Hash,
}

/// A request for the final blocks after a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct BlocksRequest {
    /// The height that the asker has.
    pub(super) after: Height,
}

/// The answer: where the answerer is, and as many blocks as fit.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct BlocksResponse {
    /// The answerer's newest certified block.
    pub(super) head: Height,
    /// Blocks, in order; the last has a certificate.
    pub(super) blocks: Vec<WireBlock>,
}

/// A final block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct WireBlock {
    /// The header.
    pub(super) header: Header,
    /// Its certificate; empty if it is final by a later one's.
    pub(super) certificate: Vec<u8>,
    /// Its records, in execution order.
    pub(super) records: Vec<Vec<u8>>,
}

/// A validator says which peer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct Introduction {
    /// The validator's key.
    pub(super) validator: [u8; 32],
    /// Over the chain and the peer.
    pub(super) signature: [u8; 64],
}

impl Introduction {
    /// Says that the peer with this id is this key's.
    pub(super) fn sign(key: &SigningKey, chain: &Hash, peer: &PeerId) -> Self {
        let signature = key.sign(signed(chain, peer).as_bytes()).0;
        Self { validator: key.public_key().0, signature }
    }

    /// Whether the validator said so.
    pub(super) fn is_of(&self, chain: &Hash, peer: &PeerId) -> bool {
        let message = signed(chain, peer);
        PublicKey(self.validator).verify(message.as_bytes(), &Signature(self.signature)).is_ok()
    }
}

fn signed(chain: &Hash, peer: &PeerId) -> Hash {
    hash(Domain::Introduction, &[&chain.0, &peer.0.0])
}

impl From<LanePosition> for Position {
    fn from(LanePosition { lane, generation, index }: LanePosition) -> Self {
        Self { lane, generation, index }
    }
}

impl From<Position> for LanePosition {
    fn from(Position { lane, generation, index }: Position) -> Self {
        Self { lane, generation, index }
    }
}

impl From<Want> for RecordsRequest {
    fn from(want: Want) -> Self {
        Self { from: want.from.into(), end: want.end, root: want.root }
    }
}

impl From<RecordsRequest> for Want {
    fn from(request: RecordsRequest) -> Self {
        Self { from: request.from.into(), end: request.end, root: request.root, is_final: false }
    }
}

/// The bytes of a message. Memory does not fail, and nothing here is too long for borsh.
pub(super) fn encode(message: &impl BorshSerialize) -> Bytes {
    borsh::to_vec(message).unwrap_or_default().into()
}

/// A message of these bytes and no more.
pub(super) fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Option<T> {
    borsh::from_slice(bytes).ok()
}
