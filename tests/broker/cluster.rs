//! Real brokers, started by `tests/setup/broker.sh`, for the tests of any crate.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Brokers that run.
pub(crate) struct Cluster {
    directory: PathBuf,
    /// The open listeners.
    pub(crate) open: Vec<String>,
    /// Those that ask for a name and a password, over TLS.
    pub(crate) secure: Vec<String>,
}

impl Cluster {
    /// So many new brokers, under a name that no other test of this program uses. They end with this process.
    pub(crate) fn start(name: &str, brokers: u32) -> Self {
        let name = format!("{}-{name}", env!("CARGO_CRATE_NAME"));
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let process = std::process::id().to_string();
        let printed = script(&["start", path(&directory), &brokers.to_string(), &process]);
        let mut lists = printed.lines().map(|list| list.split(',').map(str::to_owned).collect());
        Self {
            directory,
            open: lists.next().expect("as the script has it"),
            secure: lists.next().expect("as the script has it"),
        }
    }

    /// A file of the cluster's directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Gives the user `node` of the secured listeners its rights over topics that begin with `node-`, and lets it see
    /// those with `seen-`.
    pub(crate) fn grant(&self) {
        script(&["grant", path(&self.directory)]);
    }

    /// Ends a broker, from 1, and returns once it is gone.
    pub(crate) fn stop(&self, broker: u32, signal: &str) {
        script(&["stop", path(&self.directory), &broker.to_string(), signal]);
    }

    /// Starts it again, and returns once it answers.
    pub(crate) fn restart(&self, broker: u32) {
        script(&["restart", path(&self.directory), &broker.to_string()]);
    }
}

fn path(directory: &Path) -> &str {
    directory.to_str().expect("as the script has it")
}

fn script(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("tests/setup/broker.sh"));
    let script = script.into_iter().find(|script| script.exists()).expect("the script is in the repository");
    let output = Command::new(script).args(arguments).output().expect("as the script has it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "broker.sh {arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("as the script has it")
}
