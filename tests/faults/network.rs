//! Four validators and a follower, each a process, who reach each other through a [`Proxy`] only.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, RwLock},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::proxy::Proxy;
use crate::{chain_client::ChainClient, dev_node::RUSTORIUM};

/// How many validators there are; they are the first nodes.
pub(crate) const VALIDATORS: usize = 4;
/// The node that follows.
pub(crate) const FOLLOWER: usize = 4;
/// Half-seconds that a test waits before it has failed: more than a slow machine ever takes.
const PATIENCE: u32 = 600;

/// A running network. Dropping it kills all.
pub(crate) struct Network {
    pub(crate) proxy: Proxy,
    /// Where each node answers now; nothing while it is down.
    pub(crate) addresses: Addresses,
    nodes: Vec<Node>,
    /// The first node's ready line.
    pub(crate) ready: Value,
    directory: TempDir,
}

/// Where each node answers now, for clients that live as long as the network.
pub(crate) type Addresses = Arc<RwLock<Vec<Option<String>>>>;

struct Node {
    home: PathBuf,
    process: Option<Child>,
}

impl Network {
    /// Founds and starts one.
    pub(crate) fn start(seed: u64) -> Self {
        let mut network = Self::found(seed);
        network.start_all();
        network
    }

    /// Makes the directories; nothing runs yet.
    pub(crate) fn found(seed: u64) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("passphrase"), "secret").expect("a file");
        let founded = rustorium(directory.path())
            .args(["init", "net", "--dev", "--validators", "4", "--followers", "1", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .status();
        assert!(founded.expect("the program runs").success());
        let names = (1..=VALIDATORS).map(|number| format!("validator-{number}")).chain(["follower-1".into()]);
        let homes: Vec<PathBuf> = names.map(|name| directory.path().join("net").join(name)).collect();
        let settings: Vec<String> =
            homes.iter().map(|home| fs::read_to_string(home.join("node.toml")).expect("settings")).collect();
        let listens: Vec<_> = settings.iter().map(|text| listen(text).parse().expect("an address")).collect();
        let proxy = Proxy::start(&listens, seed);
        for (number, (home, mut text)) in homes.iter().zip(settings).enumerate() {
            // Others are dialled at their doors, and told of this node's.
            for (other, address) in listens.iter().enumerate().filter(|(other, _)| *other != number) {
                text = text.replace(&format!("@{address}"), &format!("@{}", proxy.door(other)));
            }
            text.push_str(&format!("advertised = [\"{}\"]\n", proxy.door(number)));
            fs::write(home.join("node.toml"), text).expect("a file");
        }
        let addresses = Arc::new(RwLock::new(vec![None; homes.len()]));
        let nodes = homes.into_iter().map(|home| Node { home, process: None }).collect();
        Self { proxy, addresses, nodes, ready: Value::Null, directory }
    }

    fn start_all(&mut self) {
        // All at once: one that is alone is ready too, but why wait.
        let started: Vec<_> = (0..self.nodes.len()).map(|number| self.spawn(number, rustorium, &[])).collect();
        for (number, output) in started.into_iter().enumerate() {
            self.await_ready(number, output);
        }
    }

    /// Starts a node that is down.
    pub(crate) fn restart(&mut self, number: usize) {
        self.restart_by(number, rustorium, &[]);
    }

    /// Starts a node that refuses to, or ends by itself: what it logged and said.
    pub(crate) fn refuses(&mut self, number: usize) -> String {
        let before = self.log(number).len();
        let mut said = String::new();
        self.spawn(number, rustorium, &[]).read_to_string(&mut said).expect("text");
        let ended = self.ended(number);
        let log = self.log(number).split_off(before) + &said;
        assert!(!ended.success(), "{log}");
        log
    }

    /// The same with arguments, by a command that `start` is put behind.
    pub(crate) fn restart_by(&mut self, number: usize, command: impl Fn(&Path) -> Command, arguments: &[&str]) {
        let output = self.spawn(number, command, arguments);
        self.await_ready(number, output);
    }

    fn spawn(
        &mut self,
        number: usize,
        command: impl Fn(&Path) -> Command,
        arguments: &[&str],
    ) -> BufReader<ChildStdout> {
        let home = self.home(number);
        let log = fs::OpenOptions::new().create(true).append(true).open(home.with_extension("log")).expect("a file");
        let mut process = command(self.directory.path())
            .args(["-v", "start", "--output", "json", "--data-dir"])
            .arg(&home)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(process.stdout.take().expect("stdout is piped"));
        self.nodes[number].process = Some(process);
        output
    }

    fn await_ready(&mut self, number: usize, mut output: impl BufRead) {
        let mut line = String::new();
        output.read_line(&mut line).expect("the node says that it is ready");
        let ready: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("node {number}: {error}: {}", self.log(number)));
        let rest = ready["rest"].as_str().expect("the ready line names it").to_owned();
        self.addresses.write().expect("unpoisoned")[number] = Some(rest);
        if self.ready.is_null() {
            self.ready = ready;
        }
    }

    /// A node's directory.
    pub(crate) fn home(&self, number: usize) -> PathBuf {
        self.nodes[number].home.clone()
    }

    /// What a node has logged in all its lives.
    pub(crate) fn log(&self, number: usize) -> String {
        fs::read_to_string(self.home(number).with_extension("log")).unwrap_or_default()
    }

    /// A node's process id.
    pub(crate) fn id(&self, number: usize) -> u32 {
        self.nodes[number].process.as_ref().expect("it runs").id()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, number: usize) {
        let mut process = self.nodes[number].process.take().expect("it runs");
        self.addresses.write().expect("unpoisoned")[number] = None;
        process.kill().expect("it runs");
        process.wait().expect("it ends");
    }

    /// SIGTERM, and how it ended. Its clients find out for themselves.
    pub(crate) fn terminate(&mut self, number: usize) -> ExitStatus {
        let pid = self.id(number).to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        self.ended(number)
    }

    /// Waits until a node has ended.
    pub(crate) fn ended(&mut self, number: usize) -> ExitStatus {
        let mut process = self.nodes[number].process.take().expect("it runs");
        process.wait().expect("it ends")
    }

    /// A node's interface.
    pub(crate) fn client(&self, number: usize) -> ChainClient {
        ChainClient::new(&self.address(number))
    }

    /// Where a node answers.
    pub(crate) fn address(&self, number: usize) -> String {
        self.addresses.read().expect("unpoisoned")[number].clone().expect("it runs")
    }

    /// The height that a node has executed.
    pub(crate) async fn height(&self, number: usize) -> u64 {
        self.client(number).read("/v1/status").await["height"].as_u64().expect("a height")
    }

    /// Waits until a node has executed a height.
    pub(crate) async fn reaches(&self, number: usize, height: u64) {
        for _ in 0..PATIENCE {
            if self.height(number).await >= height {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let at = self.height(number).await;
        panic!("node {number} does not come from height {at} to {height}: {}", self.log(number));
    }

    /// Waits until a node is connected to so many others.
    pub(crate) async fn meets(&self, number: usize, others: usize) {
        for _ in 0..PATIENCE {
            let peers = self.client(number).read("/v1/peers").await;
            if peers["peers"].as_array().is_some_and(|peers| peers.len() >= others) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("node {number} does not meet {others} others: {}", self.log(number));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for process in self.nodes.iter_mut().filter_map(|node| node.process.as_mut()) {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let kept = std::env::temp_dir().join(format!("rustorium-faults-{}", std::process::id()));
            let _ = fs::create_dir_all(&kept);
            for number in 0..self.nodes.len() {
                let _ = fs::write(kept.join(format!("node-{number}.log")), self.log(number));
            }
            eprintln!("the nodes' logs are in {}", kept.display());
        }
    }
}

/// The program under test, with the passphrase of the directory's keys.
pub(crate) fn rustorium(directory: &Path) -> Command {
    with_passphrase(Command::new(RUSTORIUM), directory)
}

/// A command with the passphrase of the directory's keys.
pub(crate) fn with_passphrase(mut command: Command, directory: &Path) -> Command {
    command.env("RUSTORIUM_PASSPHRASE_FILE", directory.join("passphrase")).current_dir(directory);
    command
}

/// `listen` of the section `[network]`.
fn listen(settings: &str) -> String {
    let value: toml::Table = settings.parse().expect("TOML");
    value["network"]["listen"].as_str().expect("an address").to_owned()
}
