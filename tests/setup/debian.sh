#!/usr/bin/env bash
# Installs the Debian packages that building Rustorium needs, if one is missing. Run by `make setup`; with `fuzz`, those
# of fuzzing, too, with `peers`, those of the bench of peers, and with `broker`, those of the broker that tests run
# against.
#
# What they are for: a C compiler and its headers link Rust programs and compile blake3's assembly; librdkafka is
# compiled by make, asks for a C++ compiler, too, and has OpenSSL for TLS, which pkg-config finds; bash and
# flock serve the scripts; certificates let cargo fetch crates; a test has Prometheus' own tool check the metrics;
# the tests' broker runs on Java, and Maven fetches it. Everything else comes with rustup.
set -euo pipefail

missing=()
need() { # PACKAGE TEST...
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

need gcc command -v cc
need binutils command -v ar
need libc6-dev test -e /usr/include/stdio.h
need util-linux command -v flock
need prometheus command -v promtool
need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
need g++ command -v c++
need make command -v make
need pkg-config command -v pkg-config
need libssl-dev pkg-config --exists openssl
if [ "${1:-}" = broker ]; then
  need default-jre-headless command -v keytool
  need maven command -v mvn
fi
if [ "${1:-}" = peers ]; then
  need rustc-web test -x /usr/bin/rustc
  need rust-web-src test -e /usr/lib/rustlib/src/rust/library/Cargo.toml
fi

if ! command -v cargo >/dev/null; then
  echo "setup: no cargo: install the Rust toolchain first, see https://rustup.rs" >&2
  exit 1
fi
[ ${#missing[@]} = 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "setup: not a Debian machine; install what provides: ${missing[*]}" >&2
  exit 1
fi
sudo=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || {
    echo "setup: run as root: apt-get install ${missing[*]}" >&2
    exit 1
  }
  sudo=(sudo)
fi
echo "setup: installing ${missing[*]}" >&2
"${sudo[@]}" apt-get -o DPkg::Lock::Timeout=600 -q update >&2
# Prometheus' package would also start the server: only its tool is wanted. The run level says so to an init of scripts,
# and systemd is told behind.
"${sudo[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -q -y --no-install-recommends \
  install "${missing[@]}" >&2
if [[ " ${missing[*]} " == *" prometheus "* ]] && [ -d /run/systemd/system ]; then
  "${sudo[@]}" systemctl disable --now prometheus.service >&2
fi
