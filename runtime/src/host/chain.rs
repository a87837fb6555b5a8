//! What a contract can ask of the chain and of the call that it is in.

use rustorium_types::id::Address;

use super::{Fixed, Host};
use crate::call::Abort;

/// The immediate caller.
pub(super) fn caller(host: &mut Host<'_>) -> Result<Option<[u8; Address::LEN]>, Abort> {
    Ok(host.frame.caller.map(Address::to_bytes))
}

/// The contract itself.
pub(super) fn this(host: &mut Host<'_>) -> Result<[u8; Address::LEN], Abort> {
    Ok(Address::Contract(host.frame.contract).to_bytes())
}

/// What came with the call.
pub(super) fn value(host: &mut Host<'_>) -> Result<[u8; 16], Abort> {
    Ok(host.frame.value.0.to_le_bytes())
}

/// An address's balance.
pub(super) fn balance(host: &mut Host<'_>, address: Fixed<{ Address::LEN }>) -> Result<[u8; 16], Abort> {
    let address = host.address(address)?;
    Ok(host.session()?.account(address)?.balance.0.to_le_bytes())
}

/// The block's height.
pub(super) fn height(host: &mut Host<'_>) -> Result<u64, Abort> {
    Ok(host.session()?.block.height.0)
}

/// The block's time.
pub(super) fn time(host: &mut Host<'_>) -> Result<u64, Abort> {
    Ok(host.session()?.block.time.0)
}

/// The genesis hash.
pub(super) fn genesis_hash(host: &mut Host<'_>) -> Result<[u8; 32], Abort> {
    Ok(host.session()?.block.genesis.0)
}
