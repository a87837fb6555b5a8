//! `rustorium config`: a node's settings, checked before it runs.

use std::path::PathBuf;

use serde_json::json;

use super::{CliError, Output, output::table};
use crate::config::Config;

/// Checks a node's settings.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// Reads a file and the environment as a node would, and shows what holds.
    Check {
        /// The TOML file [default: none, only the environment].
        file: Option<PathBuf>,
    },
    /// Lists every setting: its key, its variable, its default.
    Keys,
}

pub(crate) fn run(command: ConfigCommand, output: &Output) -> Result<(), CliError> {
    match command {
        ConfigCommand::Check { file } => {
            let config = Config::load(file.as_deref(), std::env::vars(), &[])?;
            output.show(&config, || config.to_toml());
        }
        ConfigCommand::Keys => {
            let keys = Config::keys();
            let objects: Vec<_> = keys
                .iter()
                .map(|key| json!({ "key": key.path, "variable": key.environment, "default": key.default }))
                .collect();
            let row = |key: &crate::config::Key| [key.path.clone(), key.environment.clone(), key.default.clone()];
            output.show(&json!({ "keys": objects }), || table(["KEY", "VARIABLE", "DEFAULT"], keys.iter().map(row)));
        }
    }
    Ok(())
}
