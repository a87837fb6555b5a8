//! The procedural macros of `rustorium-sdk`, which re-exports them; contracts do not name this crate.
//!
//! Each macro describes what it marks to the ABI as constants (`rustorium_sdk::abi`), by trait, so that the
//! compiler resolves aliases and generics. Exports and the ABI's section are emitted behind
//! `cfg(all(rustorium_export, target_arch = "wasm32"))`: `rustorium build` passes that cfg for the crate it
//! builds and for none of its dependencies, so a contract used as a library leaks nothing.
//!
//! Mistakes are reported at the author's own tokens, with what to write instead; the item itself is emitted
//! all the same, so that one mistake is one error.

use proc_macro::TokenStream;

mod abi_type;
mod attribute;
mod client;
mod codec;
mod contract;
mod error;
mod event;
mod interface;
mod schema;
mod storage;

/// Makes an `impl` of a `#[storage]` struct a contract: its marked methods are what others can call.
///
/// - `#[init]` runs once, when the contract is made; `#[init(payable)]` takes native value.
/// - `#[call]` changes state; `#[call(payable)]` takes native value, `#[call(reentrant)]` may be called while
///   the contract is on the stack; both are combined by a comma.
/// - `#[view]` reads state.
/// - `#[receive]` runs when native value is sent to the contract.
/// - `#[migrate]` runs when the contract is upgraded to this code.
///
/// A method takes `&mut self` (a view `&self`), then `ctx: &Ctx` if it wants to, then its arguments by value.
/// It answers a value, or a `Result` with an error marked `#[error]`.
///
/// `#[contract(error = MyError)]` makes `Result<T>` in this module mean `Result<T, MyError>`.
/// `#[contract(events(other_crate::Event))]` puts events that another crate declares into the ABI; those of
/// this crate are in it anyway.
///
/// For a contract `Token` there is also `TokenAt(address)`, by which other contracts call it.
#[proc_macro_attribute]
pub fn contract(arguments: TokenStream, item: TokenStream) -> TokenStream {
    contract::expand(arguments.into(), item.into()).into()
}

/// Makes a struct of `Item`, `Map`, `List` and `EnumMap` fields a contract's storage.
///
/// A renamed field keeps its entries with `#[stored_as = "old_name"]`.
#[proc_macro_attribute]
pub fn storage(arguments: TokenStream, item: TokenStream) -> TokenStream {
    storage::expand(arguments.into(), item.into()).into()
}

/// Makes a struct an event, for `ctx.emit`. Up to four fields marked `#[indexed]` can be searched for.
#[proc_macro_attribute]
pub fn event(arguments: TokenStream, item: TokenStream) -> TokenStream {
    event::expand(arguments.into(), item.into()).into()
}

/// Makes an enum a contract's errors.
///
/// `#[message("needs {needed}")]` on a variant is the sentence shown to people. A variant `CallFailed` is
/// added for the failed call of another contract, so that `?` works on it.
#[proc_macro_attribute]
pub fn error(arguments: TokenStream, item: TokenStream) -> TokenStream {
    error::expand(arguments.into(), item.into()).into()
}

/// Makes a struct or enum an ABI type: for arguments, results, storage, events and errors.
///
/// `#[abi(key)]` lets it be a map's key as well. `#[derive(Default)]` gives it a value where nothing is stored.
#[proc_macro_attribute]
pub fn abi(arguments: TokenStream, item: TokenStream) -> TokenStream {
    abi_type::expand(arguments.into(), item.into()).into()
}

/// Makes a trait the interface of other contracts: `Receiver` becomes `ReceiverAt(address)`.
///
/// Methods with `&mut self` are calls, those with `&self` are views.
#[proc_macro_attribute]
pub fn interface(arguments: TokenStream, item: TokenStream) -> TokenStream {
    interface::expand(arguments.into(), item.into()).into()
}

macro_rules! marks {
    ($($name:ident)*) => {$(
        /// Marks a method of an `impl` that is marked `#[contract]`.
        #[proc_macro_attribute]
        pub fn $name(_arguments: TokenStream, item: TokenStream) -> TokenStream {
            contract::stray_mark(stringify!($name), item.into()).into()
        }
    )*};
}
marks! { init call view receive migrate }
