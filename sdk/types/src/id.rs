//! Newtypes for everything that is counted, named or compared, so that two swapped arguments do not compile.
//!
//! In text, addresses are bech32m (BIP 350) with the human-readable part `acc` for accounts and `con` for
//! contracts; hashes are `0x` and 64 lower-case hex digits. In bytes an address is a kind byte and 32 bytes:
//!
//! ```text
//! Address   kind (0 account, 1 contract) │ 32 bytes
//! Hash      32 bytes
//! ```

use alloc::string::String;
use core::{fmt, str::FromStr};

use bech32::{Bech32m, Hrp, primitives::decode::CheckedHrpstring};
use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

/// A 32-byte digest: of a transaction, a header, code, or the root of a tree.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// All zero: the parent of the first header.
    pub const ZERO: Self = Self([0; 32]);

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        // Twice as long as the bytes, and ASCII.
        _ = hex::encode_to_slice(self.0, &mut digits);
        f.write_str("0x")?;
        f.write_str(str::from_utf8(&digits).unwrap_or_default())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let digits = text.strip_prefix("0x").ok_or(ParseIdError::Hash)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| ParseIdError::Hash)?;
        Ok(Self(bytes))
    }
}

/// The 32 bytes that name an account: a hash of its authorisation scheme and public key.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct AccountId(pub [u8; 32]);

/// The 32 bytes that name a contract: a hash of its creator and salt. All zero is the system, whose
/// entries are the [records](crate::state) of accounts, contracts and codes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct ContractId(pub [u8; 32]);

impl ContractId {
    /// Contract 0, the owner of accounts, contract records and code.
    pub const SYSTEM: Self = Self([0; 32]);
}

/// Who can hold value and call: an account or a contract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub enum Address {
    /// An account, which signs.
    Account(AccountId),
    /// A contract, which runs.
    Contract(ContractId),
}

impl Address {
    /// Bytes of an encoded address.
    pub const LEN: usize = 33;

    /// The kind byte and the 32 bytes.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let (kind, id) = match self {
            Self::Account(AccountId(id)) => (0, id),
            Self::Contract(ContractId(id)) => (1, id),
        };
        let mut bytes = [kind; Self::LEN];
        bytes[1..].copy_from_slice(&id);
        bytes
    }

    /// The contract, if it is one.
    pub const fn contract(self) -> Option<ContractId> {
        match self {
            Self::Contract(id) => Some(id),
            Self::Account(_) => None,
        }
    }

    /// The account, if it is one.
    pub const fn account(self) -> Option<AccountId> {
        match self {
            Self::Account(id) => Some(id),
            Self::Contract(_) => None,
        }
    }
}

impl From<AccountId> for Address {
    fn from(id: AccountId) -> Self {
        Self::Account(id)
    }
}

impl From<ContractId> for Address {
    fn from(id: ContractId) -> Self {
        Self::Contract(id)
    }
}

const ACCOUNT: Hrp = Hrp::parse_unchecked("acc");
const CONTRACT: Hrp = Hrp::parse_unchecked("con");

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hrp, id) = match self {
            Self::Account(AccountId(id)) => (ACCOUNT, id),
            Self::Contract(ContractId(id)) => (CONTRACT, id),
        };
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, hrp, id).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Address {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let parsed = CheckedHrpstring::new::<Bech32m>(text).map_err(|_| ParseIdError::Address)?;
        let mut payload = parsed.byte_iter();
        let mut id = [0; 32];
        for byte in &mut id {
            *byte = payload.next().ok_or(ParseIdError::Address)?;
        }
        if payload.next().is_some() {
            return Err(ParseIdError::Address);
        }
        match parsed.hrp() {
            hrp if hrp == ACCOUNT => Ok(Self::Account(AccountId(id))),
            hrp if hrp == CONTRACT => Ok(Self::Contract(ContractId(id))),
            _ => Err(ParseIdError::Prefix),
        }
    }
}

macro_rules! id_text {
    ($name:ident, $variant:ident, $error:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Address::$variant(*self).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                match text.parse()? {
                    Address::$variant(id) => Ok(id),
                    _ => Err(ParseIdError::$error),
                }
            }
        }
    };
}
id_text!(AccountId, Account, NotAccount);
id_text!(ContractId, Contract, NotContract);

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseIdError {
    /// Not `0x` and 64 hex digits.
    #[error("a hash is 0x and 64 hex digits")]
    Hash,
    /// Not bech32m of 32 bytes.
    #[error("not an address: it must be bech32m of 32 bytes, as acc1… or con1…")]
    Address,
    /// The human-readable part is neither `acc` nor `con`.
    #[error("an address starts with acc1 or con1")]
    Prefix,
    /// A contract where an account is needed.
    #[error("this is a contract's address; an account's (acc1…) is needed")]
    NotAccount,
    /// An account where a contract is needed.
    #[error("this is an account's address; a contract's (con1…) is needed")]
    NotContract,
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
        )]
        pub struct $name(pub $inner);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// The sum, or `None` where it overflows.
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// The difference, or `None` below zero.
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(difference) => Some(Self(difference)),
                    None => None,
                }
            }

            /// The difference, zero at the least.
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = core::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number!(
    /// Native value, in base units.
    Amount(u128)
);
number!(
    /// A block's height; the first block is 1, the state of genesis is height 0.
    Height(u64)
);
number!(
    /// Gas: fuel of the WebAssembly engine plus the prices of host calls.
    Gas(u64)
);
number!(
    /// The number that makes each of a sender's transactions unique; the first is 1.
    Nonce(u64)
);
number!(
    /// Milliseconds since the Unix epoch.
    Timestamp(u64)
);
number!(
    /// A fixed-length span of heights with one validator set.
    Epoch(u64)
);

impl Height {
    /// The height after this one.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Gas {
    /// The price of this gas in base units; saturates, because no balance reaches the limit.
    pub const fn cost(self, price: Amount) -> Amount {
        Amount((self.0 as u128).saturating_mul(price.0))
    }
}

/// Shortens an address or hash for people: the first and last digits.
pub fn short(text: &str) -> String {
    match (text.get(..8), text.get(text.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) if text.len() > 14 => alloc::format!("{head}…{tail}"),
        _ => text.into(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn text_round_trips() {
        for address in [Address::Account(AccountId([7; 32])), Address::Contract(ContractId([9; 32]))] {
            assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
            assert_eq!(borsh::from_slice::<Address>(&address.to_bytes()).unwrap(), address);
        }
        let hash = Hash([0xab; 32]);
        assert_eq!(hash.to_string().parse::<Hash>().unwrap(), hash);
    }

    #[test]
    fn kinds_are_not_mistaken() {
        let account = AccountId([1; 32]).to_string();
        assert!(account.starts_with("acc1"));
        assert_eq!(account.parse::<ContractId>(), Err(ParseIdError::NotContract));
        assert_eq!("0x12".parse::<Hash>(), Err(ParseIdError::Hash));
        let mut typo = account.into_bytes();
        typo[10] = if typo[10] == b'q' { b'p' } else { b'q' };
        assert_eq!(core::str::from_utf8(&typo).unwrap().parse::<Address>(), Err(ParseIdError::Address));
    }
}
