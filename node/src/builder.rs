//! Builds a contract crate into the module that is deployed: what `rustorium build` and the tests call.
//!
//! ```text
//! crate ─► wasm-target.sh ─► cargo rustc --target wasm32-unknown-unknown ─► slim ─► TARGET/wasm/NAME.wasm
//!          compiler that      profile `contract`, `--cfg rustorium_export`    names without mangling,
//!          has the target     for this crate alone                            no traces of the toolchain
//! ```
//!
//! Invariants:
//! - The same sources, lock file and compiler give the same bytes from any folder: paths are remapped, and the
//!   profile is this module's, whatever the crate's manifest or the environment says about profiles and flags.
//!   Another compiler gives other bytes.
//! - Exports exist only for the crate that is built: its libraries do not get the cfg, so a contract used as a
//!   library leaks no method.
//! - It has a target directory of its own inside the project's, so it never waits for a host build.
//! - rustup's settings stay as they are.

mod cargo;
mod slim;
mod target;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustorium_types::{
    abi::{Abi, AbiError},
    hash::code_hash,
    host::ABI_SECTION,
    id::Hash,
    limits,
};
use thiserror::Error;

pub use slim::NotAModule;

/// How to build.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// Refuse to change `Cargo.lock`.
    pub locked: bool,
    /// Do not touch the network.
    pub offline: bool,
    /// Where to build, in place of `wasm/` in the workspace's target directory.
    pub target_dir: Option<PathBuf>,
    /// Keep what cargo says for the error, in place of passing it on to stderr as it comes.
    pub quiet: bool,
}

/// A contract that was built.
#[derive(Clone, Debug)]
pub struct Build {
    /// The crate's name.
    pub package: String,
    /// The module's file.
    pub wasm: PathBuf,
    /// The module.
    pub bytes: Vec<u8>,
    /// The hash that names the code on a chain.
    pub code_hash: Hash,
    /// What it offers; `None` for a module that was not written with the SDK.
    pub abi: Option<Abi>,
}

/// Why a contract was not built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no crate here.
    #[error("{0} is no crate: it has no Cargo.toml")]
    NoManifest(PathBuf),
    /// Cargo does not understand the manifest.
    #[error("cargo does not read {manifest}:\n{message}")]
    Manifest {
        /// The manifest.
        manifest: PathBuf,
        /// What cargo said.
        message: String,
    },
    /// A workspace without a package of its own.
    #[error("{0} is a workspace of several crates: name the folder of one of them")]
    Workspace(PathBuf),
    /// A crate with programs only.
    #[error("`{0}` has no library: a contract is one (src/lib.rs)")]
    NoLibrary(String),
    /// The compiler for WebAssembly is not there and could not be made.
    #[error("there is no compiler for wasm32-unknown-unknown{}", said(.0))]
    Target(String),
    /// The crate does not compile.
    #[error("`{package}` does not compile{}", said(message))]
    Compile {
        /// The crate's name.
        package: String,
        /// What cargo said, if it was not passed on.
        message: String,
    },
    /// The compiler's output is not what it should be.
    #[error("the compiler's output is no module: {0}")]
    Module(#[from] NotAModule),
    /// The ABI in the module is no good.
    #[error("the contract's ABI: {0}")]
    Abi(#[from] AbiError),
    /// No chain takes it.
    #[error("the module has {size} bytes; a code has at most {limit}", limit = limits::CODE_BYTES)]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// A program that is needed does not start.
    #[error("`{program}` does not start: {source}")]
    Program {
        /// Its name.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Builds the contract crate in a folder.
///
/// # Errors
/// A sentence for the crate's author; with `quiet` it holds what cargo said.
pub fn build(directory: &Path, options: &BuildOptions) -> Result<Build, BuildError> {
    let package = cargo::find_package(directory, options)?;
    let compiler = target::compiler(directory, options.quiet)?;
    // Cargo runs in the crate's folder, so a relative path would mean another place to it.
    let target_dir = match &options.target_dir {
        Some(path) => std::path::absolute(path).map_err(|source| BuildError::File { path: path.into(), source })?,
        None => package.target_directory.join("wasm"),
    };
    let compiled = cargo::compile(&package, &compiler, &target_dir, options)?;
    let bytes = slim::slim(&read(&compiled)?)?;
    if bytes.len() > limits::CODE_BYTES as usize {
        return Err(BuildError::TooLarge { size: bytes.len() });
    }
    let abi = slim::custom_section(&bytes, ABI_SECTION)?.map(Abi::from_section).transpose()?;
    let wasm = target_dir.join(format!("{}.wasm", package.name));
    write_whole(&wasm, &bytes)?;
    Ok(Build { package: package.name, wasm, code_hash: code_hash(&bytes), bytes, abi })
}

fn read(path: &Path) -> Result<Vec<u8>, BuildError> {
    fs::read(path).map_err(|source| BuildError::File { path: path.into(), source })
}

/// Two builds of one crate may end at the same time: readers see one whole module or the other.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&new, bytes)
        .and_then(|()| fs::rename(&new, path))
        .map_err(|source| BuildError::File { path: path.into(), source })
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(":\n{message}") }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const SOURCE: &str = r#"
        #[cfg(rustorium_export)]
        #[unsafe(export_name = "call.divide")]
        pub extern "C" fn divide(by: u32) -> u32 {
            100u32.checked_div(by).expect("a divisor")
        }
    "#;

    fn write_crate(directory: &Path, source: &str) {
        fs::create_dir_all(directory.join("src")).unwrap();
        fs::write(
            directory.join("Cargo.toml"),
            "[package]\nname = \"small-one\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
             [lints.rust]\nunexpected_cfgs = { level = \"warn\", check-cfg = ['cfg(rustorium_export)'] }\n",
        )
        .unwrap();
        fs::write(directory.join("src/lib.rs"), source).unwrap();
    }

    fn quiet() -> BuildOptions {
        BuildOptions { offline: true, quiet: true, ..BuildOptions::default() }
    }

    #[test]
    fn the_same_crate_gives_the_same_bytes_from_any_folder() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let deeper = two.path().join("a/longer/way");
        write_crate(one.path(), SOURCE);
        write_crate(&deeper, SOURCE);

        let first = build(one.path(), &quiet()).unwrap();
        let second = build(&deeper, &quiet()).unwrap();

        assert_eq!(first.code_hash, second.code_hash);
        assert_eq!(fs::read(&first.wasm).unwrap(), second.bytes);
        let text = String::from_utf8_lossy(&first.bytes);
        assert!(text.contains("call.divide"), "the export of the crate that is built");
        assert!(text.contains("src/lib.rs"), "a panic says where");
        assert!(!text.contains(one.path().to_str().unwrap()), "a path of this machine");
    }

    #[test]
    fn a_crate_that_does_not_compile_says_where() {
        let directory = tempfile::tempdir().unwrap();
        write_crate(directory.path(), "pub fn broken() -> u8 { \"text\" }");
        let error = build(directory.path(), &quiet()).unwrap_err();
        assert!(matches!(&error, BuildError::Compile { package, message }
            if package == "small-one" && message.contains("mismatched types") && message.contains("src/lib.rs:1")));
    }

    #[test]
    fn what_is_no_contract_crate_is_said() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(build(directory.path(), &quiet()), Err(BuildError::NoManifest(_))));

        fs::write(directory.path().join("Cargo.toml"), "[workspace]\n").unwrap();
        assert!(matches!(build(directory.path(), &quiet()), Err(BuildError::Workspace(_))));

        fs::write(directory.path().join("Cargo.toml"), "[package\n").unwrap();
        assert!(matches!(build(directory.path(), &quiet()), Err(BuildError::Manifest { .. })));

        write_crate(directory.path(), "");
        fs::rename(directory.path().join("src/lib.rs"), directory.path().join("src/main.rs")).unwrap();
        assert!(matches!(build(directory.path(), &quiet()), Err(BuildError::NoLibrary(name)) if name == "small-one"));
    }
}
