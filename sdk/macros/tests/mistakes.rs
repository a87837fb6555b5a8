//! The mistakes that authors are most likely to make, and what they are told: at their own line, what to do.
//!
//! `TRYBUILD=overwrite cargo test -p rustorium-macros` writes the expectations anew.

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
