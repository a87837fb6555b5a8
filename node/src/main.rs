//! The `rustorium` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    rustorium_node::cli::main()
}
