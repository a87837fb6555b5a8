//! Where code must compare its fuel, so that it ends soon after it is used up.
//!
//! Compiled code compares where functions and loops begin. Anything between is run to its end, paid or not, and
//! whoever calls a contract decides how little gas it starts with: without more checks, a frame that has just enough
//! to be entered could run all the straight code that a function can have, again and again.
//!
//! Followed is the most gas that any way to a place can have used since its last check, in one pass over the
//! body: control flow is structured, so all ways to the end of a block are known when it is reached.
//!
//! ```text
//! loop, function        0: it checks
//! br, br_if, br_table   the label's most is at least what is used here
//! end of a block        the most of its branches and of falling through
//! behind a call         LIMIT − TAIL: what is left to do in all the callers, while they return, is unchecked, too
//! ```
//!
//! Invariant: code runs at most [`LIMIT`], and [`TAIL`] for each frame of its stack, past its gas.

use wasmparser::Operator;
use wasmtime::OperatorCost;

use crate::gas::SURCHARGE;

/// The most gas between two checks: small beside the price of any frame.
const LIMIT: i64 = 1_024;
/// The most gas that is unchecked behind a call: less than the call costs, so that a deep stack does not run far for
/// nothing while it returns.
const TAIL: i64 = 16;
/// The most that a bulk instruction of constant length uses without a check of its own.
const SMALL_BULK: i64 = 128;

/// What can be used without a check, at a place in a function's body.
pub(super) struct Unchecked<'a> {
    costs: &'a OperatorCost,
    /// Imported functions, which check when they are paid.
    imported: u32,
    /// Gas since the last check, on the way that used most.
    most: i64,
    /// The blocks around this place, the innermost last.
    labels: Vec<Label>,
}

struct Label {
    /// Where it began; the other arm of a condition goes on from there.
    start: i64,
    /// The most of the branches to its end.
    end: i64,
    /// Branches to a loop go to its beginning, where it checks.
    is_loop: bool,
}

impl<'a> Unchecked<'a> {
    /// At the start of a function.
    pub(super) fn new(costs: &'a OperatorCost, imported: u32) -> Self {
        Self { costs, imported, most: 0, labels: Vec::new() }
    }

    /// Goes past an instruction and its surcharge; true if there must be a check right before them. A loop's are
    /// inside of it, where it has just checked.
    pub(super) fn needs_check_before(&mut self, operator: &Operator<'_>, surcharge: u32) -> bool {
        let surcharge = i64::from(surcharge) * i64::from(SURCHARGE);
        if let Operator::Loop { .. } = operator {
            self.most = surcharge;
            self.open(0, true);
            return false;
        }
        let bulk = match operator {
            Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } | Operator::MemoryInit { .. } => SMALL_BULK,
            Operator::TableCopy { .. } | Operator::TableInit { .. } => SMALL_BULK,
            _ => 0,
        };
        let cost = self.costs.cost(operator) + bulk + surcharge;
        let is_due = self.most + cost > LIMIT;
        if is_due {
            self.most = 0;
        }
        self.most += cost;
        self.follow(operator);
        is_due
    }

    fn follow(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Block { .. } => self.open(0, false),
            // Without another arm, the end is reached from here.
            Operator::If { .. } => self.open(self.most, false),
            Operator::Else => {
                if let Some(label) = self.labels.last_mut() {
                    label.end = label.end.max(self.most);
                    self.most = label.start;
                }
            }
            Operator::End => {
                if let Some(label) = self.labels.pop() {
                    self.most = self.most.max(label.end);
                }
            }
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => self.branch(*relative_depth),
            Operator::BrTable { targets } => {
                targets.targets().map_while(Result::ok).chain([targets.default()]).for_each(|depth| self.branch(depth));
            }
            Operator::Call { function_index } if *function_index < self.imported => self.most = 0,
            Operator::Call { .. } | Operator::CallIndirect { .. } => self.most = LIMIT - TAIL,
            _ => {}
        }
    }

    fn open(&mut self, end: i64, is_loop: bool) {
        self.labels.push(Label { start: self.most, end, is_loop });
    }

    /// A branch out of the function ends what is counted here.
    fn branch(&mut self, depth: u32) {
        let label = self.labels.len().checked_sub(depth as usize + 1).and_then(|index| self.labels.get_mut(index));
        if let Some(label) = label.filter(|label| !label.is_loop) {
            label.end = label.end.max(self.most);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use wasmparser::{Parser, Payload};

    use super::*;

    /// Indices of the instructions of a function `(param i32)` that need a check, behind an imported function and `$f`.
    fn checks(body: &str) -> Vec<usize> {
        let wat = format!(
            r#"(module (import "rustorium.1" "height" (func $h (result i64))) (func (param i32) {body}) (func $f))"#
        );
        let wasm = wat::parse_str(wat).unwrap();
        let mut costs = OperatorCost::new();
        costs.I64Add = 100;
        let body = Parser::new(0).parse_all(&wasm).find_map(|payload| match payload.unwrap() {
            Payload::CodeSectionEntry(body) => Some(body),
            _ => None,
        });
        let mut unchecked = Unchecked::new(&costs, 1);
        let operators = body.unwrap().get_operators_reader().unwrap().into_iter().map(Result::unwrap);
        operators
            .enumerate()
            .filter(|(_, operator)| unchecked.needs_check_before(operator, 0))
            .map(|(at, _)| at)
            .collect()
    }

    /// So many times 102 gas, in 4 instructions each.
    fn work(times: usize) -> String {
        "(drop (i64.add (i64.const 1) (i64.const 2)))".repeat(times)
    }

    #[test]
    fn straight_code_is_checked_at_least_every_so_often() {
        assert_eq!(checks(&work(10)), [0; 0]);
        assert_eq!(checks(&work(21)), [4 * 10 + 2, 4 * 20 + 2], "1,020 and the constants, before the sum");
    }

    #[test]
    fn loops_check_by_themselves() {
        assert_eq!(checks(&format!("{0} (loop {0}) {1}", work(6), work(4))), [0; 0]);
    }

    #[test]
    fn a_jump_over_a_check_does_not_get_around_it() {
        // The check is inside of the block, and the branch leaves from before it.
        let around = format!("(block {} (br_if 0 (local.get 0)) {}) {}", work(8), work(6), work(3));
        let inside = 1 + 4 * 8 + 2 + 4 * 2 + 2;
        let behind = 1 + 4 * 14 + 2 + 1 + 4 * 2 + 2;
        assert_eq!(checks(&around), [inside, behind]);
    }

    #[test]
    fn the_longer_arm_of_a_condition_counts() {
        let arms = |then, other| format!("(if (local.get 0) (then {}) (else {})) {}", work(then), work(other), work(2));
        assert_eq!(checks(&arms(1, 8)), [0; 0]);
        assert_eq!(checks(&arms(1, 9)).len(), 1);
        assert_eq!(checks(&arms(9, 1)).len(), 1);
    }

    #[test]
    fn little_is_done_behind_a_call_without_a_check() {
        assert_eq!(checks("(call $f) (call $f) nop"), [0; 0]);
        assert_eq!(checks(&format!("(call $f) {}", work(1))), [3]);
        assert_eq!(checks(&format!("(drop (call $h)) {}", work(9))), [0; 0], "the host checks");
    }
}
