#!/usr/bin/env bash
# Measures one token transfer on Rustorium and on its peers, in one run; figures in target/peers/bench/results.json.
# RUSTORIUM is the program that builds our token, target/debug/rustorium unless set.
#
# Neither peer takes modules with bulk memory operations, which the library of sdk/wasm-target.sh has. So theirs get a
# library of their own, built with them from Debian's sources by Debian's compiler; cargo takes the sources of a
# library only from a compiler that says that it is unstable.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target/peers}
manifest=tests/peers/Cargo.toml
modules=$CARGO_TARGET_DIR/modules

linker() {
  local host
  host=$(rustc -vV | sed -n 's/^host: //p')
  echo "$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld"
}

# PACKAGE TARGET LIBRARY FLAGS
build() {
  local package=$1 target=$2 library=$3 flags=$4 variable=CARGO_TARGET_${2^^}
  env "${variable//-/_}_LINKER=$(linker)" RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" \
    cargo build --locked --manifest-path $manifest --package "$package" --profile contract \
    --target "$target" "-Zbuild-std=$library"
  cp "$CARGO_TARGET_DIR/$target/contract/${package//-/_}.wasm" "$modules"
}

tests/setup/debian.sh peers
mkdir -p "$modules"
"${RUSTORIUM:-target/debug/rustorium}" build --locked --target-dir "$modules" contracts/token >/dev/null
# What stellar's own tool does after the build is about the description of the interface, which nobody reads here.
SOROBAN_SDK_BUILD_SYSTEM_SUPPORTS_SPEC_SHAKING_V2=1 build soroban-token wasm32v1-none core,alloc,panic_abort ""
# The host's functions are declared without a module, and linked as what is undefined.
build cw20-token wasm32-unknown-unknown std,panic_abort \
  "-Ctarget-cpu=mvp -Ctarget-feature=+sign-ext,+mutable-globals -Clink-arg=--allow-undefined"
cargo bench --locked --manifest-path $manifest
