//! The token on a mock chain, alone and with contracts that receive from it.

use super::*;

/// A contract that books the tokens it receives, and refuses those of some.
mod wallet {
    use rustorium_sdk::prelude::*;

    #[storage]
    pub(super) struct Wallet {
        refused: Item<Address>,
        received: Map<Address, u128>,
    }

    #[error]
    pub(super) enum WalletError {
        Refused,
    }

    #[contract(error = WalletError)]
    impl Wallet {
        #[init]
        pub(super) fn init(&mut self, refused: Address) {
            self.refused.set(refused);
        }

        #[call]
        pub(super) fn on_tokens(&mut self, from: Address, amount: u128) -> Result<()> {
            ensure!(from != self.refused.get(), WalletError::Refused);
            self.received.add(from, amount);
            Ok(())
        }

        #[view]
        pub(super) fn received_from(&self, account: Address) -> u128 {
            self.received.get(account)
        }
    }
}

use wallet::{Wallet, WalletError};

struct Setup {
    chain: Mock,
    token: Deployed<Token>,
    alice: Address,
    bob: Address,
    carol: Address,
}

/// A token of which Alice has all 1,000.
fn setup() -> Setup {
    let mut chain = Mock::new();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| chain.account(name));
    let token = chain.deploy::<Token>(alice, |token, ctx| token.init(ctx, "GLD".into(), 6, 1_000));
    Setup { chain, token, alice, bob, carol }
}

impl Setup {
    fn balance(&self, account: impl Into<Address>) -> u128 {
        self.chain.view(self.token, |token, _| token.balance_of(account.into()))
    }

    fn holders(&self) -> Vec<(Address, u128)> {
        self.chain.view(self.token, |token, _| token.holders(PageRequest::first(10))).items
    }
}

#[test]
fn the_maker_gets_the_supply() {
    let Setup { chain, token, alice, .. } = setup();
    let facts = chain.view(token, |token, _| (token.symbol(), token.decimals(), token.total_supply(), token.owner()));
    assert_eq!(facts, ("GLD".into(), 6, 1_000, alice));
    assert_eq!(chain.events::<Transfer>(), [Transfer { from: None, to: Some(alice), amount: 1_000 }]);
}

#[test]
fn transfers_move_tokens_and_say_so() {
    let mut at = setup();
    let (alice, bob) = (at.alice, at.bob);
    assert_eq!(at.chain.call(alice, at.token, |token, ctx| token.transfer(ctx, bob, 300)), Ok(()));
    assert_eq!((at.balance(alice), at.balance(bob)), (700, 300));
    assert_eq!(at.chain.events().last(), Some(&Transfer { from: Some(alice), to: Some(bob), amount: 300 }));
    assert_eq!(at.holders(), [(alice, 700), (bob, 300)]);
}

#[test]
fn a_transfer_to_oneself_changes_nothing() {
    let mut at = setup();
    let alice = at.alice;
    for amount in [0, 1, 1_000] {
        assert_eq!(at.chain.call(alice, at.token, |token, ctx| token.transfer(ctx, alice, amount)), Ok(()));
        assert_eq!(at.holders(), [(alice, 1_000)]);
    }
}

#[test]
fn nobody_moves_more_than_they_hold() {
    let mut at = setup();
    let (alice, bob) = (at.alice, at.bob);
    let refused = at.chain.call(bob, at.token, |token, ctx| token.transfer(ctx, alice, 1));
    assert_eq!(refused, Err(TokenError::Insufficient { needed: 1, available: 0 }));
    assert_eq!(refused.map_err(|error| error.to_string()), Err("needs 1, has 0".into()));
    assert_eq!(at.holders(), [(alice, 1_000)]);
}

#[test]
fn who_holds_nothing_is_no_holder() {
    let mut at = setup();
    let (alice, bob, carol) = (at.alice, at.bob, at.carol);
    for to in [bob, carol] {
        assert_eq!(at.chain.call(alice, at.token, |token, ctx| token.transfer(ctx, to, 500)), Ok(()));
    }
    assert_eq!(at.holders(), [(bob, 500), (carol, 500)]);
    assert_eq!(at.chain.call(bob, at.token, |token, ctx| token.burn(ctx, 500)), Ok(()));
    assert_eq!(at.holders(), [(carol, 500)]);
    assert_eq!(at.chain.view(at.token, |token, _| token.total_supply()), 500);
}

#[test]
fn spenders_take_what_was_approved() {
    let mut at = setup();
    let (alice, bob, carol) = (at.alice, at.bob, at.carol);
    at.chain.call(alice, at.token, |token, ctx| token.approve(ctx, bob, 100));
    let take = |at: &mut Setup, amount| {
        at.chain.call(bob, at.token, |token, ctx| token.transfer_from(ctx, alice, carol, amount))
    };
    assert_eq!(take(&mut at, 60), Ok(()));
    assert_eq!(take(&mut at, 60), Err(TokenError::NotAllowed { spender: bob, needed: 60, allowed: 40 }));
    assert_eq!(at.balance(carol), 60);
    assert_eq!(at.chain.view(at.token, |token, _| token.allowance(alice, bob)), 40);
}

#[test]
fn a_failed_taking_gives_the_allowance_back() {
    let mut at = setup();
    let (alice, bob) = (at.alice, at.bob);
    at.chain.call(alice, at.token, |token, ctx| token.approve(ctx, bob, 2_000));
    let refused = at.chain.call(bob, at.token, |token, ctx| token.transfer_from(ctx, alice, bob, 1_001));
    assert_eq!(refused, Err(TokenError::Insufficient { needed: 1_001, available: 1_000 }));
    assert_eq!(at.chain.view(at.token, |token, _| token.allowance(alice, bob)), 2_000);
}

#[test]
fn only_the_owner_mints_and_supply_does_not_overflow() {
    let mut at = setup();
    let (alice, bob) = (at.alice, at.bob);
    let refused = at.chain.call(bob, at.token, |token, ctx| token.mint(ctx, bob, 1));
    assert_eq!(refused, Err(TokenError::NotOwner { caller: bob }));
    assert_eq!(at.chain.call(alice, at.token, |token, ctx| token.mint(ctx, bob, 5)), Ok(()));
    let failure = at.chain.try_call(alice, at.token, |token, ctx| token.mint(ctx, bob, u128::MAX));
    assert!(failure.is_err_and(|failure| failure.message.contains("`supply`: overflow")));
    assert_eq!(at.chain.view(at.token, |token, _| token.total_supply()), 1_005);
}

#[test]
fn a_receiver_is_told() {
    let mut at = setup();
    let (alice, carol) = (at.alice, at.carol);
    let wallet = at.chain.deploy::<Wallet>(alice, |wallet, _| wallet.init(carol));
    let done = at.chain.call(alice, at.token, |token, ctx| token.transfer_and_notify(ctx, wallet.into(), 10));
    assert_eq!(done, Ok(()));
    assert_eq!(at.balance(wallet), 10);
    assert_eq!(at.chain.view(wallet, |wallet, _| wallet.received_from(alice)), 10);
}

#[test]
fn a_receiver_that_refuses_undoes_the_move() {
    let mut at = setup();
    let alice = at.alice;
    let wallet = at.chain.deploy::<Wallet>(alice, |wallet, _| wallet.init(alice));
    let refused = at.chain.call(alice, at.token, |token, ctx| token.transfer_and_notify(ctx, wallet.into(), 10));
    let Err(TokenError::CallFailed(failed)) = refused else { panic!("{refused:?}") };
    assert_eq!(
        (failed.contract, &*failed.method, failed.code),
        (Some(wallet.into()), "on_tokens", Code::ContractError)
    );
    assert_eq!(failed.decode(), Some(WalletError::Refused));
    assert_eq!(at.holders(), [(alice, 1_000)]);
    assert_eq!(at.chain.events::<Transfer>().len(), 1, "the refused transfer left no event");
}

#[test]
fn an_account_cannot_be_told() {
    let mut at = setup();
    let (alice, bob) = (at.alice, at.bob);
    let refused = at.chain.call(alice, at.token, |token, ctx| token.transfer_and_notify(ctx, bob, 10));
    assert!(matches!(refused, Err(TokenError::CallFailed(failed)) if failed.code == Code::NotFound));
    assert_eq!(at.balance(bob), 0);
}
