#!/usr/bin/env bash
# A real broker for tests: Apache Kafka in KRaft mode, one broker or three, on loopback.
#
#   usage: broker.sh install                  the jars, from Maven Central (once; 45 MB)
#          broker.sh start DIR N [PID]        N fresh brokers in DIR; ready when it returns. It prints two lines, the
#                                             bootstrap lists of the open and of the secured listeners. With PID, they
#                                             are stopped when that process is gone, however it went.
#          broker.sh stop DIR [I] [SIGNAL]    stops all, or broker I (from 1), with SIGNAL (TERM unless named)
#          broker.sh restart DIR I            starts broker I again
#          broker.sh grant DIR                gives the user `node` the rights of docs/operations/redpanda.md over topics
#                                             that begin with `node-`, and lets it see those with `seen-`; without
#                                             them it has none
#
# DIR holds everything: configuration, data, logs, process ids, and what the secured listener asks for: ca.pem, and the
# files password and password.wrong of the user `node` (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512). It must not hold anything
# else: a start begins with an empty one. Processes are stopped by the ids in it, and no others.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

version=4.4.0
home=${XDG_CACHE_HOME:-$HOME/.cache}/rustorium/kafka-$version
java_options=(-Xms128m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData
  -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$home/libs/*")

say() { printf 'broker: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

install() {
  "$here/debian.sh" broker
  mkdir -p "$home"
  exec 9>"$home/lock"
  flock 9
  if [ ! -e "$home/libs" ]; then
    say "installing Apache Kafka $version"
    cat >"$home/pom.xml" <<XML
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
XML
    rm -rf "$home/libs.new"
    mvn -q -B -f "$home/pom.xml" dependency:copy-dependencies -DoutputDirectory="$home/libs.new" -DincludeScope=runtime >&2
    mv "$home/libs.new" "$home/libs"
  fi
  flock -u 9
  exec 9>&-
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Ports below those that the system gives to clients, so that none is taken between now and the start.
free_ports() { # N
  local port=$((20000 + RANDOM % 10000)) found=0
  while [ $found -lt "$1" ]; do
    port=$((port + 1))
    if ! answers $port; then
      echo $port
      found=$((found + 1))
    fi
  done
}

secrets() {
  echo 'open sesame' >password
  echo 'open barley' >password.wrong
  keytool -genkeypair -alias broker -keyalg EC -groupname secp256r1 -dname CN=broker -validity 3650 \
    -ext SAN=ip:127.0.0.1,dns:localhost -storetype PKCS12 -keystore broker.p12 -storepass 'open sesame' 2>/dev/null
  keytool -exportcert -rfc -alias broker -keystore broker.p12 -storepass 'open sesame' >ca.pem 2>/dev/null
}

configure() { # I N VOTERS PORT SECURE CONTROLLER
  local copies=$(($2 < 3 ? $2 : 3)) jaas=org.apache.kafka.common.security
  mkdir "$1"
  echo "$4" >"$1/port"
  cat >"$1/properties" <<CONFIG
process.roles=broker,controller
node.id=$1
controller.quorum.voters=$3
listeners=PLAINTEXT://127.0.0.1:$4,SECURE://127.0.0.1:$5,CONTROLLER://127.0.0.1:$6
advertised.listeners=PLAINTEXT://127.0.0.1:$4,SECURE://127.0.0.1:$5
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
ssl.keystore.type=PKCS12
ssl.keystore.location=$PWD/broker.p12
ssl.keystore.password=open sesame
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.secure.plain.sasl.jaas.config=$jaas.plain.PlainLoginModule required user_node="open sesame";
listener.name.secure.scram-sha-256.sasl.jaas.config=$jaas.scram.ScramLoginModule required;
listener.name.secure.scram-sha-512.sasl.jaas.config=$jaas.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
log.dirs=$PWD/$1/data
auto.create.topics.enable=false
default.replication.factor=$copies
min.insync.replicas=$((copies > 1 ? 2 : 1))
offsets.topic.replication.factor=$copies
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=$copies
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
message.max.bytes=8388608
replica.fetch.max.bytes=8388608
replica.lag.time.max.ms=5000
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=2
CONFIG
}

spawn() { # I
  (
    cd "$1"
    exec setsid java "${java_options[@]}" kafka.Kafka properties >>log 2>&1 </dev/null
  ) &
  echo $! >"$1/pid"
}

await() { # I
  local port
  port=$(cat "$1/port")
  for _ in $(seq 600); do
    answers "$port" && return 0
    kill -0 "$(cat "$1/pid")" 2>/dev/null || {
      tail -5 "$1/log" >&2
      die "broker $1 ended while it started; its log is $PWD/$1/log"
    }
    sleep 0.1
  done
  die "broker $1 did not answer in a minute; its log is $PWD/$1/log"
}

start() { # DIR N [PID]
  local n=$2 i id voters='' open='' secure='' ports
  install
  stop "$1"
  rm -rf "$1"
  mkdir -p "$1"
  cd "$1"
  secrets
  mapfile -t ports < <(free_ports $((3 * n)))
  for i in $(seq "$n"); do
    voters+="${voters:+,}$i@127.0.0.1:${ports[3 * i - 1]}"
    open+="${open:+,}127.0.0.1:${ports[3 * i - 3]}"
    secure+="${secure:+,}127.0.0.1:${ports[3 * i - 2]}"
  done
  # 16 bytes in URL-safe base64, as Kafka writes a cluster's id.
  id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | cut -c 1-22)
  for i in $(seq "$n"); do
    configure "$i" "$n" "$voters" "${ports[@]:3 * i - 3:3}"
    java "${java_options[@]}" kafka.tools.StorageTool format -t "$id" -c "$i/properties" \
      --add-scram 'SCRAM-SHA-256=[name=node,password=open sesame]' \
      --add-scram 'SCRAM-SHA-512=[name=node,password=open sesame]' >"$i/log" 2>&1 || {
      cat "$i/log" >&2
      die "the data directory of broker $i cannot be made"
    }
    spawn "$i"
  done
  for i in $(seq "$n"); do await "$i"; done
  [ -z "${3:-}" ] || guard "$3"
  printf '%s\n%s\n' "$open" "$secure"
}

# Outlives the script, and whoever called it.
guard() { # PID
  setsid bash -c 'while kill -0 "$1" 2>/dev/null; do sleep 0.5; done; exec "$2" stop "$3" "" KILL' \
    guard "$1" "$here/broker.sh" "$PWD" >/dev/null 2>&1 </dev/null &
}

stop() { # DIR [I] [SIGNAL]
  local broker pid
  for broker in "$1"/${2:-*}/; do
    [ -e "$broker/pid" ] || continue
    pid=$(cat "$broker/pid")
    # An id may have been given to somebody else since.
    if [ -e "/proc/$pid" ] && grep -qa kafka.Kafka "/proc/$pid/cmdline"; then
      kill "-${3:-TERM}" "$pid" 2>/dev/null || true
      for _ in $(seq 300); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
      done
    fi
    rm -f "$broker/pid"
  done
}

restart() { # DIR I
  cd "$1"
  spawn "$2"
  await "$2"
}

grant() { # DIR
  local acl=(java "${java_options[@]}" org.apache.kafka.tools.AclCommand --add --allow-principal User:node
    --bootstrap-server "127.0.0.1:$(cat "$1/1/port")")
  "${acl[@]}" --resource-pattern-type prefixed --topic node- --operation Describe --operation Read --operation Write \
    --operation DescribeConfigs --operation Create --operation Delete >&2
  "${acl[@]}" --resource-pattern-type prefixed --topic seen- --operation Describe >&2
  "${acl[@]}" --group rustorium-lanes --operation Describe >&2
}

command=${1:-}
shift || true
case $command in
  install | start | stop | restart | grant) $command "$@" ;;
  *)
    sed -n 's/^# \{0,1\}//; 2,16p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
