//! Contracts compiled to WebAssembly, once for all tests, by the function behind `rustorium build`.

use std::{path::Path, sync::OnceLock};

use rustorium_node::builder::{self, Build, BuildOptions};

fn build(name: &str) -> Build {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("node/ is in the repository");
    let options =
        BuildOptions { locked: true, target_dir: Some(repository.join("target/guests")), ..BuildOptions::default() };
    builder::build(&repository.join("contracts").join(name), &options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// `contracts/token`.
pub(crate) fn token() -> &'static Build {
    static TOKEN: OnceLock<Build> = OnceLock::new();
    TOKEN.get_or_init(|| build("token"))
}

/// `contracts/counter`.
pub(crate) fn counter() -> &'static Build {
    static COUNTER: OnceLock<Build> = OnceLock::new();
    COUNTER.get_or_init(|| build("counter"))
}
