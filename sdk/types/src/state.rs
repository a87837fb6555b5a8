//! The system's records: entries of contract 0, provable like any other.
//!
//! ```text
//! key                              value
//! 7 "account"  │ Address           balance 16 │ highest nonce 8 │ bitmap 64     (88 bytes, little-endian)
//! 8 "contract" │ ContractId        borsh(ContractRecord)
//! 4 "code"     │ code hash         the WebAssembly bytes
//! 10 "validators"                  borsh(ValidatorChange), the newest; absent before the first
//! ```
//!
//! Keys are a length-prefixed field name and the key's bytes, as every contract's are ([`crate::key`]).

use alloc::{string::String, vec::Vec};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    id::{Address, Amount, ContractId, Hash, Height, Nonce},
    limits,
};

/// What an address holds. An absent record is the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// Native value.
    pub balance: Amount,
    /// The nonces used; a contract's stays empty.
    pub nonces: NonceWindow,
}

impl Default for Account {
    fn default() -> Self {
        Self { balance: Amount::ZERO, nonces: NonceWindow::default() }
    }
}

/// Which nonces an account has used: the highest, and a bitmap of the 512 below it. Bit i of the bitmap
/// (byte i / 8, bit i % 8) is nonce `highest − 1 − i`. Older ones count as used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NonceWindow {
    /// The highest used; 0 at first.
    pub highest: Nonce,
    /// Those below it.
    pub bitmap: [u8; 64],
}

impl Default for NonceWindow {
    fn default() -> Self {
        Self { highest: Nonce::ZERO, bitmap: [0; 64] }
    }
}

/// How a nonce stands to a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceState {
    /// Can be used.
    Unused,
    /// Is used, or so far below that it counts as used.
    Used,
    /// Is above the window.
    TooFar,
}

impl NonceWindow {
    /// How the nonce stands.
    pub fn state(&self, nonce: Nonce) -> NonceState {
        if nonce.0 > self.highest.0 {
            return if nonce.0 - self.highest.0 <= limits::NONCE_AHEAD {
                NonceState::Unused
            } else {
                NonceState::TooFar
            };
        }
        if nonce.0 == 0 || nonce == self.highest {
            return NonceState::Used;
        }
        let below = self.highest.0 - 1 - nonce.0;
        if below >= limits::NONCE_BITMAP || self.bit(below) { NonceState::Used } else { NonceState::Unused }
    }

    /// Marks an unused nonce; `false`, and nothing changed, if it was not.
    pub fn consume(&mut self, nonce: Nonce) -> bool {
        if self.state(nonce) != NonceState::Unused {
            return false;
        }
        if nonce.0 < self.highest.0 {
            self.set(self.highest.0 - 1 - nonce.0);
            return true;
        }
        let rise = nonce.0 - self.highest.0;
        let before = *self;
        self.bitmap = [0; 64];
        for below in 0..limits::NONCE_BITMAP.saturating_sub(rise) {
            if before.bit(below) {
                self.set(below + rise);
            }
        }
        if before.highest.0 > 0 && rise <= limits::NONCE_BITMAP {
            self.set(rise - 1);
        }
        self.highest = nonce;
        true
    }

    /// The lowest nonce above every used one.
    pub const fn next(&self) -> Nonce {
        Nonce(self.highest.0 + 1)
    }

    const fn bit(&self, below: u64) -> bool {
        self.bitmap[(below / 8) as usize] >> (below % 8) & 1 == 1
    }

    const fn set(&mut self, below: u64) {
        self.bitmap[(below / 8) as usize] |= 1 << (below % 8);
    }
}

/// What is known of a contract.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ContractRecord {
    /// The code that runs.
    pub code: Hash,
    /// Who may upgrade it; nobody ever, if none.
    pub admin: Option<Address>,
    /// Who made it.
    pub creator: Address,
    /// When.
    pub height: Height,
    /// A name for people.
    pub label: String,
}

/// The storage key of an account's record.
pub fn account_key(address: Address) -> Vec<u8> {
    field_key("account", &address.to_bytes())
}

/// The storage key of a contract's record.
pub fn contract_key(contract: ContractId) -> Vec<u8> {
    field_key("contract", &contract.0)
}

/// The storage key of a code.
pub fn code_key(code: &Hash) -> Vec<u8> {
    field_key("code", &code.0)
}

/// The storage key of the newest [change of the validators](crate::validators::ValidatorChange).
pub fn validators_key() -> Vec<u8> {
    crate::key::field("validators")
}

fn field_key(field: &str, key: &[u8]) -> Vec<u8> {
    let mut bytes = crate::key::field(field);
    bytes.extend_from_slice(key);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_blocks_nothing() {
        let mut window = NonceWindow::default();
        assert!(window.consume(Nonce(1)));
        assert!(window.consume(Nonce(5)));
        assert!(window.consume(Nonce(3)));
        for (nonce, state) in [
            (0, NonceState::Used),
            (1, NonceState::Used),
            (2, NonceState::Unused),
            (3, NonceState::Used),
            (4, NonceState::Unused),
            (5, NonceState::Used),
            (261, NonceState::Unused),
            (262, NonceState::TooFar),
        ] {
            assert_eq!(window.state(Nonce(nonce)), state, "nonce {nonce}");
        }
    }

    #[test]
    fn far_below_counts_as_used() {
        let mut window = NonceWindow::default();
        for step in 1..=4 {
            assert!(window.consume(Nonce(step * 256)));
        }
        assert_eq!(window.state(Nonce(1024 - 1 - 511)), NonceState::Used, "nonce 512 was used");
        assert_eq!(window.state(Nonce(513)), NonceState::Unused);
        assert_eq!(window.state(Nonce(511)), NonceState::Used, "out of the bitmap");
        assert!(!window.consume(Nonce(511)));
    }

    #[test]
    fn an_account_is_88_bytes() {
        assert_eq!(borsh::to_vec(&Account::default()).map(|bytes| bytes.len()).ok(), Some(88));
    }
}
