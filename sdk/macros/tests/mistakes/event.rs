//! An event with too many indexed fields, one without names, and one that is no event.
use rustorium_sdk::prelude::*;

#[event]
pub struct Busy {
    #[indexed]
    a: u8,
    #[indexed]
    b: u8,
    #[indexed]
    c: u8,
    #[indexed]
    d: u8,
    #[indexed]
    e: u8,
}

#[event]
pub struct Nameless(u8);

pub struct Unmarked {
    pub a: u8,
}

pub fn tell(ctx: &Ctx) {
    ctx.emit(Unmarked { a: 1 });
}

fn main() {}
