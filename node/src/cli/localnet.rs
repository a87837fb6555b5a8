//! `rustorium localnet`: a network on one machine, a process a node.

use std::{
    fs,
    io::{BufRead, BufReader, IsTerminal, Write, stdout},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use rustorium_types::code::Code;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, Output, context::PASSPHRASE_FILE, names::project_folder, output::table};
use crate::{
<<<<<<< HEAD
    dev::EPOCH_LENGTH,
    founding::{Founded, Founding, found, founded},
=======
    founding::{Founded, Founding, found, founded},
    genesis,
>>>>>>> next
};

const EXAMPLES: &str = "Examples:
  rustorium localnet                                     four validators
  rustorium localnet --validators 4 --followers 1
  rustorium localnet --broker 127.0.0.1:9092             transactions go through Redpanda or Kafka
  rustorium localnet --data-dir net --listen 127.0.0.1:0 --output json

A network that was stopped goes on when it is started in the same directory.";

/// For a node to say that it is ready.
const READY: Duration = Duration::from_secs(120);
/// For a node to stop.
const STOP: Duration = Duration::from_secs(10);
const LOG: &str = "node.log";
/// The variable of the setting `broker.bootstrap`.
const BROKERS: &str = "RUSTORIUM_BROKER_BOOTSTRAP";

/// Runs a network of this machine: a dev chain with several validators, each a process.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LocalnetArgs {
    /// How many validators.
    #[arg(long, value_name = "N", default_value_t = 4)]
    validators: u16,
    /// How many nodes that follow.
    #[arg(long, value_name = "N", default_value_t = 0)]
    followers: u16,
    /// Where the nodes' directories are [default: .rustorium/localnet of the project].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where the first node answers; each next one a port above, and port 0 takes free ones.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8645")]
    listen: SocketAddr,
    /// Brokers that have the chain's shared lanes: Redpanda, or Apache Kafka.
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',')]
    broker: Vec<String>,
    /// Shared lanes of a new network [default: 1 with a broker, else none].
    #[arg(long, value_name = "N")]
    shards: Option<u32>,
}

/// A node's process.
struct Running {
    name: String,
    child: Child,
    ready: Value,
}

/// The processes; none outlives this.
struct Processes(Vec<Running>);

pub(crate) fn run(args: LocalnetArgs, output: &Output) -> Result<(), CliError> {
    let directory = match &args.data_dir {
        Some(directory) => directory.clone(),
        None => project_folder(&std::env::current_dir()?).join("localnet"),
    };
    let passphrase = directory.join("passphrase");
    let nodes = prepare(&args, &directory, &passphrase)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let progress = output.progress(format!("starting {} nodes", nodes.len()));
        let mut processes = Processes::start(&nodes, &passphrase, &args.broker)?;
        drop(progress);
        announce(&processes, &directory, output);
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                () = tokio::time::sleep(Duration::from_millis(200)) => processes.mourn(&directory, output),
            }
        }
        processes.stop();
        Ok(())
    })
}

/// The nodes of a directory; a new one gets them.
fn prepare(args: &LocalnetArgs, directory: &Path, passphrase: &Path) -> Result<Vec<Founded>, CliError> {
    let usage = |error: crate::founding::FoundingError| CliError::usage(error.to_string());
    if passphrase.exists() {
        let nodes = founded(directory).map_err(usage)?;
        let validators = nodes.iter().filter(|node| node.name.starts_with("validator-")).count();
        if (validators, nodes.len() - validators) != (args.validators.into(), args.followers.into()) {
            return Err(CliError::usage(format!(
                "{} holds a network of {validators} validators and {} followers: say so, or choose another --data-dir",
                directory.display(),
                nodes.len() - validators
            )));
        }
        let shards = genesis::load(directory).ok().flatten().map_or(0, |genesis| genesis.shards);
        if args.shards.is_some_and(|wanted| wanted != shards) || (shards == 0 && !args.broker.is_empty()) {
            return Err(CliError::usage(format!(
                "{} holds a network with {shards} shared lanes, and its genesis fixes that: choose another --data-dir \
                 for another number",
                directory.display()
            )));
        }
        return Ok(nodes);
    }
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).map_err(|error| CliError::new(Code::Internal, error.to_string()))?;
    let secret = hex::encode(secret);
    let founding = Founding {
        directory: directory.to_owned(),
        validators: args.validators,
        followers: args.followers,
        listen: args.listen,
        chain_id: "rustorium-localnet".into(),
        shards: args.shards.unwrap_or_else(|| u32::from(!args.broker.is_empty())),
        brokers: args.broker.clone(),
        dev: true,
        balances: Vec::new(),
        epoch_length: EPOCH_LENGTH,
    };
    let nodes = found(&founding, &secret).map_err(usage)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(passphrase)?;
    file.write_all(secret.as_bytes())?;
    Ok(nodes)
}

impl Processes {
    /// Starts all, and waits until each is ready.
    fn start(nodes: &[Founded], passphrase: &Path, brokers: &[String]) -> Result<Self, CliError> {
        let binary = std::env::current_exe()?;
        let mut processes = Self(Vec::new());
        let mut lines = Vec::new();
        for node in nodes {
            let log = fs::OpenOptions::new().create(true).append(true).open(node.directory.join(LOG))?;
            let mut command = Command::new(&binary);
            if !brokers.is_empty() {
                // The directories' settings name those that the network was founded with.
                command.env(BROKERS, brokers.join(","));
            }
            let mut child = command
                .args(["--output", "json", "start", "--data-dir"])
                .arg(&node.directory)
                .env(PASSPHRASE_FILE, passphrase)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(log)
                .spawn()?;
            let (to, line) = mpsc::channel();
            if let Some(stdout) = child.stdout.take() {
                thread::spawn(move || {
                    let mut line = String::new();
                    let _ = BufReader::new(stdout).read_line(&mut line);
                    let _ = to.send(line);
                });
            }
            processes.0.push(Running { name: node.name.clone(), child, ready: Value::Null });
            lines.push(line);
        }
        let deadline = Instant::now() + READY;
        for ((running, line), node) in processes.0.iter_mut().zip(lines).zip(nodes) {
            let line = line.recv_timeout(deadline.saturating_duration_since(Instant::now())).unwrap_or_default();
            running.ready = serde_json::from_str(&line).map_err(|_| {
                let log = node.directory.join(LOG);
                CliError::new(Code::Internal, format!("{} did not start: see {}", running.name, log.display()))
            })?;
        }
        Ok(processes)
    }

    /// Says which have ended by themselves, once each.
    fn mourn(&mut self, directory: &Path, output: &Output) {
        self.0.retain_mut(|running| match running.child.try_wait() {
            Ok(Some(status)) => {
                let log = directory.join(&running.name).join(LOG);
                output.warn(format!("{} has ended ({status}): see {}", running.name, log.display()));
                false
            }
            _ => true,
        });
    }

    /// Tells all to stop, and waits until they have.
    fn stop(&mut self) {
        for running in &self.0 {
            if let Ok(pid) = i32::try_from(running.child.id())
                && let Some(pid) = Pid::from_raw(pid)
            {
                // It may have ended.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline && self.0.iter_mut().any(|running| matches!(running.child.try_wait(), Ok(None)))
        {
            thread::sleep(Duration::from_millis(20));
        }
        for running in &mut self.0 {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
        self.0.clear();
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The first node's ready line, and the list of all.
fn announce(processes: &Processes, directory: &Path, output: &Output) {
    let nodes: Vec<Value> = processes
        .0
        .iter()
        .map(|running| {
            json!({
                "name": running.name,
                "pid": running.child.id(),
                "rest": running.ready["rest"],
                "metrics": running.ready["metrics"],
            })
        })
        .collect();
    let mut ready = processes.0.first().map(|running| running.ready.clone()).unwrap_or_default();
    ready["nodes"] = Value::Array(nodes);
    if output.json || !stdout().is_terminal() {
        output.data(&ready);
    }
    if output.is_terminal() && !output.json {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rows = processes
            .0
            .iter()
            .map(|running| [running.name.clone(), running.child.id().to_string(), text(&running.ready["rest"])]);
        output.note(format!(
            "A network of this machine, kept in {}\n\n  chain      {}\n\n{}\n\nEverybody knows the keys of its accounts \
             (alice, bob, …). Ctrl-C stops it; what was accepted is kept.",
            directory.display(),
            text(&ready["genesisHash"]),
            table(["NODE", "PID", "REST"], rows),
        ));
    }
}
