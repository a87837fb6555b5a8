//! A counter: the smallest contract that is good for something.
//!
//! Anybody counts up; only the one who made the counter sets it back.

use rustorium_sdk::prelude::*;

/// Counts, and remembers how often each account did.
#[storage]
pub struct Counter {
    /// Who made the counter.
    owner: Item<Address>,
    /// How far it has counted.
    count: Item<u64>,
    /// How much of that each account has added.
    added: Map<Address, u64>,
}

/// The count changed.
#[event]
pub struct Counted {
    /// Who counted.
    #[indexed]
    pub by: Address,
    /// The count after it.
    pub count: u64,
}

/// Why a call was refused.
#[error]
pub enum CounterError {
    /// Only the owner does this.
    #[message("{caller} is not the owner")]
    NotOwner {
        /// Who tried.
        caller: Address,
    },
}

#[contract(error = CounterError)]
impl Counter {
    /// Makes a counter that belongs to the caller.
    #[init]
    pub fn init(&mut self, ctx: &Ctx, start: u64) {
        self.owner.set(ctx.caller());
        self.count.set(start);
    }

    /// Counts up, and answers how far.
    #[call]
    pub fn increment(&mut self, ctx: &Ctx, by: u64) -> u64 {
        self.added.add(ctx.caller(), by);
        let count = self.count.add(by);
        ctx.emit(Counted { by: ctx.caller(), count });
        count
    }

    /// Sets the count back to zero.
    #[call]
    pub fn reset(&mut self, ctx: &Ctx) -> Result<()> {
        ensure!(ctx.caller() == self.owner.get(), CounterError::NotOwner { caller: ctx.caller() });
        self.count.set(0);
        ctx.emit(Counted { by: ctx.caller(), count: 0 });
        Ok(())
    }

    /// How far it has counted.
    #[view]
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    /// How much of that an account has added.
    #[view]
    pub fn added_by(&self, account: Address) -> u64 {
        self.added.get(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_up_for_anybody() {
        let mut chain = Mock::new();
        let (alice, bob) = (chain.account("alice"), chain.account("bob"));
        let counter = chain.deploy::<Counter>(alice, |counter, ctx| counter.init(ctx, 5));

        assert_eq!(chain.call(bob, counter, |counter, ctx| counter.increment(ctx, 2)), 7);
        assert_eq!(chain.view(counter, |counter, _| counter.count()), 7);
        assert_eq!(chain.view(counter, |counter, _| counter.added_by(bob)), 2);
        assert_eq!(chain.events::<Counted>(), [Counted { by: bob, count: 7 }]);
    }

    #[test]
    fn only_the_owner_resets() {
        let mut chain = Mock::new();
        let (alice, bob) = (chain.account("alice"), chain.account("bob"));
        let counter = chain.deploy::<Counter>(alice, |counter, ctx| counter.init(ctx, 5));

        let refused = chain.call(bob, counter, |counter, ctx| counter.reset(ctx));
        assert_eq!(refused, Err(CounterError::NotOwner { caller: bob }));
        assert_eq!(chain.call(alice, counter, |counter, ctx| counter.reset(ctx)), Ok(()));
        assert_eq!(chain.view(counter, |counter, _| counter.count()), 0);
    }

    #[test]
    fn overflow_fails_by_name_and_changes_nothing() {
        let mut chain = Mock::new();
        let alice = chain.account("alice");
        let counter = chain.deploy::<Counter>(alice, |counter, ctx| counter.init(ctx, u64::MAX));

        let failure = chain.try_call(alice, counter, |counter, ctx| counter.increment(ctx, 1));
        assert!(failure.is_err_and(|failure| failure.message.contains("`count`: overflow")));
        assert_eq!(chain.view(counter, |counter, _| counter.added_by(alice)), 0);
    }
}
