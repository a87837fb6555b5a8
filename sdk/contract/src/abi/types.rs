//! The types that the SDK describes: what the standard library and `rustorium-types` bring.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use rustorium_types::{
    field::Field,
    id::{Address, Hash, Timestamp},
};

use super::{AbiType, Type};

macro_rules! plain {
    ($($ty:ty => $name:ident, $absent:expr;)*) => {$(
        impl AbiType for $ty {
            const TYPE: Type = Type::$name;

            fn absent() -> Option<Self> {
                $absent
            }
        }
    )*};
}
plain! {
    () => Unit, Some(());
    bool => Bool, Some(false);
    u8 => U8, Some(0);
    u16 => U16, Some(0);
    u32 => U32, Some(0);
    u64 => U64, Some(0);
    u128 => U128, Some(0);
    i8 => I8, Some(0);
    i16 => I16, Some(0);
    i32 => I32, Some(0);
    i64 => I64, Some(0);
    i128 => I128, Some(0);
    Field => Field, Some(Field::ZERO);
    String => String, Some(String::new());
    Address => Address, None;
    Hash => Hash, None;
    Timestamp => Timestamp, None;
}

impl<const N: usize> AbiType for [u8; N] {
    const TYPE: Type = Type::FixedBytes(N as u32);

    fn absent() -> Option<Self> {
        Some([0; N])
    }
}

impl<T: AbiType> AbiType for Option<T> {
    const TYPE: Type = Type::Option(&T::TYPE);

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: AbiType> AbiType for Vec<T> {
    const TYPE: Type = Type::Vec(&T::TYPE);

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl<K: AbiType + Ord, V: AbiType> AbiType for BTreeMap<K, V> {
    const TYPE: Type = Type::Map(&K::TYPE, &V::TYPE);

    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

macro_rules! tuples {
    ($(($($part:ident),+))*) => {$(
        impl<$($part: AbiType),+> AbiType for ($($part,)+)
        where
            Self: BorshSerialize + BorshDeserialize,
        {
            const TYPE: Type = Type::Tuple(&[$($part::TYPE),+]);

            fn absent() -> Option<Self> {
                Some(($($part::absent()?,)+))
            }
        }
    )*};
}
tuples! {
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
    (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
    (A, B, C, D, E, F, G, H, I)
    (A, B, C, D, E, F, G, H, I, J)
    (A, B, C, D, E, F, G, H, I, J, K)
    (A, B, C, D, E, F, G, H, I, J, K, L)
}
