//! Numbers beyond Rust's own, and arithmetic that notices overflow.

mod decimal;
mod u256;

pub use decimal::Decimal;
pub use u256::{ParseNumberError, U256};

/// Numbers whose sums and differences can be checked; [`Item::add`](crate::Item::add) and its like want it.
#[diagnostic::on_unimplemented(
    message = "`add` and `sub` need numbers, and `{Self}` is none",
    note = "use `update` to change a value of another type"
)]
pub trait Checked: Sized {
    /// The sum, or `None` where it overflows.
    fn checked_add(self, other: Self) -> Option<Self>;

    /// The difference, or `None` where it overflows.
    fn checked_sub(self, other: Self) -> Option<Self>;
}

macro_rules! checked {
    ($($ty:ty)*) => {$(
        impl Checked for $ty {
            fn checked_add(self, other: Self) -> Option<Self> {
                self.checked_add(other)
            }

            fn checked_sub(self, other: Self) -> Option<Self> {
                self.checked_sub(other)
            }
        }
    )*};
}
checked! { u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 U256 Decimal }
