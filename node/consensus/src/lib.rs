//! The consensus of many: commonware's simplex and marshal, between a chain and a network.
//!
//! What is agreed on is headers. A header is a cut of the lanes; its records, whether it holds, and what became of it
//! are the chain's business, which is asked at its [desk](rustorium_chain::desk):
//!
//! ```text
//!              ┌──────────────── Consensus, a thread with a runtime of its own ────────────────┐
//!  network     │  simplex: one engine an epoch        marshal: final blocks in order           │      chain
//!  Vote ───────┼─► votes ─┐                                                                     │
//!  Certificate ┼─► certif.┼─► Engines ── propose, verify, certify ──► Desk ─────────────────────┼─► Propose, Verify
//!  Resolver ───┼─► resolv.┘      │ ▲                                                           │
//!              │                 │ └─ the last block of an epoch ─────┐                         │
//!              │                 ▼ finalisations                      │                         │
//!              ┼─► blocks, backfill ─► marshal ── block, ack ─► Delivery ───────────────────────┼─► Finalised
//!              └───────────────────────────────────────────────────────────────────────────────┘
//!                                                     Observer ◄── events: views, time-outs, evidence
//! ```
//!
//! **A view** of simplex: its leader, by turns, asks the chain for a block and broadcasts it; validators who asked their
//! chain whether it holds vote to notarise it; whoever has a quorum's votes, and the block's records, votes to finalise.
//! A leader that is late is skipped by a quorum's votes. A finalisation is final for all blocks below, so that not
//! every block has a certificate of its own.
//!
//! **Blocks** are made final by simplex, fetched where they are missing, and written to disk by marshal. The chain is
//! told of each in order, at least once, with its certificate if it has one; marshal forgets a block only after the
//! chain has answered, which it does when the block is in its log.
//!
//! **Epochs** are fixed ranges of heights. The last header of one names the validators of the next. Once the chain has
//! it, the engine of the old epoch ends and that of the next starts, with a journal and sub-channels of its own; the
//! old epoch's last block is its genesis. A node that is no validator runs an engine that listens, and says so. Whoever
//! hears a vote of a later epoch asks its sender for the last block of this one, and so gets through to the newest.
//!
//! **Start.** At the genesis, or behind any final block with a certificate ([`Start`]), also one of a sole driver, whose
//! certificates are the same: so a chain that one validator began is opened to many by an epoch record. After a crash
//! the chain's log and the journals need not end at the same block: the chain is told what it lacks before anything is
//! voted for.
//!
//! **Invariants.**
//! - A vote is on disk before it is sent, in the journal of its epoch: a restart signs the same votes or none.
//! - No vote before [`Caution`] allows one: a validator without its journal, or with an older copy, listens first.
//! - No vote for a block that the chain did not say yes to in this process; the chain says yes once the records are on
//!   disk. What cannot be judged yet stays pending: it is never voted against.
//! - Certificates are byte for byte those of `rustorium_types::certificate`.
//! - Nothing here reads a clock or draws a random number but from its runtime: in a simulation a seed replays exactly.
//! - commonware's types are in no public item, so that another engine may take its place.
//!
//! Deliberately absent: records and their bytes, and syncing from far behind (marshal's backfill keeps
//! [`Config::retained_blocks`]; a node that is further behind is given blocks by its node, and started behind them).

mod activity;
mod block;
mod careful;
mod caution;
mod committees;
mod config;
mod consensus;
mod delivery;
mod desk;
mod engines;
mod epochs;
mod event;
mod journal;
mod network;
mod runtime;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
mod validator;

#[cfg(test)]
mod tests;

pub use caution::Caution;
pub use config::{Config, Start, StartError, Timeouts};
pub use consensus::Consensus;
pub use event::{Event, Evidence, Failure, Observer, Offence};
pub use network::{Directory, Ports};
