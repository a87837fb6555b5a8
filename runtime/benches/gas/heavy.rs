//! Contracts that are heavy to enter, each for a reason of its own. Their `view.noop` touches all of their memory.

use crate::{chain::contract_of_pages, table::TABLE};

/// A contract that is heavy to enter.
pub struct Heavy {
    /// Why.
    pub name: &'static str,
    pub wat: String,
}

/// Touches each of the machine's pages.
const TOUCH: &str = "(local $at i32) (loop (i64.store (local.get $at) (i64.const 1))
    (br_if 0 (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4096))) (i32.const BYTES))))";
/// As many functions as the gas of a transaction can store.
const FUNCTIONS: usize = 1_999;

/// All of them, in the order of their addresses in a machine's arguments.
pub fn all() -> Vec<Heavy> {
    let heavy = |name, pages: u32, fields: &str| Heavy {
        name,
        wat: contract_of_pages(
            pages,
            &format!("{fields} (func (export \"view.noop\") {TOUCH})").replace("BYTES", &(pages << 16).to_string()),
        ),
    };
    let listed: String = (0..8_192).map(|index| format!("{} ", TABLE.len() + index % FUNCTIONS)).collect();
    let functions = "(func)".repeat(FUNCTIONS);
    let global = "(global (mut i64) (i64.const 7))";
    let sum = "i64.const 3 i64.add ".repeat(330);
    let code = format!("(func (param i64) (result i64) local.get 0 {sum})").repeat(900);
    vec![
        heavy("2,000 functions", 1, &functions),
        heavy("a full table", 1, &format!("(table 8192 funcref) (elem (i32.const 0) func {listed}) {functions}")),
        heavy("256 globals", 1, &global.repeat(255)),
        heavy("900 KiB of code", 1, &code),
        heavy("16 pages", 16, ""),
        heavy("a large image", 64, r#"(data (i32.const 0) "x") (data (i32.const 4194000) "x")"#),
    ]
}
