//! What the API answers with: the same objects as JSON of REST and WebSocket, and as GraphQL types.
//!
//! Each type is described once, so that the three protocols cannot drift apart; doc comments are what OpenAPI
//! and the GraphQL schema say. Fields that cost a proof or an execution are computed when asked for.

mod account;
mod chain;
mod contract;
mod event;
mod header;
mod input;
mod message;
mod page;
mod proof;
mod receipt;
mod trace;
mod transaction;
mod validators;

pub use account::Account;
pub use chain::{ChainLimits, Status};
pub use contract::{Code, Contract, StateValue, ViewResult};
pub use event::{Checkpoint, Event, EventMessage};
pub use header::{Block, Header};
pub use input::{
    CallInput, EventFilter, FieldEquals, HeightRange, InstantiateInput, MessageInput, Prepared, SetAdminInput,
    SetValidatorsInput, SignedInput, SubmitResult, TransactionInput, TransferInput, UpgradeInput,
    ValidatorSignatureInput, Wait,
};
pub use message::{
    CallMessage, InstantiateMessage, Message, SetAdminMessage, SetValidatorsMessage, StoreCodeMessage, TransferMessage,
    UpgradeMessage,
};
pub use page::{Events, Headers, PageInfo, Range, Transactions};
pub use proof::{StateProof, Witness};
pub use receipt::{ContractError, Dropped, Failure, Frame, Pending, Receipt, Success, TransactionStatus};
pub use trace::{
    Change, MessageTrace, Place, Trace, TraceEvent, TraceFrame, TraceHost, TraceLog, TraceRead, TraceStep, TraceWrite,
    TracedError, Value,
};
pub use transaction::Transaction;
pub use validators::{NextValidators, Validators};
