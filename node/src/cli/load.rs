//! `rustorium load`: how much a node carries.

use std::{
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use super::{CliError, Context};
use crate::{
    builder::{self, BuildOptions},
    load::{self, LoadError, LoadOptions, LoadReport},
    project::{self, Template},
};

/// Sends pre-signed token transfers through the public API and says how many a second were executed.
///
/// The clock starts at the first submission and stops when the last receipt is readable; then every receipt is read and
/// every balance checked. The token is a new contract, and the senders are new accounts that `--from` funds.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  rustorium load --transfers 20_000\n  rustorium load --transfers 3_000 --connections 1 --batch 1 --under-way 1\n  rustorium load --transfers 10_000 --rate 1_000 --batch 1"
)]
pub(crate) struct LoadArgs {
    /// Transfers in all.
    #[arg(long, value_parser = count)]
    transfers: usize,
    /// Connections that submit at the same time.
    #[arg(long, default_value = "8", value_parser = count)]
    connections: usize,
    /// Transfers of one submission.
    #[arg(long, default_value = "50", value_parser = count)]
    batch: usize,
    /// Submissions of one connection that may wait for execution before it submits on; 1 waits for each. Not with a
    /// rate.
    #[arg(long, default_value = "32", value_parser = count)]
    under_way: usize,
    /// Transfers a second, whether or not the node keeps up; without it, as fast as answers come.
    #[arg(long, value_parser = count)]
    rate: Option<usize>,
    /// Accounts that send.
    #[arg(long, default_value = "100", value_parser = count)]
    senders: usize,
    /// Accounts that receive.
    #[arg(long, default_value = "10000", value_parser = count)]
    recipients: usize,
}

fn count(text: &str) -> Result<usize, String> {
    match text.replace('_', "").parse() {
        Ok(0) => Err("at least 1".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("a whole number".into()),
    }
}

pub(crate) async fn run(args: LoadArgs, context: &Context) -> Result<(), CliError> {
    let payer = context.signer().await?;
    let token = {
        let _progress = context.output.progress("building the standard token");
        tokio::task::spawn_blocking(standard_token).await??
    };
    let LoadArgs { transfers, connections, batch, under_way, rate, senders, recipients } = args;
    let rate = rate.map(|rate| rate as f64);
    let options = LoadOptions { transfers, connections, batch, under_way, rate, senders, recipients };
    let progress = context.output.progress("starting");
    let report = load::run(&context.client, &payer, token, options, |step| progress.say(step)).await;
    drop(progress);
    let report = report.map_err(refused)?;
    context.output.show(&report, || text(&report));
    Ok(())
}

fn refused(error: LoadError) -> CliError {
    match error {
        LoadError::Client(error) => error.into(),
        LoadError::Zero(_) | LoadError::Senders { .. } => CliError::usage(error.to_string()),
        other => other.into(),
    }
}

fn text(report: &LoadReport) -> String {
    let LoadReport { executed, failed, seconds, per_second, latency_ms, first_failure, .. } = report;
    let why = first_failure.as_ref().map(|why| format!(", the first by {why}")).unwrap_or_default();
    format!(
        "{executed} transfers in {seconds:.2} s: {per_second:.0} a second, {failed} failed{why}\n\
         latency: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        latency_ms.p50, latency_ms.p99, latency_ms.max
    )
}

/// The module of the standard token, built from the sources in this binary; kept for the next time.
fn standard_token() -> Result<Vec<u8>, CliError> {
    let folder = cache_folder().join("load");
    let stamp_file = folder.join("stamp");
    let stamp = binary_stamp()?;
    let token = folder.join("token");
    if fs::read_to_string(&stamp_file).ok().as_deref() != Some(&stamp) {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        project::create(&token, Template::Token)?;
        fs::write(&stamp_file, stamp)?;
    }
    let options = BuildOptions { quiet: true, target_dir: Some(folder.join("target")), ..BuildOptions::default() };
    Ok(builder::build(&token, &options)?.bytes)
}

fn cache_folder() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|path| Path::new(path).is_absolute()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from).join(".cache");
    cache.unwrap_or_else(home).join("rustorium")
}

/// Another binary may carry other sources.
fn binary_stamp() -> std::io::Result<String> {
    let binary = fs::metadata(std::env::current_exe()?)?;
    let modified = binary.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{} {}", binary.len(), modified.as_nanos()))
}
