//! A chain for unit tests: the host's rules without WebAssembly, gas and blocks.
//!
//! Contracts run as native Rust, so a test takes microseconds, a debugger works, and a method's own `Result`
//! comes back. The rules are the real host's: a failed call leaves nothing behind, only payable methods take
//! value, a contract on the stack is not re-entered, views change nothing, limits hold, hashes and signatures
//! are real. Gas is not counted here: `rustorium test` runs what tests do once more on the module, and shows
//! what it costs.
//!
//! ```
//! use rustorium_sdk::prelude::*;
//!
//! #[storage]
//! pub struct Jar {
//!     coins: Item<u128>,
//! }
//!
//! #[contract]
//! impl Jar {
//!     #[init]
//!     pub fn init(&mut self, coins: u128) {
//!         self.coins.set(coins);
//!     }
//!
//!     #[call(payable)]
//!     pub fn put(&mut self, ctx: &Ctx) {
//!         self.coins.add(ctx.value());
//!     }
//!
//!     #[view]
//!     pub fn coins(&self) -> u128 {
//!         self.coins.get()
//!     }
//! }
//!
//! let mut chain = Mock::new();
//! let alice = chain.account("alice");
//! let jar = chain.deploy::<Jar>(alice, |jar, _| jar.init(5));
//! chain.with_value(2).call(alice, jar, |jar, ctx| jar.put(ctx));
//! assert_eq!(chain.view(jar, |jar, _| jar.coins()), 7);
//! assert_eq!(chain.balance(jar), 2);
//! ```

use core::{cell::RefCell, fmt, marker::PhantomData, time::Duration};
use std::collections::BTreeMap;

use rustorium_types::{
    abi::MethodKind,
    code::Code,
    id::{AccountId, Address, Amount, ContractId, Hash, Timestamp},
};

use crate::{
    Ctx, Event,
    contract::{Contract, Outcome},
};

mod frame;
pub(crate) mod host;
mod state;
mod trace;

#[doc(hidden)]
pub use frame::entered;
use frame::{Ended, Frame};
use state::{Program, State};

/// What [`Mock::account`] gives a new account, as the accounts of a dev chain have it.
pub const ENDOWMENT: u128 = 1_000_000_000_000_000_000_000_000;

/// A chain in memory.
pub struct Mock {
    state: RefCell<State>,
    /// What the next call brings.
    value: u128,
}

/// A contract on a [`Mock`]; passes for its address.
pub struct Deployed<C> {
    id: ContractId,
    contract: PhantomData<fn() -> C>,
}

/// Why a call failed otherwise than by the method's own `Err`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code that a receipt would have.
    pub code: Code,
    /// What the trap or panic said.
    pub message: String,
}

impl Mock {
    /// A chain at height 1 and the start of 2026, without accounts.
    pub fn new() -> Self {
        Self::default()
    }

    /// The account of a name; it has [`ENDOWMENT`] when first named.
    pub fn account(&mut self, name: &str) -> Address {
        let address = AccountId(host::blake3(name.as_bytes())).into();
        self.state.get_mut().endow(address, ENDOWMENT);
        address
    }

    /// Puts a contract on the chain by running its `init`, and answers it; or the error of `init`.
    ///
    /// # Panics
    ///
    /// If `init` traps.
    #[track_caller]
    pub fn deploy<C: Contract>(
        &mut self,
        caller: impl Into<Address>,
        init: impl FnOnce(&mut C, &Ctx) -> C::Init,
    ) -> <C::Init as Outcome>::With<Deployed<C>> {
        let caller = caller.into();
        let id = self.state.get_mut().next_contract(caller);
        self.begin(id, caller, MethodKind::Init, init)
    }

    /// Gives a contract the code of `C` by running its `migrate`, and answers it under its new type; or the
    /// error of `migrate`, and then it has its old code.
    ///
    /// # Panics
    ///
    /// If `migrate` traps.
    #[track_caller]
    pub fn upgrade<C: Contract, R: Outcome>(
        &mut self,
        caller: impl Into<Address>,
        contract: impl Into<Address>,
        migrate: impl FnOnce(&mut C, &Ctx) -> R,
    ) -> R::With<Deployed<C>> {
        let contract = contract.into();
        let Some(id) = contract.contract() else { panic!("{contract} is no contract") };
        self.begin(id, caller.into(), MethodKind::Migrate, migrate)
    }

    /// Runs a method and answers what it answers. If that is an error, the call is undone.
    ///
    /// # Panics
    ///
    /// If the method traps, or the host refuses the call.
    #[track_caller]
    pub fn call<C: Contract, R: Outcome>(
        &mut self,
        caller: impl Into<Address>,
        contract: Deployed<C>,
        method: impl FnOnce(&mut C, &Ctx) -> R,
    ) -> R {
        match self.run_call(caller.into(), contract, method) {
            Ok(outcome) => outcome,
            Err(ended) => ended.unwind(),
        }
    }

    /// As [`call`](Self::call), where the method may trap.
    ///
    /// # Errors
    ///
    /// What ended the call, if it was not the method's own `Err`.
    pub fn try_call<C: Contract, R: Outcome>(
        &mut self,
        caller: impl Into<Address>,
        contract: Deployed<C>,
        method: impl FnOnce(&mut C, &Ctx) -> R,
    ) -> Result<R, Failure> {
        self.run_call(caller.into(), contract, method).map_err(Ended::into_failure)
    }

    /// Runs a view, or anything that only reads.
    ///
    /// # Panics
    ///
    /// If the view traps, or tries to change something.
    #[track_caller]
    pub fn view<C: Contract, R>(&self, contract: Deployed<C>, view: impl FnOnce(&C, &Ctx) -> R) -> R {
        let frame = Frame::new(contract.id, None, MethodKind::View, Amount::ZERO);
        match self.run(frame, || view(&C::open(), &Ctx::of_this_call()), |_| true) {
            Ok(value) => value,
            Err(ended) => ended.unwind(),
        }
    }

    /// Sends native value; a contract runs its `#[receive]` method.
    ///
    /// # Errors
    ///
    /// If the balance is too small, or the contract does not take it.
    pub fn transfer(&mut self, from: impl Into<Address>, to: impl Into<Address>, amount: u128) -> Result<(), Failure> {
        let (from, to) = (from.into(), to.into());
        let sent = self.with_current(|| host::send(from, to, Amount(amount)));
        self.state.get_mut().note_transfer(from, to, Amount(amount), sent.is_ok());
        match sent {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(Failure { code: error.code, message: error.error.map_or_else(String::new, |error| error.name) })
            }
        }
    }

    /// The native value that the next call or deployment brings.
    pub fn with_value(&mut self, value: u128) -> &mut Self {
        self.value = value;
        self
    }

    /// Code that contracts can instantiate, by its hash.
    pub fn store_code<C: Contract>(&mut self) -> Hash {
        self.state.get_mut().store_code(Program::of::<C>())
    }

    /// The contract at an address, which another contract made.
    ///
    /// # Panics
    ///
    /// If there is none, or it is another one.
    #[track_caller]
    pub fn at<C: Contract>(&self, address: impl Into<Address>) -> Deployed<C> {
        let address = address.into();
        match address.contract().and_then(|id| Some((id, self.state.borrow().program(id)?))) {
            Some((id, program)) if program.name == C::NAME => Deployed { id, contract: PhantomData },
            _ => panic!("{address} is no contract of type `{}`", C::NAME),
        }
    }

    /// An address's native balance.
    pub fn balance(&self, address: impl Into<Address>) -> u128 {
        self.state.borrow().balance(address.into()).0
    }

    /// Sets an address's native balance.
    pub fn set_balance(&mut self, address: impl Into<Address>, balance: u128) {
        self.state.get_mut().endow_anew(address.into(), Amount(balance));
    }

    /// The height that contracts see.
    pub fn height(&self) -> u64 {
        self.state.borrow().height
    }

    /// Sets the height.
    pub fn set_height(&mut self, height: u64) {
        self.state.get_mut().height = height;
    }

    /// The time that contracts see.
    pub fn time(&self) -> Timestamp {
        self.state.borrow().time
    }

    /// Sets the time.
    pub fn set_time(&mut self, time: Timestamp) {
        self.state.get_mut().time = time;
    }

    /// Lets time pass, and a block.
    pub fn advance(&mut self, by: Duration) {
        let state = self.state.get_mut();
        state.height += 1;
        state.time = Timestamp(state.time.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)));
    }

    /// A contract's entries as they are stored, to see what a layout costs or an upgrade finds.
    pub fn entries(&self, contract: impl Into<Address>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        contract.into().contract().map(|id| self.state.borrow().entries(id)).unwrap_or_default()
    }

    /// The events of a type that calls left behind, in order.
    pub fn events<E: Event>(&self) -> Vec<E> {
        let state = self.state.borrow();
        let events = state.events.iter().filter(|event| event.name == E::EVENT.name);
        events.filter_map(|event| borsh::from_slice(&event.fields).ok()).collect()
    }

    /// Lines that contracts logged, those of failed calls included.
    pub fn logs(&self) -> Vec<String> {
        self.state.borrow().logs.clone()
    }

    /// Runs the method with which a contract begins to have its code.
    #[track_caller]
    fn begin<C: Contract, R: Outcome>(
        &mut self,
        id: ContractId,
        caller: Address,
        kind: MethodKind,
        method: impl FnOnce(&mut C, &Ctx) -> R,
    ) -> R::With<Deployed<C>> {
        let frame = Frame::new(id, Some(caller), kind, self.take_value());
        let state = self.state.get_mut();
        let mark = state.mark();
        state.set_program(id, Program::of::<C>());
        let result = self.run(frame, || method(&mut C::open(), &Ctx::of_this_call()), R::is_success);
        if !result.as_ref().is_ok_and(R::is_success) {
            self.state.get_mut().undo(mark);
        }
        match result {
            Ok(outcome) => outcome.with(Deployed { id, contract: PhantomData }),
            Err(ended) => ended.unwind(),
        }
    }

    fn take_value(&mut self) -> Amount {
        Amount(core::mem::take(&mut self.value))
    }

    fn run_call<C: Contract, R: Outcome>(
        &mut self,
        caller: Address,
        contract: Deployed<C>,
        method: impl FnOnce(&mut C, &Ctx) -> R,
    ) -> Result<R, Ended> {
        let frame = Frame::new(contract.id, Some(caller), MethodKind::Call, self.take_value());
        self.run(frame, || method(&mut C::open(), &Ctx::of_this_call()), R::is_success)
    }

    fn run<R>(&self, frame: Frame, body: impl FnOnce() -> R, is_success: fn(&R) -> bool) -> Result<R, Ended> {
        self.with_current(|| frame::run(frame, body, is_success)).map(|(result, _)| result)
    }

    /// Makes this chain the one that contracts of this thread run on.
    fn with_current<R>(&self, body: impl FnOnce() -> R) -> R {
        let state = self.state.take();
        state::install(state);
        let result = body();
        self.state.replace(state::take());
        result
    }
}

impl Default for Mock {
    fn default() -> Self {
        Self { state: RefCell::new(State::traced(trace::Trace::begin())), value: 0 }
    }
}

impl fmt::Debug for Mock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mock").field("height", &self.height()).finish_non_exhaustive()
    }
}

impl<C> Deployed<C> {
    /// Its address.
    pub const fn address(self) -> Address {
        Address::Contract(self.id)
    }
}

impl<C> Clone for Deployed<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Deployed<C> {}

impl<C> From<Deployed<C>> for Address {
    fn from(contract: Deployed<C>) -> Self {
        contract.address()
    }
}

impl<C> fmt::Debug for Deployed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}
