//! Everything that a contract's source wants: `use rustorium_sdk::prelude::*`.

#[cfg(not(target_arch = "wasm32"))]
pub use crate::mock::{Deployed, Mock};
pub use crate::{
    Address, Bytes, Call, CallFailed, Code, Ctx, Decimal, EnumMap, Field, Hash, Item, List, Map, NewContract, Page,
    PageRequest, Timestamp, U256, abi, call, contract, ensure, error, event, init, interface, migrate, receive,
    storage, view,
};
pub use std::collections::BTreeMap;
