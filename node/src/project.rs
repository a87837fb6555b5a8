//! Makes a contract project that builds without a network: what `rustorium new` calls.
//!
//! ```text
//! NAME/
//!   Cargo.toml  README.md  .gitignore
//!   Cargo.lock               the versions that this tool was built with
//!   src/                     the template: the sources of a standard contract, which this repository tests
//!   vendor/rustorium-sdk/    the SDK's sources, out of this binary: a workspace of its own
//!     Cargo.toml  types/  contract/  macros/
//! ```
//!
//! The SDK lies inside the project, at a relative path, so that a clone of the project builds anywhere and
//! gives the same code hash; cargo's hash of a crate depends on its path within the project.
//!
//! Invariant: nothing that exists is overwritten.

mod sdk;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use include_dir::{Dir, include_dir};
use serde::Serialize;
use thiserror::Error;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");
static COUNTER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../contracts/counter/src");
static TOKEN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../contracts/token/src");

/// Bytes of a project's name at the most, as of a contract's label.
const NAME_BYTES: usize = rustorium_types::limits::LABEL_BYTES;

/// What a new project starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// One number and an event: the smallest useful contract.
    #[default]
    Counter,
    /// A fungible token.
    Token,
}

impl Template {
    fn sources(self) -> &'static Dir<'static> {
        match self {
            Self::Counter => &COUNTER,
            Self::Token => &TOKEN,
        }
    }

    fn readme(self) -> &'static str {
        match self {
            Self::Counter => "counter.md",
            Self::Token => "token.md",
        }
    }
}

/// A project that was made.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its name, the last part of its path.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// What cargo said when asked to do without a network: crates that it would have to fetch first.
    pub missing: Option<String>,
}

/// Why a project was not made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// Cargo would refuse the name.
    #[error(
        "`{0}` is no name for a crate: lower-case letters, digits, `-` and `_`, a letter first, at most {NAME_BYTES} bytes"
    )]
    Name(String),
    /// The name means something else to Rust.
    #[error("`{0}` is a name that Rust or the SDK uses itself")]
    Reserved(String),
    /// There is something already.
    #[error("{0} exists and is not empty")]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A manifest inside this binary does not parse: a fault of this software.
    #[error("the SDK inside this binary: {0}")]
    Embedded(#[from] toml::de::Error),
}

/// Makes a project in a folder that does not exist or is empty.
///
/// # Errors
/// If the name is no crate's name, the folder is not empty, or it cannot be written.
pub fn create(path: &Path, template: Template) -> Result<Project, ProjectError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    check_name(&name)?;
    if path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || path.is_file() {
        return Err(ProjectError::Exists(path.into()));
    }
    write_template(path, "Cargo.toml", "Cargo.toml", &name)?;
    write_template(path, template.readme(), "README.md", &name)?;
    write_template(path, "gitignore", ".gitignore", &name)?;
    write_dir(&path.join("src"), template.sources())?;
    sdk::write(path)?;
    Ok(Project { name, path: path.into(), missing: trim_lock_file(path) })
}

/// Cargo takes out of the lock file what the project does not need, if it has all the rest at hand.
fn trim_lock_file(path: &Path) -> Option<String> {
    let output = Command::new("cargo")
        .args(["metadata", "--offline", "--format-version", "1"])
        .current_dir(path)
        .env_remove("CARGO_TARGET_DIR")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim_end().into()),
        Err(error) => Some(format!("cargo does not start: {error}")),
    }
}

fn check_name(name: &str) -> Result<(), ProjectError> {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if !starts || name.len() > NAME_BYTES || !name.bytes().all(letters) {
        return Err(ProjectError::Name(name.into()));
    }
    let reserved = ["alloc", "core", "proc_macro", "std", "test", "borsh", "deps", "build", "examples", "incremental"];
    let keyword = is_keyword(name);
    if keyword || reserved.contains(&name) || name.starts_with("rustorium-") {
        return Err(ProjectError::Reserved(name.into()));
    }
    Ok(())
}

/// Whether Rust reserves the word.
fn is_keyword(word: &str) -> bool {
    const KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn else enum extern \
        false final fn for gen if impl in let loop macro match mod move mut override priv pub ref return self static \
        struct super trait true try type typeof unsafe unsized use virtual where while yield";
    KEYWORDS.split_ascii_whitespace().any(|keyword| keyword == word)
}

fn write_template(project: &Path, template: &str, file: &str, name: &str) -> Result<(), ProjectError> {
    let text = TEMPLATES.get_file(template).and_then(|file| file.contents_utf8()).unwrap_or_default();
    write_file(&project.join(file), text.replace("{{name}}", name).as_bytes())
}

fn write_dir(to: &Path, from: &Dir<'_>) -> Result<(), ProjectError> {
    for file in from.files() {
        write_file(&to.join(file.path().file_name().unwrap_or_default()), file.contents())?;
    }
    for dir in from.dirs() {
        write_dir(&to.join(dir.path().file_name().unwrap_or_default()), dir)?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), ProjectError> {
    let write = || {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, bytes)
    };
    write().map_err(|source| ProjectError::File { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::builder::{BuildOptions, build};

    /// Crates compiled once for all projects of these tests, and again only when the SDK changes.
    fn target() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/new-projects")
    }

    fn project_works(template: Template, name: &str) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        let project = create(&path, template).unwrap();
        assert_eq!(project.missing, None, "all crates come from this workspace's lock file");

        let tests = Command::new("cargo")
            .args(["test", "--offline", "--locked", "--target-dir"])
            .arg(target())
            .current_dir(&path)
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&tests.stdout), String::from_utf8_lossy(&tests.stderr));
        assert!(tests.status.success(), "{said}");
        assert!(!said.contains("warning:"), "{said}");
        assert!(said.contains("test tests::"), "the template has tests of its own: {said}");

        let options =
            BuildOptions { locked: true, offline: true, quiet: true, target_dir: Some(target().join("wasm")) };
        let built = build(&path, &options).unwrap();
        assert!(built.abi.is_some_and(|abi| !abi.methods.is_empty()), "the contract describes itself");
    }

    #[test]
    fn a_new_counter_tests_and_builds_offline() {
        project_works(Template::Counter, "my-counter");
    }

    #[test]
    fn a_new_token_tests_and_builds_offline() {
        project_works(Template::Token, "my-token");
    }

    #[test]
    fn nothing_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        write_file(&path.join("mine.txt"), b"mine").unwrap();
        assert!(matches!(create(&path, Template::Counter), Err(ProjectError::Exists(_))));
        assert_eq!(path.read_dir().unwrap().count(), 1);
    }

    #[test]
    fn names_are_those_of_crates() {
        for good in ["a", "my-token", "vote_2", "counter"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "2nd", "My", "a b", "a/b", "-a", "\u{e9}t\u{e9}", &"a".repeat(65)] {
            assert!(matches!(check_name(bad), Err(ProjectError::Name(_))), "{bad}");
        }
        for reserved in ["fn", "std", "borsh", "rustorium-sdk"] {
            assert!(matches!(check_name(reserved), Err(ProjectError::Reserved(_))), "{reserved}");
        }
    }
}
