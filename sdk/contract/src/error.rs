//! A contract's own errors: a name and fields, which everyone reads by the contract's ABI.

use borsh::io::{Read, Result as IoResult, Write};

use crate::{abi, env};

/// An enum marked `#[error]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a contract's error",
    label = "must be an enum marked `#[error]`"
)]
pub trait ContractError: Sized {
    /// How the ABI describes the errors.
    const VARIANTS: &'static [abi::Variant];

    /// The variant's name.
    fn name(&self) -> &'static str;

    /// Writes `borsh` of the variant's fields.
    #[doc(hidden)]
    fn write_fields<Out: Write>(&self, out: &mut Out) -> IoResult<()>;

    /// Reads the variant of a name.
    #[doc(hidden)]
    fn read_fields<In: Read>(name: &str, input: &mut In) -> IoResult<Self>;

    /// `borsh` of the variant's fields.
    fn fields(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        if self.write_fields(&mut bytes).is_err() {
            env::trap(&["an error does not serialize"]);
        }
        bytes
    }

    /// The error of a name and fields; `None` if it is none of these.
    fn decode(name: &str, mut fields: &[u8]) -> Option<Self> {
        let error = Self::read_fields(name, &mut fields).ok()?;
        fields.is_empty().then_some(error)
    }
}

/// Returns an error unless a condition holds.
///
/// ```
/// # use rustorium_sdk::prelude::*;
/// #[error]
/// pub enum TankError {
///     #[message("{litres} litres do not fit")]
///     Full { litres: u32 },
/// }
///
/// fn fill(litres: u32) -> Result<(), TankError> {
///     ensure!(litres <= 50, TankError::Full { litres });
///     Ok(())
/// }
/// assert_eq!(fill(60).unwrap_err().to_string(), "60 litres do not fit");
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $error:expr $(,)?) => {
        if !$condition {
            return ::core::result::Result::Err($error);
        }
    };
}
