//! Real brokers, one cluster of each size, shared by all tests.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Brokers that run.
pub(crate) struct Cluster {
    directory: PathBuf,
    /// The open listeners.
    pub(crate) open: Vec<String>,
    /// Those that ask for a name and a password, over TLS.
    pub(crate) secure: Vec<String>,
}

static ONE: OnceLock<RwLock<Cluster>> = OnceLock::new();
static THREE: OnceLock<RwLock<Cluster>> = OnceLock::new();

/// One broker, which stays up.
pub(crate) fn one() -> RwLockReadGuard<'static, Cluster> {
    ONE.get_or_init(|| RwLock::new(Cluster::start(1))).read().unwrap_or_else(PoisonError::into_inner)
}

/// One broker, to be restarted: no other test uses it meanwhile.
pub(crate) fn one_to_myself() -> RwLockWriteGuard<'static, Cluster> {
    ONE.get_or_init(|| RwLock::new(Cluster::start(1))).write().unwrap_or_else(PoisonError::into_inner)
}

/// Three brokers, to be killed.
pub(crate) fn three_to_myself() -> RwLockWriteGuard<'static, Cluster> {
    THREE.get_or_init(|| RwLock::new(Cluster::start(3))).write().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    fn start(brokers: u32) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("broker-{brokers}"));
        let process = std::process::id().to_string();
        let printed = script(&["start", path(&directory), &brokers.to_string(), &process]);
        let mut lists = printed.lines().map(|list| list.split(',').map(str::to_owned).collect());
        Self { directory, open: lists.next().unwrap(), secure: lists.next().unwrap() }
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
    directory.to_str().unwrap()
}

fn script(arguments: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/setup/broker.sh");
    let output = Command::new(script).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "broker.sh {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
