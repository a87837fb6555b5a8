//! The README's golden path, run from the README's own text so that it cannot rot.

use std::{
    env,
    ffi::OsString,
    fs,
    io::Read,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use crate::dev_node::RUSTORIUM;

/// The block behind the marker, as it stands.
fn golden_path() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).expect("the README");
    let (_, marked) = readme.split_once("<!-- golden path").expect("the marker");
    let (_, block) = marked.split_once("```sh\n").expect("a block behind it");
    let (block, _) = block.split_once("```").expect("which ends");
    block.into()
}

/// A REST port whose neighbour for metrics (1,000 above) is free as well.
fn free_port() -> u16 {
    loop {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = taken.local_addr().expect("an address").port();
        if let Some(metrics) = port.checked_add(1_000)
            && TcpListener::bind(("127.0.0.1", metrics)).is_ok()
        {
            return port;
        }
    }
}

fn path_with_rustorium() -> OsString {
    let binaries = Path::new(RUSTORIUM).parent().expect("it is in a folder").to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths([binaries].into_iter().chain(env::split_paths(&path))).expect("a path")
}

/// Whatever happens, the node must not outlive the script: the test reads until its output is closed.
const PROLOGUE: &str = "set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n";
/// Waits for the follower, the last background job, and ends the node, the first one.
const EPILOGUE: &str = "\nwait $!\nkill %1\nwait %1\necho \"the node ended with $?\"\n";

#[test]
fn the_readme_works_verbatim() {
    let path = golden_path();
    let commands: Vec<&str> = path.lines().filter(|line| line.starts_with("rustorium ")).collect();
    assert!(commands.len() <= 7, "seven commands at the most: {commands:?}");

    let folder = tempfile::tempdir().expect("a temporary directory");
    let port = free_port();
    let mut shell = Command::new("bash")
        .args(["-c", &format!("{PROLOGUE}{path}{EPILOGUE}")])
        .current_dir(folder.path())
        .env("PATH", path_with_rustorium())
        .env("RUSTORIUM_LISTEN", format!("127.0.0.1:{port}"))
        .env("RUSTORIUM_NODE", format!("http://127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash runs");
    let mut said = String::new();
    shell.stdout.take().expect("stdout is piped").read_to_string(&mut said).expect("text");
    assert!(shell.wait().expect("it ends").success(), "{said}");
    assert!(said.contains("Transfer"), "the event arrived: {said}");
    assert!(said.contains("verified"), "the read is verified: {said}");
    assert!(said.contains("the node ended with 0"), "{said}");
}
