//! The dearest modules that the limits admit, each for a reason of its own: what a megabyte of hostile code can make
//! the validator and the compiler do. Tests show that one step more is refused; `benches/compile.rs` measures them.

/// A module that is as bad as the limits allow in one way.
pub struct Worst {
    /// In which way.
    pub name: &'static str,
    /// The module.
    pub wat: String,
    /// The same, one step beyond a limit.
    pub beyond: String,
    /// Which limit that is, as its error names it.
    pub limit: &'static str,
}

fn module(fields: &str) -> String {
    format!("(module (memory (export \"memory\") 1) {fields})")
}

/// Functions of an instruction sequence, repeated as often as fits.
fn straight(name: &'static str, sequence: &str, instructions: usize) -> Worst {
    let body = |count: usize| sequence.repeat(count);
    let most = (65_536 - 8) / instructions;
    // As many functions as fit a megabyte.
    let functions: String = (0..6).map(|_| format!("(func (local i64 i32) {})", body(most))).collect();
    let beyond = format!("(func (local i64 i32) {})", body(65_536 / instructions + 1));
    Worst { name, wat: module(&functions), beyond: module(&beyond), limit: "instructions" }
}

/// All of them.
pub fn all() -> Vec<Worst> {
    let locals = |count: usize| "i64 ".repeat(count);
    let joins = |locals_count: usize, blocks: usize| {
        let touched: String = (0..locals_count)
            .map(|local| format!("(local.set {local} (i64.add (local.get {local}) (i64.const 1)))"))
            .collect();
        let blocks = "(block (br_if 0 (i32.wrap_i64 (local.get 0)))) ".repeat(blocks);
        format!(
            "(func (local {}) (loop {touched} {blocks} (br_if 0 (i32.wrap_i64 (local.get 1)))))",
            locals(locals_count)
        )
    };
    let nested = |depth: usize| {
        let opened: String =
            (0..depth).map(|_| "(block (result i32) (drop (br_if 0 (i32.const 1) (local.get 0))) ").collect();
        format!("(func (param i32) (drop {opened} (i32.const 0) {}))", ")".repeat(depth))
    };
    let table = |targets: usize| {
        let labels = "0 1 2 3 ".repeat(targets / 4);
        format!("(func (param i32) (block (block (block (br_table {labels} (local.get 0))))))")
    };
    vec![
        straight("arithmetic", "(local.set 0 (i64.mul (i64.add (local.get 0) (i64.const 3)) (local.get 0)))", 6),
        straight("divisions", "(local.set 0 (i64.div_u (local.get 0) (i64.const 3)))", 4),
        straight("loads", "(local.set 1 (i32.load (local.get 1)))", 3),
        straight("stores", "(i64.store (local.get 1) (local.get 0))", 3),
        straight("small copies", "(memory.copy (local.get 1) (i32.const 8) (i32.const 16))", 4),
        straight("fills", "(memory.fill (local.get 1) (i32.const 8) (i32.const 16))", 4),
        straight("growths", "(drop (memory.grow (i32.const 0)))", 3),
        straight("selects", "(local.set 0 (select (i64.const 5) (local.get 0) (local.get 1)))", 5),
        Worst {
            name: "calls",
            wat: module(&format!(
                "(func $f (param {}) (result i64) (i64.const 0)) {}",
                locals(32),
                format!("(func (drop (call $f {})))", "(i64.const 7)".repeat(32)).repeat(1_000)
            )),
            beyond: module(&format!("(func (param {}))", locals(33))),
            limit: "parameters in one function type",
        },
        Worst {
            name: "results",
            wat: module(&format!(
                "(func $f (result {0}) {1}) {2}",
                locals(8),
                "(i64.const 1)".repeat(8),
                format!("(func {})", "(call $f) drop drop drop drop drop drop drop drop ".repeat(3_600)).repeat(15)
            )),
            beyond: module(&format!("(func (result {}) unreachable)", locals(9))),
            limit: "results in one function type",
        },
        Worst {
            name: "locals times blocks",
            wat: module(&joins(1_000, 129).repeat(2)),
            beyond: module(&joins(1_000, 129).repeat(3)),
            limit: "locals times blocks",
        },
        Worst {
            name: "locals times blocks, few locals",
            wat: module(&joins(16, 8_000).repeat(2)),
            beyond: module(&joins(16, 9_000)),
            limit: "locals times blocks",
        },
        Worst {
            name: "functions",
            wat: module(&"(func)".repeat(10_000)),
            beyond: module(&"(func)".repeat(10_001)),
            limit: "functions",
        },
        Worst {
            name: "nesting",
            wat: module(&nested(1_023).repeat(60)),
            beyond: module(&nested(1_025)),
            limit: "levels of nesting",
        },
        Worst {
            name: "branch tables",
            wat: module(&table(64_000).repeat(8)),
            beyond: module(&table(65_600)),
            limit: "instructions",
        },
        Worst {
            name: "elements",
            wat: module(&format!(
                "(table 8192 funcref) (func $f) {}",
                format!("(elem (i32.const 0) func {})", "$f ".repeat(8_192)).repeat(8)
            )),
            beyond: module(&format!(
                "(table 8192 funcref) (func $f) {}",
                format!("(elem (i32.const 0) func {})", "$f ".repeat(8_192)).repeat(9)
            )),
            limit: "elements in segments",
        },
        Worst {
            name: "data far apart",
            wat: r#"(module (memory (export "memory") 256) (data (i32.const 0) "x") (data (i32.const 4194303) "x"))"#
                .into(),
            beyond:
                r#"(module (memory (export "memory") 256) (data (i32.const 0) "x") (data (i32.const 16777215) "x"))"#
                    .into(),
            limit: "bytes between the first and the last byte of data",
        },
        Worst {
            name: "globals",
            wat: module(&format!(
                "{} (func {})",
                "(global (mut i64) (i64.const 0))".repeat(256),
                (0..13_000)
                    .map(|i| format!("(global.set {0} (global.get {1}))", i % 256, (i + 1) % 256))
                    .collect::<String>()
            )),
            beyond: module(&"(global i64 (i64.const 0))".repeat(257)),
            limit: "globals",
        },
    ]
}
