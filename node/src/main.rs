//! The `rustorium` binary.
fn main() {}
