//! The SDK's sources, out of this binary into a project.
//!
//! The three crates inherit versions and settings from this repository's workspace. They are written as they
//! are, below a workspace manifest that keeps of ours what they inherit: metadata, lints, and the dependencies
//! that they name. Their tests and benches stay here.

use std::{collections::BTreeSet, path::Path};

use include_dir::{Dir, include_dir};
use toml::{Table, Value};

use super::{ProjectError, write_dir, write_file};

/// Where a project has the SDK.
const FOLDER: &str = "vendor/rustorium-sdk";

const WORKSPACE: &str = include_str!("../../../Cargo.toml");
const LOCK: &str = include_str!("../../../Cargo.lock");

struct Crate {
    folder: &'static str,
    manifest: &'static str,
    sources: Dir<'static>,
}

static CRATES: [Crate; 3] = [
    Crate {
        folder: "types",
        manifest: include_str!("../../../sdk/types/Cargo.toml"),
        sources: include_dir!("$CARGO_MANIFEST_DIR/../sdk/types/src"),
    },
    Crate {
        folder: "contract",
        manifest: include_str!("../../../sdk/contract/Cargo.toml"),
        sources: include_dir!("$CARGO_MANIFEST_DIR/../sdk/contract/src"),
    },
    Crate {
        folder: "macros",
        manifest: include_str!("../../../sdk/macros/Cargo.toml"),
        sources: include_dir!("$CARGO_MANIFEST_DIR/../sdk/macros/src"),
    },
];

/// Writes the SDK into a project, and the lock file with the versions that it was tested with.
pub(super) fn write(project: &Path) -> Result<(), ProjectError> {
    let folder = project.join(FOLDER);
    let mut needed = BTreeSet::new();
    for part in &CRATES {
        let mut manifest: Table = part.manifest.parse()?;
        for left_here in ["dev-dependencies", "test", "bench", "example"] {
            manifest.remove(left_here);
        }
        collect_dependencies(&manifest, &mut needed);
        write_file(&folder.join(part.folder).join("Cargo.toml"), manifest.to_string().as_bytes())?;
        write_dir(&folder.join(part.folder).join("src"), &part.sources)?;
    }
    write_file(&folder.join("Cargo.toml"), workspace(&needed)?.as_bytes())?;
    write_file(&project.join("Cargo.lock"), LOCK.as_bytes())
}

/// The names in all tables of dependencies, those of a platform included.
fn collect_dependencies(manifest: &Table, names: &mut BTreeSet<String>) {
    for (key, value) in manifest {
        let Value::Table(table) = value else { continue };
        if key.ends_with("dependencies") {
            names.extend(table.keys().cloned());
        } else if key == "target" {
            table.values().filter_map(Value::as_table).for_each(|platform| collect_dependencies(platform, names));
        }
    }
}

/// The manifest of the SDK's own workspace.
fn workspace(needed: &BTreeSet<String>) -> Result<String, ProjectError> {
    let mut ours: Table = WORKSPACE.parse()?;
    let Some(Value::Table(mut workspace)) = ours.remove("workspace") else { return Ok(String::new()) };
    let members = CRATES.iter().map(|part| Value::from(part.folder)).collect();
    workspace.insert("members".into(), Value::Array(members));
    if let Some(Value::Table(dependencies)) = workspace.get_mut("dependencies") {
        dependencies.retain(|name, _| needed.contains(name));
        for (_, dependency) in dependencies.iter_mut() {
            let path = dependency.as_table_mut().and_then(|table| table.get_mut("path"));
            if let Some(Value::String(path)) = path {
                *path = path.trim_start_matches("sdk/").into();
            }
        }
    }
    Ok(Table::from_iter([("workspace".to_owned(), Value::Table(workspace))]).to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_workspace_keeps_what_its_crates_inherit_and_no_more() {
        let mut needed = BTreeSet::new();
        for part in &CRATES {
            collect_dependencies(&part.manifest.parse().unwrap(), &mut needed);
        }
        let manifest: Table = workspace(&needed).unwrap().parse().unwrap();
        let dependencies = manifest["workspace"]["dependencies"].as_table().unwrap();
        assert_eq!(dependencies["rustorium-types"]["path"].as_str(), Some("types"));
        assert!(dependencies.contains_key("sha3"), "a platform's dependencies count");
        assert!(!dependencies.contains_key("wasmtime") && !dependencies.contains_key("rustorium-chain"));
        assert_eq!(manifest["workspace"]["package"]["edition"].as_str(), Some("2024"));
    }
}
