//! `rustorium new`: a contract project.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{CliError, output::Output};
use crate::project::{ProjectError, Template, create};

/// Makes a contract project that builds offline.
#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// The project's folder; its last part is the contract's name
    name: PathBuf,
    /// What it starts from
    #[arg(long, value_enum, default_value_t)]
    template: Template,
}

pub(crate) fn run(args: NewArgs, output: &Output) -> Result<(), CliError> {
    let NewArgs { name: path, template } = args;
    let project = create(&path, template).map_err(|error| match error {
        ProjectError::Name(_) | ProjectError::Reserved(_) | ProjectError::Exists(_) => {
            CliError::usage(error.to_string())
        }
        error => error.into(),
    })?;
    if let Some(missing) = &project.missing {
        output.warn(format!("the project needs crates that cargo would have to fetch first:\n{missing}"));
        output.note(format!("with a network, run `cargo fetch` in {} once", project.path.display()));
    }
    let shown = shown(&project.path);
    output.show(
        &json!({ "project": project.name, "path": project.path, "template": template, "offline": project.missing.is_none() }),
        || {
            format!(
                "created {shown}: the contract is {shown}/src/lib.rs\n\
                 next: `rustorium test {shown}`, then `rustorium deploy {shown} --name {}`",
                project.name
            )
        },
    );
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
