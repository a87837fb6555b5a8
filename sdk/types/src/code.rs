//! One vocabulary of codes for receipts, REST problems, GraphQL errors and WebSocket messages.

use core::{fmt, str::FromStr};

use borsh::{BorshDeserialize, BorshSerialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $text:literal,)*) => {
        /// What went wrong, in one word. The number is what receipts commit to and contracts see; the text
        /// is what people and programs read. Numbers never change meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
        #[borsh(use_discriminant = true)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $variant = $number,)*
        }

        impl Code {
            /// Every code, in order of number.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The text, as `NOT_FOUND`.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The code of a number.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The request is malformed: an argument is missing, of another type, or out of range.
    BadUserInput = 1 "BAD_USER_INPUT",
    /// There is no such thing.
    NotFound = 2 "NOT_FOUND",
    /// Nobody is known to have asked.
    Unauthenticated = 3 "UNAUTHENTICATED",
    /// The one who asked may not.
    Forbidden = 4 "FORBIDDEN",
    /// Too many requests; the answer says when to try again.
    RateLimited = 5 "RATE_LIMITED",
    /// The wait was longer than the request allowed.
    RequestTimeout = 6 "REQUEST_TIMEOUT",
    /// The query is deeper, wider or dearer than the published limits.
    QueryTooComplex = 7 "QUERY_TOO_COMPLEX",
    /// The stream can no longer be resumed from this cursor.
    CursorExpired = 8 "CURSOR_EXPIRED",
    /// The height is no longer kept.
    HeightPruned = 9 "HEIGHT_PRUNED",
    /// A signature is not the sender's or the fee payer's over this transaction.
    InvalidSignature = 10 "INVALID_SIGNATURE",
    /// The transaction was made for another chain.
    WrongChain = 11 "WRONG_CHAIN",
    /// The nonce is used, by this transaction or another.
    NonceUsed = 12 "NONCE_USED",
    /// The nonce is above the window.
    NonceTooFar = 13 "NONCE_TOO_FAR",
    /// `validUntil` has passed.
    Expired = 14 "EXPIRED",
    /// The maximum price is below the chain's.
    GasPriceTooLow = 15 "GAS_PRICE_TOO_LOW",
    /// The balance does not cover the amount.
    InsufficientFunds = 16 "INSUFFICIENT_FUNDS",
    /// The fee could not be paid at the transaction's turn.
    FeeUnpaid = 17 "FEE_UNPAID",
    /// Over a size limit.
    TooLarge = 18 "TOO_LARGE",
    /// The log cannot take records now.
    LogUnavailable = 19 "LOG_UNAVAILABLE",
    /// The contract returned an error of its own.
    ContractError = 20 "CONTRACT_ERROR",
    /// The gas limit was reached.
    OutOfGas = 21 "OUT_OF_GAS",
    /// The contract trapped: a panic, an overflow, a pointer out of range.
    Trap = 22 "TRAP",
    /// The contract has no such method.
    UnknownMethod = 23 "UNKNOWN_METHOD",
    /// It exists already.
    AlreadyExists = 24 "ALREADY_EXISTS",
    /// Value was sent to a method that does not take any.
    NotPayable = 25 "NOT_PAYABLE",
    /// The contract is already on the call stack.
    Reentrant = 26 "REENTRANT",
    /// The WebAssembly module is refused.
    InvalidModule = 27 "INVALID_MODULE",
    /// The view reads what has no witness.
    ViewNotProvable = 28 "VIEW_NOT_PROVABLE",
    /// Our fault.
    Internal = 29 "INTERNAL_SERVER_ERROR",
    /// It was signed for another epoch.
    WrongEpoch = 30 "WRONG_EPOCH",
    /// Fewer validators signed than must.
    NoQuorum = 31 "NO_QUORUM",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.text() == text).ok_or(UnknownCode)
    }
}

/// A text that is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such code")]
pub struct UnknownCode;
