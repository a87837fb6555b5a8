//! Calls between contracts, value, re-entry and undoing, by the rules of the real host.

use rustorium_sdk::prelude::*;

#[event]
#[derive(Copy)]
struct Paid {
    amount: u128,
}

#[error]
enum BankError {
    Closed,
    #[message("only {limit}")]
    TooMuch {
        limit: u128,
    },
}

/// Takes deposits, pays them back, and calls others.
#[storage]
struct Bank {
    total: Item<u128>,
    visits: Item<u32>,
}

#[contract(error = BankError)]
impl Bank {
    #[init(payable)]
    fn init(&mut self, ctx: &Ctx, open: bool) -> Result<()> {
        ensure!(open, BankError::Closed);
        self.total.set(ctx.value());
        Ok(())
    }

    #[call(payable)]
    fn deposit(&mut self, ctx: &Ctx) -> u128 {
        ctx.emit(Paid { amount: ctx.value() });
        self.total.add(ctx.value())
    }

    #[call]
    fn withdraw(&mut self, ctx: &Ctx, amount: u128) -> Result<()> {
        self.total.sub(amount);
        ctx.emit(Paid { amount });
        ctx.transfer(ctx.caller(), amount)?;
        Ok(())
    }

    #[call]
    fn refuse(&mut self) -> Result<()> {
        self.visits.add(1);
        Err(BankError::TooMuch { limit: 3 })
    }

    /// Goes on after another contract failed.
    #[call]
    fn try_other(&mut self, ctx: &Ctx, other: Address) -> String {
        self.visits.add(1);
        match BankAt(other).refuse(ctx) {
            Ok(()) => "fine".into(),
            Err(failed) => failed.to_string(),
        }
    }

    #[call(reentrant)]
    fn visit(&mut self) {
        self.visits.add(1);
    }

    /// Calls itself by way of another contract.
    #[call]
    fn through(&mut self, ctx: &Ctx, other: Address, method: String) -> Result<()> {
        self.visits.add(1);
        Call::to(other).call::<()>("bounce", &(ctx.this(), method))?;
        Ok(())
    }

    #[view]
    fn visits(&self) -> u32 {
        self.visits.get()
    }

    #[view]
    fn asks_itself(&self, ctx: &Ctx) -> Result<u32> {
        Ok(BankAt(ctx.this()).visits(ctx)?)
    }

    #[view]
    fn cheats(&self, ctx: &Ctx) {
        ctx.emit(Paid { amount: 1 });
    }

    #[receive]
    fn receive(&mut self, ctx: &Ctx) {
        self.total.add(ctx.value());
    }
}

/// Calls whoever calls it, and takes no value.
#[storage]
struct Wall {}

#[contract]
impl Wall {
    #[call]
    fn bounce(&mut self, _ctx: &Ctx, back: Address, method: String) -> core::result::Result<(), WallError> {
        Call::to(back).call::<()>(&method, &())?;
        Ok(())
    }

    #[call(payable)]
    fn pull(&mut self, ctx: &Ctx, bank: Address, amount: u128) -> core::result::Result<(), WallError> {
        BankAt(bank).value(ctx.value()).deposit(ctx)?;
        BankAt(bank).withdraw(ctx, amount)?;
        Ok(())
    }

    #[call]
    fn make(&mut self, ctx: &Ctx, code: Hash, open: bool) -> core::result::Result<Address, WallError> {
        let new = NewContract { code, salt: [1; 32], label: "branch".into(), ..NewContract::default() };
        Ok(ctx.instantiate(new, &(open,))?)
    }
}

#[error]
enum WallError {}

struct Setup {
    chain: Mock,
    alice: Address,
    bank: Deployed<Bank>,
    wall: Deployed<Wall>,
}

fn setup() -> Setup {
    let mut chain = Mock::new();
    let alice = chain.account("alice");
    chain.set_balance(alice, 1_000);
    let bank = chain.with_value(100).deploy::<Bank>(alice, |bank, ctx| bank.init(ctx, true)).unwrap();
    let wall = chain.deploy::<Wall>(alice, |_, _| ());
    Setup { chain, alice, bank, wall }
}

#[test]
fn value_comes_and_goes() {
    let Setup { mut chain, alice, bank, .. } = setup();
    assert_eq!((chain.balance(alice), chain.balance(bank)), (900, 100));
    assert_eq!(chain.with_value(50).call(alice, bank, |bank, ctx| bank.deposit(ctx)), 150);
    assert_eq!(chain.call(alice, bank, |bank, ctx| bank.withdraw(ctx, 30)), Ok(()));
    assert_eq!((chain.balance(alice), chain.balance(bank)), (880, 120));
    assert_eq!(chain.transfer(alice, bank, 5), Ok(()));
    assert_eq!(chain.view(bank, |bank, _| bank.total.get()), 125);
    assert_eq!(chain.events::<Paid>(), [Paid { amount: 50 }, Paid { amount: 30 }]);
}

#[test]
fn only_payable_methods_take_value() {
    let Setup { mut chain, alice, bank, wall } = setup();
    let failure = chain.with_value(1).try_call(alice, bank, |bank, _| bank.visit()).unwrap_err();
    assert_eq!((failure.code, chain.balance(alice)), (Code::NotPayable, 900));
    let failure = chain.transfer(alice, wall, 1).unwrap_err();
    assert_eq!((failure.code, chain.balance(alice)), (Code::NotPayable, 900));
    let failure = chain.with_value(901).try_call(alice, bank, |bank, ctx| bank.deposit(ctx)).unwrap_err();
    assert_eq!(failure.code, Code::InsufficientFunds);
}

#[test]
fn a_failed_call_leaves_nothing_behind() {
    let Setup { mut chain, alice, bank, .. } = setup();
    assert_eq!(chain.call(alice, bank, |bank, _| bank.refuse()), Err(BankError::TooMuch { limit: 3 }));
    assert_eq!(chain.view(bank, |bank, _| bank.visits()), 0);
    let failure = chain.try_call(alice, bank, |bank, ctx| bank.withdraw(ctx, 101)).unwrap_err();
    assert_eq!(failure.code, Code::Trap);
    assert_eq!((chain.balance(alice), chain.events::<Paid>()), (900, vec![]));
    let closed = chain.with_value(1).deploy::<Bank>(alice, |bank, ctx| bank.init(ctx, false));
    assert_eq!((closed.unwrap_err(), chain.balance(alice)), (BankError::Closed, 900));
}

#[test]
fn a_callees_failure_is_the_callers_to_handle() {
    let Setup { mut chain, alice, bank, wall } = setup();
    let other = chain.deploy::<Bank>(alice, |bank, ctx| bank.init(ctx, true)).unwrap();
    let said = chain.call(alice, bank, |bank, ctx| bank.try_other(ctx, other.into()));
    assert_eq!(said, format!("`refuse` of {} failed: TooMuch", other.address()));
    assert_eq!((chain.view(bank, |bank, _| bank.visits()), chain.view(other, |other, _| other.visits())), (1, 0));

    let pulled = chain.with_value(5).call(alice, wall, |wall, ctx| wall.pull(ctx, bank.into(), 500));
    let Err(WallError::CallFailed(failed)) = pulled else { panic!("{pulled:?}") };
    assert_eq!((&*failed.method, failed.code, failed.error), ("withdraw", Code::Trap, None));
    assert_eq!((chain.balance(bank), chain.balance(wall)), (100, 0), "the deposit before it is undone too");

    let answer = chain.call(alice, wall, |_, _| Ok::<_, WallError>(Call::to(bank).query::<String>("visits", &())?));
    let Err(WallError::CallFailed(failed)) = answer else { panic!("{answer:?}") };
    assert_eq!(failed.code, Code::BadUserInput, "a u32 is no text");
}

#[test]
fn a_contract_on_the_stack_is_entered_by_views_and_marked_methods_only() {
    let Setup { mut chain, alice, bank, wall } = setup();
    let mut through = |method: &str| chain.call(alice, bank, |bank, ctx| bank.through(ctx, wall.into(), method.into()));
    assert_eq!(through("visit"), Ok(()));
    let Err(BankError::CallFailed(failed)) = through("refuse") else { panic!() };
    let inner = failed.decode::<WallError>();
    assert!(matches!(&inner, Some(WallError::CallFailed(inner)) if inner.code == Code::Reentrant), "{inner:?}");
    assert_eq!(chain.view(bank, |bank, _| bank.visits()), 2, "the second call through is undone");
    assert_eq!(chain.view(bank, |bank, ctx| bank.asks_itself(ctx)), Ok(2));
}

#[test]
#[should_panic(expected = "TRAP: a view emits an event")]
fn a_view_changes_nothing() {
    let Setup { chain, bank, .. } = setup();
    chain.view(bank, |bank, ctx| bank.cheats(ctx));
}

#[test]
#[should_panic(expected = "`init`: runs at its occasion alone")]
fn init_runs_once() {
    let Setup { mut chain, alice, bank, .. } = setup();
    drop(chain.call(alice, bank, |bank, ctx| bank.init(ctx, true)));
}

#[test]
fn contracts_make_contracts() {
    let Setup { mut chain, alice, wall, .. } = setup();
    let code = chain.store_code::<Bank>();
    let refused = chain.call(alice, wall, |wall, ctx| wall.make(ctx, code, false));
    let Err(WallError::CallFailed(failed)) = refused else { panic!("{refused:?}") };
    assert_eq!((failed.contract, failed.decode()), (None, Some(BankError::Closed)));

    let branch = chain.call(alice, wall, |wall, ctx| wall.make(ctx, code, true)).unwrap();
    let branch = chain.at::<Bank>(branch);
    assert_eq!(chain.view(branch, |bank, _| bank.visits()), 0);
    let again = chain.call(alice, wall, |wall, ctx| wall.make(ctx, code, true));
    assert!(matches!(again, Err(WallError::CallFailed(failed)) if failed.code == Code::AlreadyExists));
    let unknown = chain.call(alice, wall, |wall, ctx| wall.make(ctx, Hash::ZERO, true));
    assert!(matches!(unknown, Err(WallError::CallFailed(failed)) if failed.code == Code::NotFound));
}

mod next {
    use rustorium_sdk::prelude::*;

    #[storage]
    pub(super) struct Bank {
        #[stored_as = "visits"]
        pub(super) entries: Item<u32>,
    }

    #[error]
    pub(super) enum MigrateError {
        TooFew,
    }

    #[contract(error = MigrateError)]
    impl Bank {
        #[migrate]
        pub(super) fn migrate(&mut self, at_least: u32) -> Result<()> {
            self.entries.add(10);
            ensure!(self.entries.get() >= at_least, MigrateError::TooFew);
            Ok(())
        }
    }
}

#[test]
fn an_upgrade_keeps_what_is_stored() {
    let Setup { mut chain, alice, bank, .. } = setup();
    chain.call(alice, bank, |bank, _| bank.visit());
    let refused = chain.upgrade::<next::Bank, _>(alice, bank, |bank, _| bank.migrate(12));
    assert!(matches!(refused, Err(next::MigrateError::TooFew)));
    assert_eq!(chain.view(bank, |bank, _| bank.visits()), 1);
    let bank = chain.upgrade::<next::Bank, _>(alice, bank, |bank, _| bank.migrate(11)).unwrap();
    assert_eq!(chain.view(bank, |bank, _| bank.entries.get()), 11);
}
