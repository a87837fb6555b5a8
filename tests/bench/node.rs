//! The node that is measured: the real binary, in a process and a directory of its own, with durability on.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustorium_client::{Client, Signer};
use rustorium_node::builder::{self, BuildOptions};
use tempfile::TempDir;

use crate::dev_node::DevNode;

/// A node, and who pays on its chain.
pub(crate) struct Node {
    process: DevNode,
    pub(crate) client: Client,
    pub(crate) payer: Signer,
    /// From the start of the process until its first answer.
    pub(crate) first_answer: Duration,
}

impl Node {
    /// On a directory, a new chain or the one that is there.
    pub(crate) async fn start(directory: &Path) -> anyhow::Result<Self> {
        let started = Instant::now();
        let process = DevNode::start_in(directory, &[]);
        let client = Client::new(process.rest())?;
        client.status().await?;
        let first_answer = started.elapsed();
        let secret = process.ready["accounts"][0]["secretKey"].as_str().context("dev keys are public")?;
        let (payer, _) = Signer::from_hex(secret).context("a secret key")?;
        Ok(Self { process, client, payer, first_answer })
    }

    /// On a new directory, which goes with the second.
    pub(crate) async fn fresh() -> anyhow::Result<(Self, TempDir)> {
        let directory = tempfile::tempdir()?;
        Ok((Self::start(directory.path()).await?, directory))
    }

    /// Bytes of memory that are resident.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS in /proc")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kib << 10)
    }

    /// SIGTERM, and wait.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        let status = self.process.terminate();
        anyhow::ensure!(status.success(), "the node ended with {status}");
        Ok(())
    }
}

/// The module of the standard token, built as `rustorium build` does.
pub(crate) fn token() -> anyhow::Result<Vec<u8>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("node/ is in the repository")?;
    let options = BuildOptions {
        locked: true,
        quiet: true,
        target_dir: Some(repository.join("target/guests")),
        ..BuildOptions::default()
    };
    Ok(builder::build(&repository.join("contracts/token"), &options)?.bytes)
}
