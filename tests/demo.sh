#!/usr/bin/env bash
# Shows the whole of Rustorium on one machine. Run by `make demo`, which builds first.
#
# A contract is created, tested, built, deployed, called, watched and queried with proof; then its node is killed
# without warning, and what was verified before is verified again. Every step prints what a person would type and
# what was answered. All of it lives in target/demo, which a new run replaces; the node keeps running at the end.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
demo=$root/target/demo
export PATH=$root/target/debug:$PATH
# Projects share what is compiled of the SDK. Nobody needs this: it saves a demo half a minute.
export CARGO_TARGET_DIR=$root/target/demo-builds
export RUSTORIUM_NODE

node_pid=
node_log=$demo/node.log
follower_pid=

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || title() { printf '\n%s\n' "$*"; }

fail() {
  printf '\ndemo: %s\n' "$*" >&2
  [ -s "$node_log" ] && tail -n 20 "$node_log" >&2
  exit 1
}

step() { # COMMAND...: prints and runs it
  printf '$ %s\n' "$*"
  "$@" || fail "\`$*\` failed"
}

wait_for() { # SECONDS WHAT CONDITION...
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt $deadline ] || fail "waited too long for $what"
    sleep 0.02
  done
}

field() { # NAME: a text field of the JSON on stdin
  sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1
}

is_running() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }
is_ready() { is_running "$node_pid" || fail "the node stopped"; grep -q '"event":"ready"' "$demo/ready" 2>/dev/null; }
has_line() { [ -s "$1" ]; }

stop_on_failure() {
  local status=$?
  is_running "$follower_pid" && kill "$follower_pid" || true
  if [ $status != 0 ] && is_running "$node_pid"; then kill -9 "$node_pid"; fi
}
trap stop_on_failure EXIT

stop_previous() {
  local pid
  pid=$(cat "$demo/node.pid" 2>/dev/null) || return 0
  if [ "$(readlink "/proc/$pid/exe" 2>/dev/null | sed 's/ (deleted)$//')" = "$root/target/debug/rustorium" ]; then
    echo "stopping the node of the previous demo (process $pid)"
    kill "$pid"
    wait_for 10 "the previous node to stop" eval "! kill -0 $pid 2>/dev/null"
  fi
}

start_node() { # LISTEN
  : >"$demo/ready"
  printf '$ rustorium dev --data-dir chain%s &\n' "$([ "$1" = 127.0.0.1:8645 ] || echo " --listen $1")"
  cd "$demo"
  setsid rustorium dev --data-dir chain --listen "$1" >"$demo/ready" 2>>"$node_log" </dev/null &
  node_pid=$!
  disown "$node_pid"
  echo $node_pid >"$demo/node.pid"
  wait_for 20 "the node to be ready" is_ready
  RUSTORIUM_NODE=$(field rest <"$demo/ready")
  printf 'ready: %s  chain %s\n' "$RUSTORIUM_NODE" "$(field genesisHash <"$demo/ready")"
}

compile_sdk() {
  echo "compiling the SDK for the demo's project (the first time only)"
  rm -rf "$demo/warm"
  mkdir -p "$demo/warm"
  (cd "$demo/warm" && rustorium new my-token --template token && rustorium test my-token && rustorium build my-token) \
    >"$demo/warm.log" 2>&1 || { cat "$demo/warm.log" >&2; fail "the SDK does not compile"; }
}

stop_previous
rm -rf "$demo"
mkdir -p "$demo"
compile_sdk
cd "$demo"
SECONDS=0

title "A chain of one machine"
listen=127.0.0.1:8645
if (exec 3<>/dev/tcp/127.0.0.1/8645) 2>/dev/null; then listen=127.0.0.1:0; fi
start_node $listen

title "A contract of your own"
step rustorium new my-token --template token
step rustorium test my-token
step rustorium build my-token

title "On the chain"
step rustorium deploy my-token --name my-token symbol=DEMO decimals=2 supply=1_000_000

title "A subscription, opened before anything happens"
echo '$ rustorium events my-token Transfer --follow --limit 1 &'
rustorium events my-token Transfer --follow --limit 1 >"$demo/event" 2>"$demo/follower.log" &
follower_pid=$!
wait_for 10 "the subscription" has_line "$demo/follower.log"
cat "$demo/follower.log"

title "A transaction, and the event that it causes"
step rustorium call my-token transfer to=bob amount=500 --wait certified
wait_for 10 "the event" has_line "$demo/event"
echo "the subscription says:"
cat "$demo/event"

title "A query that need not trust the node: code, state and header are proven, and the view runs here"
step rustorium query my-token balance_of account=bob --verify
before=$(rustorium query my-token balance_of account=bob --verify --output json)

title "The machine loses power: kill -9, and start again"
echo "\$ kill -9 $node_pid"
kill -9 "$node_pid"
wait_for 5 "the node to be gone" eval "! is_running $node_pid"
start_node "${RUSTORIUM_NODE#http://}"
step rustorium query my-token balance_of account=bob --verify
after=$(rustorium query my-token balance_of account=bob --verify --output json)
for name in value verified; do
  [ "$(grep -o "\"$name\":[^,}]*" <<<"$before")" = "$(grep -o "\"$name\":[^,}]*" <<<"$after")" ] ||
    fail "before the crash: $before; after it: $after"
done
echo "the same value, verified again"

title "Done in $SECONDS seconds. The node keeps running; \`kill $node_pid\` stops it."
echo "GraphQL   $(field graphql <"$demo/ready")   (open it in a browser)"
echo "status    $RUSTORIUM_NODE/v1/status"
echo "metrics   $(field metrics <"$demo/ready")"
