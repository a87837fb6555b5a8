//! `rustorium completions`: for shells.

use clap::CommandFactory;

use super::{Cli, CliError};

/// Prints completions for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rustorium completions bash > ~/.local/share/bash-completion/completions/rustorium")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: clap_complete::Shell,
}

pub(crate) fn run(args: CompletionsArgs) -> Result<(), CliError> {
    clap_complete::generate(args.shell, &mut Cli::command(), "rustorium", &mut std::io::stdout());
    Ok(())
}
