//! A contract's own storage.

use bytes::Bytes;
use rustorium_types::limits::{KEY_BYTES, VALUE_BYTES};

use super::{Host, Slice};
use crate::{call::Abort, state::StateKey};

/// The value under a key.
pub(super) fn storage_read(host: &mut Host<'_>, key: Slice) -> Result<Option<Vec<u8>>, Abort> {
    let key = state_key(host, key)?;
    let value = host.session()?.overlay.get(&key)?;
    if let Some(recorder) = host.recorder() {
        recorder.read(&key.key, value.as_ref());
    }
    Ok(value.map(|value| value.to_vec()))
}

/// Puts a value under a key.
pub(super) fn storage_write(host: &mut Host<'_>, key: Slice, value: Slice) -> Result<(), Abort> {
    host.forbid_in_view("write storage")?;
    let key = state_key(host, key)?;
    let value = host.bytes(value)?;
    if value.len() > VALUE_BYTES {
        return Err(Abort::too_large(format!("a value of {} bytes; {VALUE_BYTES} are allowed", value.len())));
    }
    let value = Bytes::copy_from_slice(value);
    set(host, key, Some(value))
}

/// Removes a key.
pub(super) fn storage_remove(host: &mut Host<'_>, key: Slice) -> Result<(), Abort> {
    host.forbid_in_view("remove from storage")?;
    let key = state_key(host, key)?;
    set(host, key, None)
}

fn set(host: &mut Host<'_>, key: StateKey, value: Option<Bytes>) -> Result<(), Abort> {
    host.frame.failed_callee = None;
    let session = host.session()?;
    if let Some(recorder) = &mut session.recorder {
        let before = session.overlay.peek(&key)?;
        recorder.write(&key.key, before.as_ref(), value.as_ref());
    }
    session.overlay.set(key, value);
    Ok(())
}

fn state_key(host: &Host<'_>, key: Slice) -> Result<StateKey, Abort> {
    let key = host.bytes(key)?;
    if key.len() > KEY_BYTES {
        return Err(Abort::too_large(format!("a storage key of {} bytes; {KEY_BYTES} are allowed", key.len())));
    }
    Ok(StateKey::new(host.frame.contract, Bytes::copy_from_slice(key)))
}
