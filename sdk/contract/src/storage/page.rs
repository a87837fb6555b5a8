//! Long collections in parts.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::abi::{AbiType, Definition, Field, Shape, Type};

/// Items of a page at the most: what fits into 64 KiB of return data with 128 bytes an item.
pub const PAGE_LIMIT: u32 = 500;

/// Which part of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PageRequest {
    /// The position of the first item; 0 at first, then [`Page::next`].
    pub start: u32,
    /// Items at the most; 0 counts as 1, more than [`PAGE_LIMIT`] as that.
    pub limit: u32,
}

/// A part of a collection.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<u32>,
    /// Items of the whole collection.
    pub total: u32,
}

impl PageRequest {
    /// The first items.
    pub const fn first(limit: u32) -> Self {
        Self { start: 0, limit }
    }

    /// The page of a collection of `total` items.
    pub fn answer<T>(self, total: u32, item: impl FnMut(u32) -> T) -> Page<T> {
        let end = self.start.saturating_add(self.limit.clamp(1, PAGE_LIMIT)).min(total);
        Page { items: (self.start..end).map(item).collect(), next: (end < total).then_some(end), total }
    }
}

const fn field(name: &'static str, ty: Type, doc: &'static str) -> Field {
    Field { name, ty, doc, indexed: false }
}

impl AbiType for PageRequest {
    const TYPE: Type = Type::Named(&Definition {
        name: "PageRequest",
        doc: "Which part of a collection.",
        shape: Shape::Struct(&[
            field("start", Type::U32, "The position of the first item; 0 at first, then `next` of the page before."),
            field("limit", Type::U32, "Items at the most."),
        ]),
    });
}

impl<T: AbiType> AbiType for Page<T> {
    const TYPE: Type = Type::Record(&[
        field("items", Type::Vec(&T::TYPE), "The items."),
        field("next", Type::Option(&Type::U32), "Where the next page starts; null after the last."),
        field("total", Type::U32, "Items of the whole collection."),
    ]);
}
