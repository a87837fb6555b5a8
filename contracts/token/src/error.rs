//! Why a token refuses.

use rustorium_sdk::prelude::*;

/// Why a call was refused.
#[error]
pub enum TokenError {
    /// The holder has too little.
    #[message("needs {needed}, has {available}")]
    Insufficient {
        /// What was to be moved.
        needed: u128,
        /// What there is.
        available: u128,
    },
    /// The spender may take less.
    #[message("{spender} may take {allowed}, not {needed}")]
    NotAllowed {
        /// Who wanted to take.
        spender: Address,
        /// What was to be moved.
        needed: u128,
        /// What the holder approved.
        allowed: u128,
    },
    /// Only the owner mints.
    #[message("{caller} is not the owner")]
    NotOwner {
        /// Who tried.
        caller: Address,
    },
}
