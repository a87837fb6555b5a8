//! The `rustorium` binary.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Blocks are made on one thread and dropped on another, in great numbers: the system's allocator took a seventh of
/// the node's time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    rustorium_node::cli::main()
}
