//! Voting: an owner registers voters and opens proposals, voters say yes or no once each until the deadline,
//! anyone closes a proposal afterwards.
//!
//! A vote counts with the weight its voter has at that moment; a proposal passes when yes outweighs no.

use rustorium_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// What the contract keeps.
#[storage]
pub struct Voting {
    owner: Item<Address>,
    weights: Map<Address, u64>,
    proposals: List<Proposal>,
    tallies: Map<u32, Tally>,
    voted: Map<(u32, Address), bool>,
}

/// What is voted on. Its number is its position, from 0.
#[abi]
pub struct Proposal {
    /// What it is called.
    pub title: String,
    /// From this block time on nobody votes, and anyone may close.
    pub deadline: Timestamp,
    /// How it stands.
    pub status: Status,
}

/// How a proposal stands.
#[abi]
#[derive(Copy)]
pub enum Status {
    /// Not closed yet.
    Open,
    /// Yes outweighed no.
    Passed,
    /// It did not.
    Rejected,
}

/// The weights of a proposal's votes, summed.
#[abi]
#[derive(Default)]
pub struct Tally {
    /// For it.
    pub yes: u64,
    /// Against it.
    pub no: u64,
}

/// A voter has a weight now; with weight 0 none any more.
#[event]
pub struct Registered {
    /// Who.
    #[indexed]
    pub voter: Address,
    /// How much each vote counts.
    pub weight: u64,
}

/// A proposal can be voted on.
#[event]
pub struct Opened {
    /// Its number.
    #[indexed]
    pub proposal: u32,
    /// What it is called.
    pub title: String,
    /// Until when.
    pub deadline: Timestamp,
}

/// Somebody voted.
#[event]
pub struct Voted {
    /// On what.
    #[indexed]
    pub proposal: u32,
    /// Who.
    #[indexed]
    pub voter: Address,
    /// For it, or against it.
    pub yes: bool,
    /// How much it counts.
    pub weight: u64,
}

/// A proposal was decided.
#[event]
pub struct Closed {
    /// Its number.
    #[indexed]
    pub proposal: u32,
    /// Passed or rejected.
    pub status: Status,
}

/// Why a call is refused.
#[error]
pub enum VotingError {
    /// Only the owner registers voters and opens proposals.
    #[message("only the owner does this")]
    NotOwner,
    /// A proposal nobody could vote on.
    #[message("the deadline {deadline} is not in the future")]
    DeadlinePassed {
        /// The deadline that was asked for.
        deadline: Timestamp,
    },
    /// There are fewer proposals.
    #[message("there is no proposal {proposal}")]
    NoProposal {
        /// The number that was asked for.
        proposal: u32,
    },
    /// The caller has no weight.
    #[message("{caller} is not registered as a voter")]
    NotVoter {
        /// Who tried.
        caller: Address,
    },
    /// One vote each.
    #[message("{voter} has voted on proposal {proposal} already")]
    AlreadyVoted {
        /// On what.
        proposal: u32,
        /// Who tried again.
        voter: Address,
    },
    /// The vote comes too late.
    #[message("voting ended at {deadline}")]
    TooLate {
        /// When voting ended.
        deadline: Timestamp,
    },
    /// The closing comes too early.
    #[message("voting goes on until {deadline}")]
    TooEarly {
        /// When it can be closed.
        deadline: Timestamp,
    },
    /// It is decided.
    #[message("proposal {proposal} is closed already")]
    AlreadyClosed {
        /// Its number.
        proposal: u32,
    },
}

#[contract(error = VotingError)]
impl Voting {
    /// Makes the caller the owner.
    #[init]
    pub fn init(&mut self, ctx: &Ctx) {
        self.owner.set(ctx.caller());
    }

    /// Gives a voter a weight for the votes to come.
    #[call]
    pub fn register(&mut self, ctx: &Ctx, voter: Address, weight: u64) -> Result<()> {
        self.only_owner(ctx)?;
        self.weights.set(voter, weight);
        ctx.emit(Registered { voter, weight });
        Ok(())
    }

    /// Opens a proposal and answers its number.
    #[call]
    pub fn open(&mut self, ctx: &Ctx, title: String, deadline: Timestamp) -> Result<u32> {
        self.only_owner(ctx)?;
        ensure!(ctx.time() < deadline, VotingError::DeadlinePassed { deadline });
        let status = Status::Open;
        let proposal = self.proposals.push(Proposal { title: title.clone(), deadline, status });
        ctx.emit(Opened { proposal, title, deadline });
        Ok(proposal)
    }

    /// Votes yes or no, with the caller's whole weight.
    #[call]
    pub fn vote(&mut self, ctx: &Ctx, proposal: u32, yes: bool) -> Result<()> {
        let voter = ctx.caller();
        let weight = self.weights.get(voter);
        ensure!(weight > 0, VotingError::NotVoter { caller: voter });
        let deadline = self.proposal(proposal)?.deadline;
        ensure!(ctx.time() < deadline, VotingError::TooLate { deadline });
        ensure!(!self.has_voted(proposal, voter), VotingError::AlreadyVoted { proposal, voter });

        self.voted.set((proposal, voter), true);
        let mut tally = self.tallies.get(proposal);
        let side = if yes { &mut tally.yes } else { &mut tally.no };
        *side += weight;
        self.tallies.set(proposal, tally);
        ctx.emit(Voted { proposal, voter, yes, weight });
        Ok(())
    }

    /// Decides a proposal whose deadline is over. Anyone may.
    #[call]
    pub fn close(&mut self, ctx: &Ctx, proposal: u32) -> Result<Status> {
        let open = self.proposal(proposal)?;
        let deadline = open.deadline;
        ensure!(ctx.time() >= deadline, VotingError::TooEarly { deadline });
        ensure!(open.status == Status::Open, VotingError::AlreadyClosed { proposal });

        let Tally { yes, no } = self.tallies.get(proposal);
        let status = if yes > no { Status::Passed } else { Status::Rejected };
        self.proposals.set(proposal, Proposal { status, ..open });
        ctx.emit(Closed { proposal, status });
        Ok(status)
    }

    /// A proposal by its number.
    #[view]
    pub fn proposal(&self, proposal: u32) -> Result<Proposal> {
        self.proposals.try_get(proposal).ok_or(VotingError::NoProposal { proposal })
    }

    /// How the votes on a proposal stand.
    #[view]
    pub fn tally(&self, proposal: u32) -> Result<Tally> {
        self.proposal(proposal)?;
        Ok(self.tallies.get(proposal))
    }

    /// Whether somebody has voted on a proposal.
    #[view]
    pub fn has_voted(&self, proposal: u32, voter: Address) -> bool {
        self.voted.get((proposal, voter))
    }

    /// All proposals, a page at a time, from number 0.
    #[view]
    pub fn proposals(&self, page: PageRequest) -> Page<Proposal> {
        self.proposals.page(page)
    }

    fn only_owner(&self, ctx: &Ctx) -> Result<()> {
        ensure!(ctx.caller() == self.owner.get(), VotingError::NotOwner);
        Ok(())
    }
}
