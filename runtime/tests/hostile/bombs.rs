//! Modules that are small and cost much. What the limits admit is bounded; one step more is refused by its name.

use rustorium_runtime::InvalidModule;

use crate::{chain::Chain, worst};

#[test]
fn the_worst_that_the_limits_admit_is_accepted_and_one_step_more_is_refused() {
    let chain = Chain::new();
    for worst in worst::all() {
        let wasm = wat::parse_str(&worst.wat).unwrap();
        if let Err(refused) = chain.runtime.inspect(&wasm) {
            panic!("{}: {refused}", worst.name);
        }
        match chain.runtime.inspect(&wat::parse_str(&worst.beyond).unwrap()) {
            Err(InvalidModule::TooMany { what, .. } | InvalidModule::FunctionTooLarge { what, .. }) => {
                assert_eq!(what, worst.limit, "{}", worst.name);
            }
            other => panic!("{}: {other:?}", worst.name),
        }
    }
}

/// A count is a few bytes, so it must be checked before anything is reserved for it.
#[test]
fn counts_of_billions_are_refused_and_reserve_nothing() {
    let chain = Chain::new();
    for (id, what) in [
        (1u8, "type"),
        (2, "import"),
        (3, "function"),
        (4, "table"),
        (5, "memor"),
        (6, "global"),
        (7, "export"),
        (9, "element"),
        (10, "function"),
        (11, "data"),
    ] {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        wasm.extend([id, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        let refused = chain.runtime.inspect(&wasm).unwrap_err().to_string();
        assert!(refused.to_lowercase().contains(what), "section {id}: {refused}");
    }
}
