//! Golden vectors: a bundle of every kind against its bytes in `vectors/bundles.txt`.
//!
//! Changing a line of that file breaks every light client in use: it needs a new version of the format and an
//! ADR. `RUSTORIUM_BLESS=1 cargo test -p rustorium-light` writes the file anew.

use std::{fmt::Write, fs, path::Path};

use crate::chain::Chain;

#[test]
fn bundles_are_frozen() {
    let chain = Chain::of(5);
    let vectors = [
        ("head", chain.head(2, 5).to_bytes()),
        ("state_present", chain.state(4, 5, &[3]).to_bytes()),
        ("state_present_large", chain.state(4, 5, &[19]).to_bytes()),
        ("state_absent", chain.state(4, 5, &[200]).to_bytes()),
        ("witness", chain.witness(4, 5, &[&[1], &[200]]).to_bytes()),
        ("receipt", chain.receipt(4, 5, 1).to_bytes()),
        ("epoch_link", chain.link(0).to_bytes()),
    ];
    let mut text = String::new();
    for (name, bytes) in vectors {
        writeln!(text, "{name} {}", hex::encode(bytes)).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/bundles.txt");
    if std::env::var_os("RUSTORIUM_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let frozen = fs::read_to_string(&path).unwrap();
    for (now, then) in text.lines().zip(frozen.lines()) {
        assert_eq!(now, then);
    }
    assert_eq!(text.lines().count(), frozen.lines().count());
}
