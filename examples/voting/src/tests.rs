//! One proposal, "Tea?", open for an hour; alice owns, bob weighs 3, carol 2, dave nothing.

use std::time::Duration;

use super::*;

const TEA: u32 = 0;

struct Club {
    chain: Mock,
    voting: Deployed<Voting>,
    deadline: Timestamp,
}

impl Club {
    fn new() -> Self {
        let mut chain = Mock::new();
        let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| chain.account(name));
        let deadline = Timestamp(chain.time().0 + 3_600_000);
        let voting = chain.deploy::<Voting>(alice, |voting, ctx| voting.init(ctx));
        for (voter, weight) in [(bob, 3), (carol, 2)] {
            let done = chain.call(alice, voting, |voting, ctx| voting.register(ctx, voter, weight));
            assert_eq!(done, Ok(()));
        }
        let opened = chain.call(alice, voting, |voting, ctx| voting.open(ctx, "Tea?".into(), deadline));
        assert_eq!(opened, Ok(TEA));
        Self { chain, voting, deadline }
    }

    fn vote(&mut self, name: &str, yes: bool) -> Result<(), VotingError> {
        let voter = self.chain.account(name);
        self.chain.call(voter, self.voting, |voting, ctx| voting.vote(ctx, TEA, yes))
    }

    fn close(&mut self, name: &str) -> Result<Status, VotingError> {
        let closer = self.chain.account(name);
        self.chain.call(closer, self.voting, |voting, ctx| voting.close(ctx, TEA))
    }

    fn tally(&mut self) -> Result<Tally, VotingError> {
        self.chain.view(self.voting, |voting, _| voting.tally(TEA))
    }

    fn an_hour_later(&mut self) {
        self.chain.advance(Duration::from_secs(3_600));
    }
}

#[test]
fn votes_count_by_weight() {
    let mut club = Club::new();
    assert_eq!(club.vote("bob", true), Ok(()));
    assert_eq!(club.vote("carol", false), Ok(()));
    assert_eq!(club.tally(), Ok(Tally { yes: 3, no: 2 }));
    club.an_hour_later();
    assert_eq!(club.close("dave"), Ok(Status::Passed));
    assert_eq!(club.close("dave"), Err(VotingError::AlreadyClosed { proposal: TEA }));
    let page = club.chain.view(club.voting, |voting, _| voting.proposals(PageRequest::first(10)));
    let (title, status) = ("Tea?".to_owned(), Status::Passed);
    assert_eq!(page.items, [Proposal { title, deadline: club.deadline, status }]);
    assert_eq!(club.chain.events::<Closed>(), [Closed { proposal: TEA, status }]);
}

#[test]
fn a_tie_is_no_majority() {
    let mut club = Club::new();
    club.an_hour_later();
    assert_eq!(club.close("dave"), Ok(Status::Rejected));
}

#[test]
fn nobody_votes_twice() {
    let mut club = Club::new();
    let bob = club.chain.account("bob");
    assert_eq!(club.vote("bob", true), Ok(()));
    assert_eq!(club.vote("bob", false), Err(VotingError::AlreadyVoted { proposal: TEA, voter: bob }));
    assert_eq!(club.tally(), Ok(Tally { yes: 3, no: 0 }));
    assert!(club.chain.view(club.voting, |voting, _| voting.has_voted(TEA, bob)));
    let voted = Voted { proposal: TEA, voter: bob, yes: true, weight: 3 };
    assert_eq!(club.chain.events::<Voted>(), [voted]);
}

#[test]
fn nobody_votes_late_or_closes_early() {
    let mut club = Club::new();
    let deadline = club.deadline;
    assert_eq!(club.close("alice"), Err(VotingError::TooEarly { deadline }));
    club.an_hour_later();
    assert_eq!(club.vote("bob", true), Err(VotingError::TooLate { deadline }));
}

#[test]
fn only_voters_vote_and_only_the_owner_rules() {
    let mut club = Club::new();
    let dave = club.chain.account("dave");
    assert_eq!(club.vote("dave", true), Err(VotingError::NotVoter { caller: dave }));
    let voting = club.voting;
    let registered = club.chain.call(dave, voting, |voting, ctx| voting.register(ctx, dave, 9));
    assert_eq!(registered, Err(VotingError::NotOwner));
    let opened = club.chain.call(dave, voting, |voting, ctx| voting.open(ctx, "Me?".into(), ctx.time()));
    assert_eq!(opened, Err(VotingError::NotOwner));
}

#[test]
fn a_deadline_lies_ahead_and_a_proposal_exists() {
    let mut club = Club::new();
    let (alice, deadline) = (club.chain.account("alice"), club.chain.time());
    let opened = club.chain.call(alice, club.voting, |voting, ctx| voting.open(ctx, "Now?".into(), deadline));
    assert_eq!(opened, Err(VotingError::DeadlinePassed { deadline }));
    let missing = club.chain.view(club.voting, |voting, _| voting.proposal(7));
    assert_eq!(missing, Err(VotingError::NoProposal { proposal: 7 }));
}
