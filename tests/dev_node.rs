//! A `rustorium dev` process of a test's own: free ports, a directory that goes away, killed with the test.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub(crate) const RUSTORIUM: &str = env!("CARGO_BIN_EXE_rustorium");

/// A running node.
pub(crate) struct DevNode {
    process: Child,
    /// The ready line.
    pub(crate) ready: Value,
    /// Kept so that the directory lives as long as the node that made it.
    directory: Option<TempDir>,
}

impl DevNode {
    /// A new chain in a new directory.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut node = Self::start_in(&directory.path().join("data"), &[]);
        node.directory = Some(directory);
        node
    }

    /// A new chain with these settings, in TOML. What it logs is kept: [`DevNode::log`].
    pub(crate) fn configured(settings: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("node.toml"), settings).expect("a file");
        let log = std::fs::File::create(path("log")).expect("a file");
        let settings = path("node.toml").display().to_string();
        let mut node = Self::spawn(&mut Command::new(RUSTORIUM), &path("data"), &["--config", &settings], log.into());
        node.directory = Some(directory);
        node
    }

    /// On this directory, a new chain or the one that is there.
    pub(crate) fn start_in(data_dir: &Path, options: &[&str]) -> Self {
        Self::spawn(&mut Command::new(RUSTORIUM), data_dir, options, Stdio::inherit())
    }

    /// The same, started by a command that takes a node's arguments.
    pub(crate) fn start_by(command: &mut Command, data_dir: &Path, options: &[&str]) -> Self {
        Self::spawn(command, data_dir, options, Stdio::inherit())
    }

    fn spawn(command: &mut Command, data_dir: &Path, options: &[&str], log: Stdio) -> Self {
        let mut process = command
            .args(["dev", "--listen", "127.0.0.1:0", "--output", "json", "--data-dir"])
            .arg(data_dir)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let output = process.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("the node says that it is ready");
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("no ready line: {error}: {line}"));
        assert_eq!(ready["event"], "ready", "{ready}");
        Self { process, ready, directory: None }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where REST answers.
    pub(crate) fn rest(&self) -> &str {
        self.ready["rest"].as_str().expect("the ready line names it")
    }

    /// Host and port of REST.
    pub(crate) fn address(&self) -> &str {
        self.rest().trim_start_matches("http://")
    }

    /// Lines that a [configured](DevNode::configured) node has logged.
    pub(crate) fn log(&self) -> String {
        let directory = self.directory.as_ref().expect("a configured node");
        std::fs::read_to_string(directory.path().join("log")).expect("the log")
    }

    /// Bytes of the process in memory.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes << 10
    }

    /// The genesis hash.
    pub(crate) fn genesis_hash(&self) -> &str {
        self.ready["genesisHash"].as_str().expect("the ready line names it")
    }

    /// kill -9, and wait until it is gone.
    pub(crate) fn kill(mut self) -> Option<TempDir> {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
        self.directory.take()
    }

    /// SIGTERM, how it ended, and what it logged.
    pub(crate) fn terminate_with_log(mut self) -> (ExitStatus, String) {
        let ended = self.stop();
        (ended, self.log())
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.stop()
    }

    fn stop(&mut self) -> ExitStatus {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        self.process.wait().expect("it ends")
    }
}

impl Drop for DevNode {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A person's shell: a project folder, and the node that commands go to.
pub(crate) struct Shell {
    directory: TempDir,
    node: String,
}

impl Shell {
    /// In an empty folder.
    pub(crate) fn new(node: &str) -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory"), node: node.into() }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> PathBuf {
        self.directory.path().into()
    }

    /// Runs `rustorium` with these arguments and JSON output.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_at(&self.node, arguments)
    }

    /// The same against another node.
    pub(crate) fn run_at(&self, node: &str, arguments: &[&str]) -> Output {
        Command::new(RUSTORIUM)
            .args(arguments)
            .args(["--node", node, "--output", "json"])
            .current_dir(self.directory.path())
            .env_remove("RUSTORIUM_NODE")
            .env_remove("RUSTORIUM_FROM")
            .stdin(Stdio::null())
            .output()
            .expect("the program runs")
    }

    /// Runs it, expects success, and answers its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} failed: {text}{errors}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }
}
