//! What an instruction costs because of what is around it, as `nop`s before it: they are compiled to nothing and
//! cost [`SURCHARGE`] each.
//!
//! - **Loads and stores of a large memory.** A memory of more than 1 MiB does not fit the machine's second cache, beside
//!   what callees use of it, and a load waits for the third. A memory of more pages than stay resident does not fit the
//!   machine's caches, nor do its addresses: a load waits for memory itself, ten times as long as one of a small memory. A
//!   module pays for that if its memory can become as large: it starts larger, or has `memory.grow` and no smaller maximum.
//! - **Locals that meet.** Where two ways through a function meet, a local that was set on one of them may be in
//!   different registers or places of the stack, and the compiler moves it there, on either way: two hundred locals take
//!   100 ns on a way that has no instruction. A block, loop or condition pays for the locals that are set inside of
//!   it, beyond those that registers hold.

use wasmparser::Operator;

use crate::gas::{self, Reach, SURCHARGE};

/// Units of a load that waits for the third cache.
const MEDIUM_LOAD: u32 = 2;
/// Units of a load: with the load's own price, what waiting for memory takes, up to 160 ns; no more than a check lets
/// through.
const LARGE_LOAD: u32 = 14;
/// Units of a store: behind a few of them the machine waits, too.
const LARGE_STORE: u32 = 1;
/// Units of a fill, whose price is more than an instruction's can be.
const FILL: u32 = 7;
/// Locals that registers hold; moving those is part of any instruction's price.
const REGISTERS: u32 = 16;
/// Locals moved for a unit: half a nanosecond each.
const MOVED_LOCALS: u32 = SURCHARGE as u32;

/// The surcharges of one function.
#[derive(Debug, Default)]
pub(super) struct Surcharges {
    reach: Reach,
    /// Of each block, loop and condition in order, its units.
    blocks: Vec<u32>,
    next: usize,
}

impl Surcharges {
    /// Looks through a function that has so many parameters and locals.
    pub(super) fn of<'a>(
        operators: impl IntoIterator<Item = wasmparser::Result<Operator<'a>>>,
        locals: u32,
        reach: Reach,
    ) -> wasmparser::Result<Self> {
        let mut blocks = Vec::new();
        // The blocks around the place that is looked at, and how often a local was set when each began.
        let mut open = Vec::new();
        let mut set: u32 = 0;
        for operator in operators {
            match operator? {
                Operator::LocalSet { .. } | Operator::LocalTee { .. } => set += 1,
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    open.push((blocks.len(), set));
                    blocks.push(0);
                }
                Operator::End => {
                    if let Some((block, before)) = open.pop() {
                        let moved = (set - before).min(locals).saturating_sub(REGISTERS);
                        blocks[block] = moved.div_ceil(MOVED_LOCALS);
                    }
                }
                _ => {}
            }
        }
        Ok(Self { reach, blocks, next: 0 })
    }

    /// Units to pay with the instruction that comes next; a loop's are paid in each of its rounds.
    pub(super) fn units(&mut self, operator: &Operator<'_>) -> u32 {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                let units = self.blocks.get(self.next).copied().unwrap_or_default();
                self.next += 1;
                units
            }
            Operator::MemoryFill { .. } => FILL,
            _ => match self.reach {
                Reach::Medium if gas::is_load(operator) => MEDIUM_LOAD,
                Reach::Large if gas::is_load(operator) => LARGE_LOAD,
                Reach::Large if gas::is_store(operator) => LARGE_STORE,
                _ => 0,
            },
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use wasmparser::{FunctionBody, Parser, Payload};

    use super::*;

    /// The instructions that have surcharges, by index, and how many units.
    fn surcharges(body: &str, reach: Reach) -> Vec<(usize, u32)> {
        let locals = 100;
        let wasm =
            wat::parse_str(format!("(module (memory 1) (func (local {}) {body}))", "i64 ".repeat(locals))).unwrap();
        let body: FunctionBody<'_> = Parser::new(0)
            .parse_all(&wasm)
            .find_map(|payload| match payload.unwrap() {
                Payload::CodeSectionEntry(body) => Some(body),
                _ => None,
            })
            .unwrap();
        let operators = || body.get_operators_reader().unwrap().into_iter();
        let mut surcharges = Surcharges::of(operators(), locals as u32, reach).unwrap();
        let units = operators().map(|operator| surcharges.units(&operator.unwrap()));
        units.enumerate().filter(|(_, units)| *units > 0).collect()
    }

    fn set(locals: usize) -> String {
        (0..locals).map(|local| format!("(local.set {local} (i64.const 1))")).collect()
    }

    #[test]
    fn loads_of_a_memory_that_can_be_large_cost_more() {
        let body = "(drop (i64.load (i32.const 0))) (i64.store (i32.const 0) (i64.const 0))";
        assert_eq!(surcharges(body, Reach::Large), [(1, LARGE_LOAD), (5, LARGE_STORE)]);
        assert_eq!(surcharges(body, Reach::Medium), [(1, MEDIUM_LOAD)]);
        assert_eq!(surcharges(body, Reach::Small), []);
    }

    #[test]
    fn a_block_pays_for_the_locals_that_are_set_inside_of_it() {
        assert_eq!(surcharges(&format!("(block {})", set(16)), Reach::Small), [], "registers hold them");
        assert_eq!(surcharges(&format!("(block {})", set(17)), Reach::Small), [(0, 1)]);
        assert_eq!(surcharges(&format!("(block (block {}) {})", set(90), set(1)), Reach::Small), [(0, 2), (1, 2)]);
        assert_eq!(
            surcharges(&format!("(block {0} {0} {0})", set(40)), Reach::Small),
            [(0, 2)],
            "no more than there are"
        );
        assert_eq!(
            surcharges(&format!("(loop (if (i32.const 1) (then {})))", set(90)), Reach::Small),
            [(0, 2), (2, 2)]
        );
        assert_eq!(surcharges(&set(90), Reach::Small), [], "nothing meets");
    }
}
