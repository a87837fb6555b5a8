//! Tells cargo what the binary carries: `rustorium new` writes the SDK's and the templates' sources, which are
//! embedded, and embedding alone does not make cargo look at them.

fn main() {
    for embedded in [
        "../Cargo.toml",
        "../Cargo.lock",
        "../sdk/types",
        "../sdk/contract",
        "../sdk/macros",
        "../contracts/counter",
        "../contracts/token",
        "templates",
    ] {
        println!("cargo::rerun-if-changed={embedded}");
    }
}
