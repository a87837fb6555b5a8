//! Prices of instructions: what each takes at its worst, because an author chooses its operands. `benches/gas.rs`
//! measures them; `docs/features/gas.md` has the table.
//!
//! What follows from more than the instruction itself is charged by [`SURCHARGE`] units, which the rewriting of a
//! module puts in: see `instrument/surcharges.rs`.

use wasmparser::Operator;
use wasmtime::OperatorCost;

/// A `nop`: compiled to nothing, so that one can be put in wherever something else must be paid.
pub(crate) const SURCHARGE: u8 = 64;

/// A load of a memory of at most 1 MiB: half of what one takes that waits for the machine's third cache, which it does
/// where callees pushed out what the second held.
const LOAD: u8 = 92;
/// A division or remainder of 32 bits.
const DIVISION_32: u8 = 36;
/// A division or remainder of 64 bits.
const DIVISION_64: u8 = 42;
/// A product: three cycles.
const PRODUCT: u8 = 6;
/// A count of bits: three cycles, and one to clear what it goes to.
const BITS: u8 = 7;
/// A comparison, which takes two or three instructions of the machine.
const COMPARISON: u8 = 6;
/// A comparison with zero whose result is a number, each waiting for the one before.
const ZERO: u8 = 8;
/// A branch that nobody can foresee, half of the times wrong: 4 ns.
const BRANCH: u8 = 11;
/// As a branch, with many targets: more of them in a row than the machine keeps in mind take 15 ns each.
const TABLE_BRANCH: u8 = 112;
/// A call: what it saves and takes back, and how much further a trap is from whoever catches it. The function's own
/// checks are charged as what they are.
const CALL: u8 = 12;
/// A call through the table: its element is made when it is called first in an instance: 110 ns.
const INDIRECT_CALL: u8 = 255;
/// A bulk instruction, of nothing: a call out of the code, or checks of both ends.
const BULK: u8 = 32;
/// Putting a segment into a table, none of it: a call of the engine.
const TABLE_INIT: u8 = 80;
/// A fill of nothing: some machines take 80 ns to begin one.
const FILL: u8 = 255;
/// A growth by nothing: a call of the engine. Pages cost more.
const GROWTH: u8 = 160;
/// Giving up a segment of elements: a call of the engine.
const DROP_ELEMENTS: u8 = 72;
/// An element of a table that is copied: 2 ns where it goes to its neighbour. A byte of memory is 1.
const COPIED_ELEMENT: u8 = 16;
/// An element that is put into a table.
const NEW_ELEMENT: u8 = 8;
/// A choice: a comparison, and a move that depends on it.
const SELECT: u8 = 2;

/// The price of each instruction; those that are not named here cost 1, or nothing where they compile to nothing.
pub(crate) fn instructions() -> OperatorCost {
    let mut costs = OperatorCost::new();
    costs.Nop = SURCHARGE;
    for load in [
        &mut costs.I32Load,
        &mut costs.I32Load8S,
        &mut costs.I32Load8U,
        &mut costs.I32Load16S,
        &mut costs.I32Load16U,
        &mut costs.I64Load,
        &mut costs.I64Load8S,
        &mut costs.I64Load8U,
        &mut costs.I64Load16S,
        &mut costs.I64Load16U,
        &mut costs.I64Load32S,
        &mut costs.I64Load32U,
    ] {
        *load = LOAD;
    }
    for division in [&mut costs.I32DivS, &mut costs.I32DivU, &mut costs.I32RemS, &mut costs.I32RemU] {
        *division = DIVISION_32;
    }
    for division in [&mut costs.I64DivS, &mut costs.I64DivU, &mut costs.I64RemS, &mut costs.I64RemU] {
        *division = DIVISION_64;
    }
    for product in [&mut costs.I32Mul, &mut costs.I64Mul] {
        *product = PRODUCT;
    }
    for count in [
        &mut costs.I32Clz,
        &mut costs.I32Ctz,
        &mut costs.I32Popcnt,
        &mut costs.I64Clz,
        &mut costs.I64Ctz,
        &mut costs.I64Popcnt,
    ] {
        *count = BITS;
    }
    for comparison in [
        &mut costs.I32Eq,
        &mut costs.I32Ne,
        &mut costs.I32LtS,
        &mut costs.I32LtU,
        &mut costs.I32GtS,
        &mut costs.I32GtU,
        &mut costs.I32LeS,
        &mut costs.I32LeU,
        &mut costs.I32GeS,
        &mut costs.I32GeU,
        &mut costs.I64Eq,
        &mut costs.I64Ne,
        &mut costs.I64LtS,
        &mut costs.I64LtU,
        &mut costs.I64GtS,
        &mut costs.I64GtU,
        &mut costs.I64LeS,
        &mut costs.I64LeU,
        &mut costs.I64GeS,
        &mut costs.I64GeU,
    ] {
        *comparison = COMPARISON;
    }
    for equal in [&mut costs.I32Eqz, &mut costs.I64Eqz] {
        *equal = ZERO;
    }
    for branch in [&mut costs.If, &mut costs.BrIf] {
        *branch = BRANCH;
    }
    costs.Select = SELECT;
    costs.BrTable = TABLE_BRANCH;
    costs.Call = CALL;
    costs.CallIndirect = INDIRECT_CALL;
    for bulk in [&mut costs.MemoryCopy, &mut costs.MemoryInit, &mut costs.TableCopy] {
        *bulk = BULK;
    }
    costs.TableInit = TABLE_INIT;
    costs.MemoryFill = FILL;
    costs.MemoryGrow = GROWTH;
    costs.ElemDrop = DROP_ELEMENTS;
    costs.variable.table_copy_per_element = COPIED_ELEMENT;
    costs.variable.table_init_per_element = NEW_ELEMENT;
    costs
}

/// True for an instruction that reads memory.
pub(crate) const fn is_load(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::I32Load { .. }
            | Operator::I32Load8S { .. }
            | Operator::I32Load8U { .. }
            | Operator::I32Load16S { .. }
            | Operator::I32Load16U { .. }
            | Operator::I64Load { .. }
            | Operator::I64Load8S { .. }
            | Operator::I64Load8U { .. }
            | Operator::I64Load16S { .. }
            | Operator::I64Load16U { .. }
            | Operator::I64Load32S { .. }
            | Operator::I64Load32U { .. }
    )
}

/// True for an instruction that writes memory, one value.
pub(crate) const fn is_store(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::I32Store { .. }
            | Operator::I32Store8 { .. }
            | Operator::I32Store16 { .. }
            | Operator::I64Store { .. }
            | Operator::I64Store8 { .. }
            | Operator::I64Store16 { .. }
            | Operator::I64Store32 { .. }
    )
}
