//! What one function costs a machine to compile and to run: counted once, for limits and for the stack counter.
//!
//! The native size of a frame is the code generator's business and differs between machines; only a bound on it
//! that follows from the WebAssembly may be used. A frame holds what is live across some instruction: locals,
//! the operand stack, and whatever the optimiser keeps because it moved a computation out of a loop. Each
//! instruction computes at most a few such values, so
//!
//! ```text
//! frame bytes ≤ FIXED_BYTES + LOCAL_BYTES × (parameters and locals) + VALUE_BYTES × values of all instructions
//! ```
//!
//! which real frames stay far below. A native limit of twice the sum stands behind it as a last line of defence.

use wasmparser::{BlockType, FunctionBody, Operator};

use super::{
    Signature,
    limits::{self, STACK_UNIT_BYTES},
};
use crate::gas;

/// Saved registers, return address, the instance's pointers, fuel, and a small memory copy held in registers.
const FIXED_BYTES: u64 = 512;
/// A local's home, and the copy that a call's convention may need.
const LOCAL_BYTES: u64 = 16;
/// What one instruction may compute that outlives it: its value, the address that it used, a loaded base.
const VALUE_BYTES: u64 = 32;

/// Nanoseconds that the compiler takes for a function, an empty one: it begins, checks, is named and linked.
const FUNCTION_NS: u64 = 220_000;
/// For an instruction that is not one of those below.
const PLAIN_NS: u64 = 500;
/// For a load or a store: its address is checked, and loads are compared with what was stored before.
const ACCESS_NS: u64 = 7_000;
/// For a bulk instruction: a loop, and both ends checked. Short ones are written out.
const BULK_NS: u64 = 60_000;
/// For a growth of memory.
const GROW_NS: u64 = 8_000;
/// For a call, and for each value that it passes or returns.
const CALL_NS: u64 = 8_000;
const VALUE_NS: u64 = 1_500;
/// For a global, read or written: a load or a store that needs no check.
const GLOBAL_NS: u64 = 5_000;
/// For a block, a branch or a target of a table, and once more for each block around it: registers are assigned
/// where control flow meets, and what lives across many meetings is assigned again and again.
const BLOCK_NS: u64 = 3_000;
const NESTED_NS: u64 = 100;

/// What was counted of a function's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Parameters and locals.
    pub(crate) locals: u32,
    /// Instructions, and targets of branch tables.
    pub(crate) instructions: u32,
    /// Results of instructions that have more than one.
    extra_values: u32,
    /// The deepest nesting of blocks.
    pub(crate) nesting: u32,
    /// Blocks, loops, conditions and branches.
    blocks: u32,
    /// It can make the memory larger.
    pub(crate) grows: bool,
    /// Nanoseconds that the compiler takes, at the worst that was measured for each instruction.
    pub(crate) compile_ns: u64,
}

/// Which limit a function is over: what it has too many of, how many, and how many are allowed.
pub(crate) type Excess = (&'static str, u64, u64);

impl Shape {
    /// Counts a body, given its type and the module's types and functions.
    ///
    /// # Errors
    /// Where the body does not parse. It need not be valid.
    pub(crate) fn of(
        body: &FunctionBody<'_>,
        own: &Signature,
        types: &[Signature],
        functions: &[u32],
    ) -> wasmparser::Result<Self> {
        let mut shape = Self { locals: own.parameters, compile_ns: FUNCTION_NS, ..Self::default() };
        let mut locals = body.get_locals_reader()?;
        for _ in 0..locals.get_count() {
            shape.locals = shape.locals.saturating_add(locals.read()?.0);
        }
        let signature = |ty: Option<u32>| ty.and_then(|index| types.get(index as usize)).copied().unwrap_or_default();
        let mut depth: u32 = 0;
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            shape.instructions = shape.instructions.saturating_add(1);
            shape.compile_ns += compile_ns(&operator, depth);
            match operator {
                Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                    depth += 1;
                    shape.blocks += 1;
                    shape.nesting = shape.nesting.max(depth);
                    if let BlockType::FuncType(index) = blockty {
                        let signature = types.get(index as usize).copied().unwrap_or_default();
                        shape.add_values(signature.parameters + signature.results);
                    }
                }
                Operator::End => depth = depth.saturating_sub(1),
                Operator::MemoryGrow { .. } => shape.grows = true,
                Operator::Else | Operator::Br { .. } | Operator::BrIf { .. } => shape.blocks += 1,
                Operator::BrTable { targets } => {
                    shape.instructions = shape.instructions.saturating_add(targets.len());
                    shape.blocks = shape.blocks.saturating_add(targets.len());
                }
                Operator::Call { function_index } => {
                    shape.add_call(signature(functions.get(function_index as usize).copied()));
                }
                Operator::CallIndirect { type_index, .. } => shape.add_call(signature(Some(type_index))),
                _ => {}
            }
        }
        Ok(shape)
    }

    fn add_call(&mut self, callee: Signature) {
        self.compile_ns += VALUE_NS * u64::from(callee.parameters + callee.results);
        self.add_values(callee.results);
    }

    fn add_values(&mut self, values: u32) {
        self.extra_values = self.extra_values.saturating_add(values);
    }

    /// The first limit that it is over.
    pub(crate) fn excess(&self) -> Option<Excess> {
        let limits = [
            ("locals", u64::from(self.locals), u64::from(limits::LOCALS)),
            ("instructions", u64::from(self.instructions) + u64::from(self.extra_values), limits::INSTRUCTIONS.into()),
            ("levels of nesting", self.nesting.into(), limits::NESTING.into()),
            ("locals times blocks", self.joins(), limits::JOINS),
        ];
        limits.into_iter().find(|(_, found, limit)| found > limit)
    }

    /// Locals times blocks.
    pub(crate) fn joins(&self) -> u64 {
        u64::from(self.locals) * u64::from(self.blocks)
    }

    /// Units of stack that a frame takes; at least one.
    pub(crate) fn stack_units(&self) -> u32 {
        let values = u64::from(self.instructions) + u64::from(self.extra_values);
        let bytes = FIXED_BYTES + LOCAL_BYTES * u64::from(self.locals) + VALUE_BYTES * values;
        bytes.div_ceil(u64::from(STACK_UNIT_BYTES)).try_into().unwrap_or(u32::MAX)
    }
}

/// What the compiler takes for an instruction inside of so many blocks.
fn compile_ns(operator: &Operator<'_>, depth: u32) -> u64 {
    let block = BLOCK_NS + NESTED_NS * u64::from(depth);
    match operator {
        Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::If { .. }
        | Operator::Else
        | Operator::Br { .. }
        | Operator::BrIf { .. } => block,
        Operator::BrTable { targets } => block.saturating_mul(u64::from(targets.len()) + 1),
        Operator::Call { .. } | Operator::CallIndirect { .. } => CALL_NS,
        Operator::GlobalGet { .. } | Operator::GlobalSet { .. } => GLOBAL_NS,
        Operator::MemoryGrow { .. } => GROW_NS,
        Operator::MemoryCopy { .. }
        | Operator::MemoryFill { .. }
        | Operator::MemoryInit { .. }
        | Operator::TableCopy { .. }
        | Operator::TableInit { .. } => BULK_NS,
        access if gas::is_load(access) || gas::is_store(access) => ACCESS_NS,
        _ => PLAIN_NS,
    }
}
