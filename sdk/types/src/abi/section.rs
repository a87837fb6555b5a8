//! Finding the ABI in a module: readers of chains and light clients need it, and no WebAssembly parser with it.
//!
//! ```text
//! module    "\0asm" │ version 4 │ section …
//! section   id 1 │ length, LEB128 │ content            (id 0: length of the name, LEB128 │ name │ content)
//! ```

use super::{Abi, AbiError};
use crate::host::ABI_SECTION;

const HEADER: &[u8] = b"\0asm\x01\0\0\0";
const CUSTOM: u8 = 0;

/// The bytes of the ABI's custom section; `None` if there is none, or these bytes are no module.
pub fn find(wasm: &[u8]) -> Option<&[u8]> {
    let mut rest = wasm.strip_prefix(HEADER)?;
    while let Some((&id, behind)) = rest.split_first() {
        let (length, behind) = leb128(behind)?;
        let (content, behind) = behind.split_at_checked(length)?;
        rest = behind;
        if id == CUSTOM {
            let (length, named) = leb128(content)?;
            let (name, section) = named.split_at_checked(length)?;
            if name == ABI_SECTION.as_bytes() {
                return Some(section);
            }
        }
    }
    None
}

impl Abi {
    /// The ABI in a module; `None` if it has none.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn from_wasm(wasm: &[u8]) -> Result<Option<Self>, AbiError> {
        find(wasm).map(Self::from_section).transpose()
    }
}

/// An unsigned number of at most 32 bits, and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((value as usize, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn custom(name: &str, content: &[u8]) -> Vec<u8> {
        let mut section = Vec::from([CUSTOM, (1 + name.len() + content.len()) as u8, name.len() as u8]);
        section.extend_from_slice(name.as_bytes());
        section.extend_from_slice(content);
        section
    }

    #[test]
    fn the_section_is_found_among_others() {
        let module =
            [HEADER.to_vec(), custom("name", b"x"), Vec::from([1, 1, 0]), custom(ABI_SECTION, b"abi")].concat();
        assert_eq!(find(&module), Some(&b"abi"[..]));
        for cut in 0..module.len() {
            assert_eq!(find(&module[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn no_section_is_no_abi_and_bytes_are_no_module() {
        assert!(matches!(Abi::from_wasm(HEADER), Ok(None)));
        assert_eq!(find(b"not a module"), None);
        assert_eq!(find(&[HEADER, &[0, 0xff, 0xff, 0xff, 0xff, 0xff]].concat()), None);
    }
}
