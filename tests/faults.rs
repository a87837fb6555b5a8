//! What networks do to four validators and a follower: real processes, real sockets, a proxy that cuts, loses and delays
//! between them, and a light client that follows the chain's heads through all of it.
//!
//! What is short runs with all tests. `make faults` runs the rest, one after the other, and prints what
//! docs/operations/faults.md says of it.

mod light;
mod load;
mod network;
mod proxy;

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use serde_json::{Value, json};

use self::{
    light::Follower,
    load::{Load, Outcome, RECEIVER},
    network::{FOLLOWER, Network, VALIDATORS, rustorium, with_passphrase},
};
use crate::{
    chain_client::{account_of, hex_text},
    dev_node::RUSTORIUM,
    payer::Payer,
};

/// What a fault was, and what was seen, for who reads the test's output.
fn report(what: &str, seen: &str) {
    println!("{what}: {seen}");
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}

/// A transfer through a node, executed.
async fn pay(network: &Network, number: usize) {
    let to = account_of(&network.ready, RECEIVER).address;
    let from = account_of(&network.ready, "dave");
    let status = network.client(number).send(&from, json!([{"transfer": {"to": to, "amount": "1"}}])).await;
    assert_eq!(status["type"], "Success", "{status}");
}

/// Everything that was accepted is executed, as all nodes say.
async fn settled(network: &Network, outcome: &Outcome) {
    let mut newest = 0;
    for number in 0..VALIDATORS {
        newest = newest.max(network.height(number).await);
    }
    for number in 0..=FOLLOWER {
        network.reaches(number, newest).await;
    }
    for hash in &outcome.accepted {
        let mut heights = Vec::new();
        for number in [0, VALIDATORS - 1, FOLLOWER] {
            heights.push(executed(network, number, hash).await);
        }
        assert!(heights.windows(2).all(|pair| pair[0] == pair[1]), "{hash} at {heights:?}");
    }
}

/// Where a node executed a transaction, once it has.
async fn executed(network: &Network, number: usize, hash: &str) -> Value {
    for _ in 0..600 {
        let (_, answer) = network.client(number).get(&format!("/v1/transactions/{hash}")).await;
        if answer["status"]["type"] == "Success" {
            return answer["status"]["receipt"]["height"].clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{hash} was accepted, and node {number} does not execute it");
}

/// One validator is cut off while clients submit: three go on, the one stops, and all is one chain afterwards.
async fn cut_off(lasts: Duration) {
    let network = Network::start(1);
    let light = Follower::start(&network);
    for number in 0..=FOLLOWER {
        network.meets(number, VALIDATORS - 1).await;
    }
    pay(&network, 3).await;
    let payer = Payer::of(&network.ready, "erin", RECEIVER);
    let client = network.client(3);
    let submitted = |wait: &'static str| {
        let (hash, transaction) = payer.transfer();
        let path = format!("/v1/transactions?wait={wait}&timeout=60");
        let client = network.client(3);
        async move { (hash, client.post(&path, &transaction).await) }
    };
    // Accepted by it before it is cut off: it need not be executed yet.
    let (early, (status, answer)) = submitted("accepted").await;
    assert!(status.is_success(), "{answer}");
    network.proxy.cut(3);
    let cut = Instant::now();
    let late = tokio::spawn(submitted("executed"));

    let start = network.height(0).await;
    pay(&network, 0).await;
    pay(&network, 1).await;
    light.reaches(start + 2).await;
    // What was final elsewhere may still have been on its way.
    let stopped = network.height(3).await;
    tokio::time::sleep(lasts.saturating_sub(cut.elapsed())).await;
    let ahead = network.height(0).await;
    assert!(network.height(3).await <= stopped.max(start), "one of four decides nothing");
    assert!(ahead > start, "three of four go on");
    let (status, answer) = client.get("/v1/status").await;
    assert!(status.is_success(), "reads go on: {answer}");

    let mended = Instant::now();
    network.proxy.mend();
    network.reaches(3, ahead).await;
    let caught_up = seconds(mended);
    let (late, (status, answer)) = late.await.expect("the client is answered");
    // Whoever waits for less long than the cut lasts is told so, and its transaction is executed all the same.
    assert!(status.is_success() || answer["code"] == "REQUEST_TIMEOUT", "{answer}");
    pay(&network, 3).await;
    let accepted = vec![early, late];
    settled(&network, &Outcome { accepted, redirected: 0, failures: Default::default() }).await;
    let seen = light.stop().await;
    report(
        &format!("partition of one for {} s", lasts.as_secs()),
        &format!(
            "the others made blocks {start} to {ahead}, it stood at {stopped}; caught up {caught_up} after the cut was \
             mended; light client: {seen:?}"
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_is_cut_off_catches_up_and_its_transactions_are_executed() {
    cut_off(Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute: make faults"]
async fn long_a_partition_of_half_a_minute() {
    cut_off(Duration::from_secs(30)).await;
}

/// All validators are stopped and started again, one after the other, while clients submit.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_submission() {
    let mut network = Network::start(2);
    for number in 0..=FOLLOWER {
        network.meets(number, VALIDATORS - 1).await;
    }
    let (light, load) = (Follower::start(&network), Load::start(&network));
    load.more(20).await;
    let mut pauses = Vec::new();
    for number in 0..VALIDATORS {
        let stopped = Instant::now();
        // In a thread of its own, so that the clients go on.
        let ended = tokio::task::block_in_place(|| network.terminate(number));
        assert!(ended.success(), "{ended}: {}", network.log(number));
        tokio::task::block_in_place(|| network.restart(number));
        // The next one only once this one takes part again.
        network.meets(number, VALIDATORS - 1).await;
        let newest = network.height((number + 1) % VALIDATORS).await;
        network.reaches(number, newest).await;
        pauses.push(seconds(stopped));
        load.more(20).await;
    }
    let outcome = load.stop().await;
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    settled(&network, &outcome).await;
    let seen = light.stop().await;
    report(
        "rolling restart under load",
        &format!(
            "{} accepted, none failed, {} tries met a port that refused; each back after {pauses:?}; light client: \
             {seen:?}",
            outcome.accepted.len(),
            outcome.redirected
        ),
    );
}

/// Mounts a small disk, puts a node's directory and ballast on it, and becomes the node.
const SMALL_DISK: &str = r#"
mount -t tmpfs -o size=40m tmpfs "$1" && cp -a "$2/." "$1" && head -c 12000000 /dev/zero >"$1/ballast" &&
shift 2 && exec "$@""#;

/// One validator's disk is full: it refuses, the others go on, and so does it once there is room.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_one_validator_stops_nobody_else() {
    let probe = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system gives no mount namespaces");
        return;
    }
    let mut network = Network::start(3);
    let light = Follower::start(&network);
    pay(&network, 3).await;
    let ended = tokio::task::block_in_place(|| network.terminate(3));
    assert!(ended.success(), "{ended}");
    let home = network.home(3);
    let copy = home.with_extension("copy");
    fs::rename(&home, &copy).expect("renamed");
    fs::create_dir(&home).expect("a directory");
    tokio::task::block_in_place(|| {
        network.restart_by(
            3,
            |directory| {
                let mut command = with_passphrase(Command::new("unshare"), directory);
                command.args(["--user", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK, "sh"]);
                command.arg(&home).arg(&copy).arg(RUSTORIUM);
                command
            },
            &[],
        );
    });
    let inside = Path::new(&format!("/proc/{}/root", network.id(3))).join(home.strip_prefix("/").expect("absolute"));
    network.meets(3, VALIDATORS - 1).await;
    pay(&network, 3).await;

    let mut filler = fs::File::create(inside.join("filler")).expect("a file");
    while std::io::Write::write_all(&mut filler, &[1; 64 << 10]).is_ok() {}
    // A file that is open keeps its room when it is removed.
    drop(filler);
    // No module, and large: the log's file is full after some of them, whoever was asked.
    let junk = json!([{"storeCode": hex_text(&[7; 900_000])}]);
    let carol = account_of(&network.ready, "carol");
    let mut large = 0;
    let refused = loop {
        let signed = network.client(3).sign(&carol, json!({"messages": junk, "gasLimit": 90_000_000})).await;
        let (status, answer) = network.client(3).post("/v1/transactions?wait=accepted", &signed).await;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            break answer;
        }
        assert!(status.is_success(), "{answer}");
        large += 1;
        assert!(large < 24, "more than a segment was accepted");
    };
    assert_eq!(refused["code"], "LOG_UNAVAILABLE", "{refused}");
    let start = network.height(0).await;
    pay(&network, 0).await;
    pay(&network, 1).await;
    pay(&network, FOLLOWER).await;
    light.reaches(start + 1).await;
    let (status, answer) = network.client(3).get("/v1/status").await;
    assert!(status.is_success(), "reads go on: {answer}");

    fs::remove_file(inside.join("filler")).expect("is there");
    fs::remove_file(inside.join("ballast")).expect("is there");
    let room = Instant::now();
    let ahead = network.height(0).await;
    network.reaches(3, ahead).await;
    let caught_up = seconds(room);
    pay(&network, 3).await;
    let newest = network.height(3).await;
    light.reaches(newest.saturating_sub(1)).await;
    let seen = light.stop().await;
    report(
        "disk full on one validator",
        &format!(
            "LOG_UNAVAILABLE after {large} large transactions; the others went on from {start} to {ahead}; caught up \
             {caught_up} after there was room; light client: {seen:?}"
        ),
    );
}

/// One datagram in ten is lost and each takes 100 ms.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "about a minute: make faults"]
async fn long_losses_and_delays_cost_time_only() {
    let network = Network::start(4);
    for number in 0..=FOLLOWER {
        network.meets(number, VALIDATORS - 1).await;
    }
    let light = Follower::start(&network);
    let payments = |count: usize| {
        let network = &network;
        async move {
            let mut times = Vec::new();
            for turn in 0..count {
                let begun = Instant::now();
                pay(network, turn % (FOLLOWER + 1)).await;
                times.push(begun.elapsed());
            }
            times.sort_unstable();
            (times[count / 2], times[count - 1])
        }
    };
    let good = payments(20).await;
    network.proxy.weather(|weather| {
        weather.loss_percent = 10;
        weather.delay = Duration::from_millis(100);
    });
    let before = network.proxy.counts();
    let (start, begun) = (network.height(0).await, Instant::now());
    let bad = payments(40).await;
    let blocks = network.height(0).await - start;
    let load = Load::start(&network);
    load.more(200).await;
    let took = begun.elapsed();
    let counts = network.proxy.counts();
    let outcome = load.stop().await;
    network.proxy.weather(|weather| *weather = Default::default());
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    settled(&network, &outcome).await;
    let seen = light.stop().await;
    report(
        "10 % loss, 100 ms delay",
        &format!(
            "submitted to executed: median {:?}, worst {:?} (without: {:?}, {:?}); {blocks} blocks for 40 transfers, \
             one after the other; {} of {} datagrams lost in {took:?}; light client: {seen:?}",
            bad.0,
            bad.1,
            good.0,
            good.1,
            counts.lost - before.lost,
            counts.lost + counts.forwarded - before.lost - before.forwarded,
        ),
    );
}

/// kill -9 under load, again and again, of one validator after the other.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "about a minute: make faults"]
async fn long_kill_9_under_load() {
    let mut network = Network::start(5);
    for number in 0..=FOLLOWER {
        network.meets(number, VALIDATORS - 1).await;
    }
    let (light, load) = (Follower::start(&network), Load::start(&network));
    load.more(50).await;
    let (mut ready, mut caught_up, mut stalls) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..8 {
        let number = turn % VALIDATORS;
        let other = (number + 1) % VALIDATORS;
        let (before, killed) = (network.height(other).await, Instant::now());
        network.kill(number);
        network.reaches(other, before + 2).await;
        stalls.push(seconds(killed));
        load.more(50).await;
        let begun = Instant::now();
        tokio::task::block_in_place(|| network.restart(number));
        ready.push(seconds(begun));
        let ahead = network.height(other).await;
        network.reaches(number, ahead).await;
        caught_up.push(seconds(begun));
        network.meets(number, VALIDATORS - 1).await;
        load.more(50).await;
    }
    let outcome = load.stop().await;
    settled(&network, &outcome).await;
    let seen = light.stop().await;
    report(
        "kill -9 of one under load, eight times",
        &format!(
            "the others' next two blocks after {stalls:?}; ready after {ready:?}, caught up after {caught_up:?} from \
             the restart; {} accepted, all executed; connections lost with the process: {:?}; light client: {seen:?}",
            outcome.accepted.len(),
            outcome.failures
        ),
    );
}

/// Copies a node's directory, which must not run.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().expect("cp runs");
    assert!(copied.success());
}

/// A validator that has lost its journal of votes says so, and votes again when it is told that nothing else does.
#[tokio::test(flavor = "multi_thread")]
async fn a_validator_without_its_journal_votes_only_when_told() {
    let mut network = Network::start(6);
    let light = Follower::start(&network);
    pay(&network, 3).await;
    tokio::task::block_in_place(|| network.kill(3));
    fs::remove_dir_all(network.home(3).join("consensus")).expect("it was there");
    let said = tokio::task::block_in_place(|| network.refuses(3));
    assert!(said.contains("there is no journal of votes") && said.contains("--new-journal"), "{said}");

    let (told, before) = (Instant::now(), network.log(3).len());
    tokio::task::block_in_place(|| network.restart_by(3, rustorium, &["--new-journal"]));
    pay(&network, 3).await;
    while !network.log(3)[before..].contains("votes=true") {
        pay(&network, 0).await;
    }
    let votes = seconds(told);
    // Without another one it is needed, and there.
    tokio::task::block_in_place(|| network.kill(2));
    let start = network.height(0).await;
    pay(&network, 0).await;
    pay(&network, 3).await;
    light.reaches(start + 1).await;
    let accused = (0..FOLLOWER).any(|number| network.log(number).contains("broke the rules"));
    assert!(!accused, "it signed nothing twice");
    let seen = light.stop().await;
    report(
        "journal of votes lost",
        &format!("refused; with --new-journal it votes again after {votes}; light client: {seen:?}"),
    );
}

/// A validator that was given an older copy of its directory finds out from the others, and stops.
#[tokio::test(flavor = "multi_thread")]
async fn a_validator_with_an_older_copy_is_told_by_the_others() {
    let mut network = Network::start(7);
    pay(&network, 3).await;
    assert!(tokio::task::block_in_place(|| network.terminate(3)).success());
    let (home, old) = (network.home(3), network.home(3).with_extension("old"));
    copy(&home, &old);
    tokio::task::block_in_place(|| network.restart(3));
    network.meets(3, VALIDATORS - 1).await;
    // Three of four certificates have its signature.
    for turn in 0..20 {
        pay(&network, turn % VALIDATORS).await;
    }
    tokio::task::block_in_place(|| network.kill(3));
    fs::remove_dir_all(&home).expect("removed");
    copy(&old, &home);
    let said = tokio::task::block_in_place(|| network.refuses(3));
    assert!(said.contains("the directory is an older copy") && said.contains("--new-journal"), "{said}");
    let again = tokio::task::block_in_place(|| network.refuses(3));
    assert!(again.contains("the directory is an older copy"), "it stays so: {again}");
    pay(&network, 0).await;
    tokio::task::block_in_place(|| network.restart_by(3, rustorium, &["--new-journal"]));
    pay(&network, 3).await;
}
