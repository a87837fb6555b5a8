//! The compiler that has the WebAssembly target: what `sdk/wasm-target.sh` finds or makes.
//!
//! The script is the one place that knows how, and is part of this binary: a machine that has only the binary
//! and a Rust toolchain builds contracts too. When all is there it answers in a fraction of a second.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use super::BuildError;

/// The target that contracts are built for.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Features of WebAssembly that chains accept. The sysroot of `wasm-target.sh` has the same.
pub(super) const FLAGS: [&str; 2] = ["-Ctarget-cpu=mvp", "-Ctarget-feature=+bulk-memory,+sign-ext,+mutable-globals"];

const SCRIPT: &str = include_str!("../../../sdk/wasm-target.sh");

/// What to set `RUSTC` to. The first call on a machine may take minutes, and says so on stderr.
///
/// `directory` is the crate's: rustup chooses the toolchain by it.
pub(super) fn compiler(directory: &Path, quiet: bool) -> Result<String, BuildError> {
    let output = Command::new("bash")
        .args(["-c", SCRIPT, "wasm-target"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stderr(if quiet { Stdio::piped() } else { Stdio::inherit() })
        .stdout(Stdio::piped())
        .output()
        .map_err(|source| BuildError::Program { program: "bash", source })?;
    if !output.status.success() {
        return Err(BuildError::Target(String::from_utf8_lossy(&output.stderr).trim_end().into()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_and_contract_share_their_features() {
        let line = format!("flags=\"{}\"", FLAGS.join(" "));
        assert!(SCRIPT.contains(&line), "sdk/wasm-target.sh builds the library with other flags");
    }
}
