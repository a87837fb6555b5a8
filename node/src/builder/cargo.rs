//! What the builder asks of cargo: where the crate is and what it is called, then to compile it.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde::Deserialize;

use super::{
    BuildError, BuildOptions,
    target::{FLAGS, TARGET},
};

/// The profile, whatever the crate's manifest says: what a contract costs and whether it overflows silently must
/// not depend on a setting that its author forgot. Measured with `contracts/token`: `z` takes 3% more gas a call than
/// `s`, and 3 takes 3% less, for a fifth more gas at deployment.
const PROFILE: [&str; 9] = [
    "inherits=\"release\"",
    "opt-level=\"s\"",
    "lto=\"fat\"",
    "codegen-units=1",
    "panic=\"abort\"",
    "overflow-checks=true",
    "debug=false",
    "strip=\"debuginfo\"",
    "incremental=false",
];

/// wasm-ld's settings. Short relocations shrink the code by a tenth and keep table indexes in their oldest
/// encoding. The stack is first in memory, so that its overflow traps; one page of it, and not rustc's sixteen,
/// keeps the memory of an instance small, which is what makes instances cheap.
const LINKER: [&str; 2] = ["-Clink-arg=--compress-relocations", "-Clink-arg=-zstack-size=65536"];

/// Pages that a contract's memory can have unless its manifest says otherwise: 1 MiB. The loads of a memory that can
/// become larger cost more than twice as much, and beyond 2 MiB ten times as much. `[package.metadata.rustorium] memory-pages =
/// 256` asks for all that a chain allows.
const MEMORY_PAGES: u32 = 16;
const PAGE_BYTES: u64 = 64 << 10;

/// What would change the bytes if it came from whoever runs this.
const FOREIGN_VARIABLES: [&str; 7] = [
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_INCREMENTAL",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
];

/// A crate, as cargo knows it.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    /// Name of the library, as the compiler's output is called.
    library: String,
    manifest: PathBuf,
    /// Pages that its memory can have.
    memory_pages: u32,
    workspace_root: PathBuf,
    pub(super) target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<MetadataTarget>,
    /// What the manifest says to tools; nothing is `null`.
    metadata: Option<ToolSettings>,
}

#[derive(Default, Deserialize)]
struct ToolSettings {
    rustorium: Option<Settings>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Settings {
    memory_pages: Option<u32>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    name: String,
    kind: Vec<String>,
}

/// Asks cargo about the crate in a folder.
pub(super) fn find_package(directory: &Path, options: &BuildOptions) -> Result<Package, BuildError> {
    let manifest = directory.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(BuildError::NoManifest(directory.into()));
    }
    let manifest = manifest.canonicalize().map_err(|source| BuildError::File { path: manifest, source })?;
    let mut command = cargo(&manifest);
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(&manifest);
    add_network(&mut command, options);
    let output = run(&mut command, true)?;
    let refused = |message: String| BuildError::Manifest { manifest: manifest.clone(), message };
    if !output.status.success() {
        return Err(refused(text(&output.stderr)));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).map_err(|error| refused(error.to_string()))?;
    let Some(package) = metadata.packages.into_iter().find(|package| package.manifest_path == manifest) else {
        return Err(BuildError::Workspace(directory.into()));
    };
    let settings = package.metadata.unwrap_or_default().rustorium;
    let memory_pages = settings.and_then(|settings| settings.memory_pages).unwrap_or(MEMORY_PAGES);
    let is_library = |target: &MetadataTarget| target.kind.iter().any(|kind| kind.ends_with("lib"));
    let Some(library) = package.targets.into_iter().find(is_library) else {
        return Err(BuildError::NoLibrary(package.name));
    };
    Ok(Package {
        name: package.name,
        library: library.name.replace('-', "_"),
        manifest,
        memory_pages,
        workspace_root: metadata.workspace_root,
        target_directory: metadata.target_directory,
    })
}

/// Compiles the crate, and says where the compiler put the module.
pub(super) fn compile(
    package: &Package,
    compiler: &str,
    target_dir: &Path,
    options: &BuildOptions,
) -> Result<PathBuf, BuildError> {
    let mut command = cargo(&package.manifest);
    command
        .args(["rustc", "--lib", "--crate-type", "cdylib", "--target", TARGET, "--profile", "contract"])
        .arg("--manifest-path")
        .arg(&package.manifest)
        .arg("--target-dir")
        .arg(target_dir)
        .args(PROFILE.iter().flat_map(|setting| ["--config".to_owned(), format!("profile.contract.{setting}")]));
    add_network(&mut command, options);
    let memory_bytes = u64::from(package.memory_pages) * PAGE_BYTES;
    command.args(["--", "--cfg", "rustorium_export"]).arg(format!("-Clink-arg=--max-memory={memory_bytes}"));
    command.env("RUSTC", compiler).env("CARGO_ENCODED_RUSTFLAGS", flags(package, compiler, target_dir)?);
    let output = run(&mut command, options.quiet)?;
    if !output.status.success() {
        return Err(BuildError::Compile { package: package.name.clone(), message: text(&output.stderr) });
    }
    Ok(target_dir.join(TARGET).join("contract").join(&package.library).with_extension("wasm"))
}

/// Flags for the whole crate graph. Of two prefixes that match a path, the compiler takes the later.
fn flags(package: &Package, compiler: &str, target_dir: &Path) -> Result<OsString, BuildError> {
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .unwrap_or_default();
    let sources = sysroot(compiler)?.join("lib/rustlib/src/rust");
    let mut flags: Vec<OsString> = FLAGS.iter().chain(&LINKER).map(OsString::from).collect();
    for (path, name) in [
        (package.workspace_root.as_path(), "/contract"),
        (target_dir, "/target"),
        (cargo_home.as_path(), "/cargo"),
        (sources.as_path(), "/rust"),
    ] {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(path);
        flag.push("=");
        flag.push(name);
        flags.push(flag);
    }
    Ok(flags.join(std::ffi::OsStr::new("\x1f")))
}

fn sysroot(compiler: &str) -> Result<PathBuf, BuildError> {
    let output = Command::new(compiler)
        .args(["--print", "sysroot"])
        .output()
        .map_err(|source| BuildError::Program { program: "rustc", source })?;
    Ok(text(&output.stdout).into())
}

fn cargo(manifest: &Path) -> Command {
    let mut command = Command::new("cargo");
    if let Some(directory) = manifest.parent() {
        command.current_dir(directory);
    }
    for (name, _) in env::vars_os() {
        let foreign = name.to_str().is_some_and(|name| {
            FOREIGN_VARIABLES.contains(&name)
                || name.starts_with("CARGO_PROFILE_")
                || name.starts_with("CARGO_TARGET_WASM32_")
        });
        if foreign {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

fn add_network(command: &mut Command, options: &BuildOptions) {
    if options.locked {
        command.arg("--locked");
    }
    if options.offline {
        command.arg("--offline");
    }
}

/// Runs a command. Its stderr is passed on as it comes, or kept.
fn run(command: &mut Command, quiet: bool) -> Result<Output, BuildError> {
    command
        .stdout(Stdio::piped())
        .stderr(if quiet { Stdio::piped() } else { Stdio::inherit() })
        .output()
        .map_err(|source| BuildError::Program { program: "cargo", source })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().into()
}
