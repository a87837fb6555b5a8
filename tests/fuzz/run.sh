#!/usr/bin/env bash
# Runs each fuzz target, or those named, for FUZZ_SECONDS (60 unless set). A finding stops it, with the input that
# shows it in target/fuzz/findings; to see it again: tests/fuzz/run.sh TARGET FILE.
#
# Needs a nightly toolchain, for the instrumentation, and a C++ compiler, for libFuzzer; both are installed where they
# are missing. Only what is fuzzed is instrumented: coverage of the compiler that modules go through would be noise, and
# cost most of the time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${FUZZ_SECONDS:-60}
export CARGO_TARGET_DIR=$PWD/target/fuzz
instrumented=(rustorium-{chain,fuzz,light,network,runtime,types} wasmparser)
flags='"-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4",
"-Cllvm-args=-sanitizer-coverage-inline-8bit-counters", "-Cllvm-args=-sanitizer-coverage-pc-table",
"-Cllvm-args=-sanitizer-coverage-trace-compares", "-Ccodegen-units=1"'

prepare() {
  tests/setup/debian.sh fuzz
  rustup run nightly rustc --version >/dev/null 2>&1 || rustup toolchain install nightly --profile minimal
}

build() {
  local options=(-Zprofile-rustflags) crate
  for crate in "${instrumented[@]}"; do
    options+=(--config "profile.release.package.$crate.rustflags = [${flags//$'\n'/ }]")
  done
  # The versions of the node. Cargo adds what only the targets need.
  cp Cargo.lock tests/fuzz/Cargo.lock
  # The nightly compiler by its name: the repository pins a stable one.
  RUSTUP_TOOLCHAIN=nightly cargo build --quiet --release --manifest-path tests/fuzz/Cargo.toml "${options[@]}"
}

# Our code is safe Rust: what is looked for are panics, hangs and memory, which need no sanitizer.
run() {
  local target=$1
  shift
  mkdir -p target/fuzz/findings
  target/fuzz/release/"$target" -timeout=20 -rss_limit_mb=2048 -artifact_prefix="target/fuzz/findings/$target-" "$@"
}

from_hex() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"; }

# What is known to be sound, to begin with: golden vectors, and modules as text.
plant() {
  local target=$1 corpus=$2 name hex
  mkdir -p "$corpus"
  case $target in
    transaction)
      while read -r name hex; do from_hex "$hex" >"$corpus/$name"; done <sdk/types/vectors/formats.txt
      ;;
    abi)
      read -r hex <sdk/types/vectors/abi.hex
      { from_hex "$(printf '%04x' $((${#hex} / 2)) | sed 's/\(..\)\(..\)/\2\1/')$hex" && head -c 64 /dev/zero; } >"$corpus/golden"
      ;;
    module) cp tests/fuzz/seeds/module/* "$corpus" ;;
  esac
}

prepare
build
if [ $# -eq 2 ] && [ -f "$2" ]; then
  run "$1" "$2"
  exit
fi
for target in ${*:-$(sed -n 's|^path = "targets/\(.*\)\.rs"$|\1|p' tests/fuzz/Cargo.toml)}; do
  echo "fuzz: $target for $seconds s" >&2
  plant "$target" "target/fuzz/corpus/$target"
  run "$target" -max_total_time="$seconds" -print_final_stats=1 "target/fuzz/corpus/$target"
done
