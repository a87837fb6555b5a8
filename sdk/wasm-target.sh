#!/usr/bin/env bash
# Prepares the wasm32-unknown-unknown target, once, and prints the compiler that has it.
#
#   usage: sdk/wasm-target.sh        stdout: one line, what to set RUSTC to; stderr: progress
#
# Why: contracts need the standard library for wasm32-unknown-unknown. Where rustup has installed it, rustup's
# compiler is the answer. Elsewhere it comes without touching rustup's state: Debian packages a compiler and the
# library's source (rustc-web, rust-web-src), and the library is built from them into a sysroot of our own:
#
#   ${XDG_CACHE_HOME:-~/.cache}/rustorium/wasm-sysroot/
#     bin/rustc                       Debian's compiler with this sysroot
#     lib/rustlib/wasm32-…/lib        the library, with bitcode, so that contracts link it with LTO
#     lib/rustlib/HOST/{lib,bin}      links: what procedural macros need; rust-lld
#     stamp                           the compiler and flags it was built with; another stamp is built anew
#
# Invariants: running it twice, or at the same time, does the work once (flock). The sysroot appears whole or
# not at all. No path of the machine ends up in the library. `rustorium build` carries this script inside.
set -euo pipefail

target=wasm32-unknown-unknown
# Library and contract must share these: with other features mixed in, wasm-ld writes tables in a newer encoding.
flags="-Ctarget-cpu=mvp -Ctarget-feature=+bulk-memory,+sign-ext,+mutable-globals"
oldest=1.95 # rust-version of the SDK

debian_rustc=/usr/bin/rustc
debian_source=/usr/lib/rustlib/src/rust
cache=${XDG_CACHE_HOME:-$HOME/.cache}/rustorium
sysroot=$cache/wasm-sysroot

say() { printf 'wasm-target: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

has_debian_compiler() { [ -x $debian_rustc ] && [ -e $debian_source/library/Cargo.toml ]; }

install_debian_compiler() {
  command -v apt-get >/dev/null || die "no $target here, and no apt-get to install it with: run \`rustup target add $target\`"
  local sudo=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null ||
      die "run as root \`apt-get install rustc-web rust-web-src\`, or run \`rustup target add $target\`"
    sudo=(sudo)
  fi
  say "installing Debian's rustc-web and rust-web-src (about 120 MB)"
  "${sudo[@]}" apt-get -o DPkg::Lock::Timeout=600 -q update >&2
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -q -y --no-install-recommends \
    install rustc-web rust-web-src >&2
}

check_debian_compiler() {
  local version
  version=$($debian_rustc -V | cut -d' ' -f2)
  [ "$(printf '%s\n' $oldest "$version" | sort -V | head -n1)" = $oldest ] ||
    die "Debian's rustc is $version and the SDK needs $oldest: upgrade rustc-web, or run \`rustup target add $target\`"
}

# rust-lld comes with rustup's compiler; Debian's has none of its own.
find_linker() {
  local host_sysroot=$1 host=$2 linker=$1/lib/rustlib/$2/bin/rust-lld
  [ -x "$linker" ] || die "no rust-lld in $host_sysroot for $host: contracts need rustup's toolchain to be linked"
}

build_library() { # OUTPUT
  local work=$1/work registry=${CARGO_HOME:-$HOME/.cargo}
  mkdir -p "$work/seed/src"
  : >"$work/seed/src/lib.rs"
  cat >"$work/seed/Cargo.toml" <<'SEED'
[package]
name = "seed"
edition = "2024"

[workspace]

[profile.release]
opt-level = "z"
codegen-units = 1
panic = "abort"
SEED
  (
    cd "$work/seed"
    unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS RUSTC_WRAPPER
    export RUSTC=$debian_rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$work/target
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="$flags -Cembed-bitcode=yes \
--remap-path-prefix=$debian_source=/rust --remap-path-prefix=$registry=/cargo"
    cargo build --release --target $target -Zbuild-std=std,panic_abort >&2
  )
  mkdir -p "$1/lib/rustlib/$target/lib"
  cp "$work/target/$target/release/deps/"*.rlib "$1/lib/rustlib/$target/lib/"
  rm -rf "$1/lib/rustlib/$target/lib/"libseed-* "$work"
}

build_sysroot() { # STAMP HOST HOST_SYSROOT
  local stamp=$1 host=$2 new=$sysroot.new
  say "building the standard library for $target (once, one to three minutes)"
  rm -rf "$new"
  mkdir -p "$new/bin" "$new/lib/rustlib/$host"
  build_library "$new"
  ln -s "/usr/lib/rustlib/$host/lib" "$new/lib/rustlib/$host/lib"
  ln -s "$3/lib/rustlib/$host/bin" "$new/lib/rustlib/$host/bin"
  printf '#!/bin/sh\nexec %s --sysroot "%s" "$@"\n' "$debian_rustc" "$sysroot" >"$new/bin/rustc"
  chmod +x "$new/bin/rustc"
  printf '%s\n' "$stamp" >"$new/stamp"
  rm -rf "$sysroot"
  mv "$new" "$sysroot"
  say "ready: $sysroot"
}

prepare() {
  local host_sysroot host stamp link
  host_sysroot=$(rustc --print sysroot) || die "no rustc: install the Rust toolchain with rustup first"
  if [ -d "$host_sysroot/lib/rustlib/$target/lib" ]; then
    echo rustc
    return
  fi
  mkdir -p "$cache"
  exec 9>"$sysroot.lock"
  flock -n 9 || {
    say "waiting for another run to finish"
    flock 9
  }
  has_debian_compiler || install_debian_compiler
  check_debian_compiler
  host=$($debian_rustc -vV | sed -n 's/^host: //p')
  find_linker "$host_sysroot" "$host"
  stamp="$($debian_rustc -V) $flags"
  [ "$(cat "$sysroot/stamp" 2>/dev/null)" = "$stamp" ] || build_sysroot "$stamp" "$host" "$host_sysroot"
  # The toolchain that the linker came from may have been removed since.
  link=$sysroot/lib/rustlib/$host/bin
  [ -e "$link/rust-lld" ] || ln -sfn "$host_sysroot/lib/rustlib/$host/bin" "$link"
  echo "$sysroot/bin/rustc"
}

prepare
