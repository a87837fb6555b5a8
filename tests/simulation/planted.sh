#!/bin/sh
# Plants one bug at a time (planted/*.patch of one node's lives, network/planted/*.patch of networks', or those named) in a
# copy of the tree, and expects the simulation to catch each.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
tree=$root/target/planted
rm -rf "$tree"
mkdir -p "$tree"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --target-directory "$tree"
# The copy shares the tree's builds: what comes of its altered files must not pass for the tree's own.
trap 'cd "$root" && cargo clean --quiet --package rustorium-chain --package rustorium-consensus --package rustorium-types' EXIT
trap 'exit 130' HUP INT TERM
cd "$tree"
missed=0
patches=${*:-tests/simulation/planted/*.patch tests/simulation/network/planted/*.patch}
for patch in $patches; do
  case $patch in
    */network/*) target=networks lives=whatever_befalls_a_network ;;
    *) target=simulation lives=whatever_befalls_a_node_nothing_is_lost ;;
  esac
  bug=$target/$(basename "$patch" .patch)
  patch --quiet --strip 1 <"$patch"
  # Dependencies are those of the tree. The copy does not compile: that is no catch.
  CARGO_TARGET_DIR=$root/target cargo test --quiet --locked --workspace --test "$target" --no-run
  if CARGO_TARGET_DIR=$root/target cargo test --quiet --locked --workspace --test "$target" "$lives" >"$tree/said" 2>&1; then
    echo "$bug: NOT caught"
    missed=1
  else
    echo "$bug: caught. $(grep -m 1 '^seed [0-9]* failed' "$tree/said")"
    grep -m 1 -A 1 ' panicked at ' "$tree/said" | tail -n 1 | sed 's/^/    /'
  fi
  patch --quiet --strip 1 --reverse <"$patch"
done
exit $missed
