#!/usr/bin/env bash
# Two nodes of backsync over one Redis, behind a balancer that is not sticky: what deploy/compose has, without containers, on loopback.
# From Debian's packages (redis-server, haproxy) and a binary of backsync.
#
#   deploy/two-nodes.sh [OPTION…]
#
#   --binary FILE     the backsync to run (target/release/backsync)
#   --store URL       where records are, instead of a Redis of its own
#   --set KEY=VALUE   a setting for both nodes; may be repeated
#   --dir DIR         where logs and data are; a folder that is not there, or is empty. Without it they go at the end.
#   --port N          the balancer's port; the nodes have the next two, Redis the one behind. Free ones without it.
#   --until-eof       end when the standard input does
#
# When all of it is ready it prints NODE_A=http://…, NODE_B=http://… and, for the balancer, URL=http://…, and stays until it is
# interrupted, or whoever started it is gone; then it ends what it started and nothing else.
set -euo pipefail

# shellcheck source=deploy/jobs.sh
. "$(dirname "$0")/jobs.sh"

here=$(cd "$(dirname "$0")" && pwd)
binary=$here/../target/release/backsync dir=- port='' store='' until_eof='' settings=(--set log.format=json)
while [ $# -gt 0 ]; do
    case $1 in
    --until-eof)
        until_eof=yes
        shift
        continue
        ;;
    --binary | --store | --set | --dir | --port) [ $# -ge 2 ] || fail "$1 wants a value" ;;
    *) usage ;;
    esac
    case $1 in
    --binary) binary=$2 ;;
    --store) store=$2 ;;
    --set) settings+=(--set "$2") ;;
    --dir) dir=$2 ;;
    --port) port=$2 ;;
    esac
    shift 2
done
[ -x "$binary" ] || fail "there is no $binary: cargo build --release, or name another one with --binary"
needs haproxy haproxy
begin_in "$dir"

# start FOLDER PROGRAM…: it goes with this shell, however this shell goes.
start() {
    local name=$1
    shift
    mkdir -p "$dir/$name"
    setpriv --pdeathsig TERM "$@" > "$dir/$name/output" 2> "$dir/$name/log" < /dev/null &
    echo $! > "$dir/$name/pid"
}

# Whether a line that looks so is there; whose process has ended will not write it.
has_said() {
    grep -q "$2" "$dir/$1/log" "$dir/$1/output" && return
    [ -d "/proc/$(cat "$dir/$1/pid")" ] || fail "$1 did not start: $(tail -n 3 "$dir/$1/log")"
    return 1
}

healthy() {
    # shellcheck disable=SC2016
    timeout 2 bash -c 'exec 3<> "/dev/tcp/127.0.0.1/$0" && printf "GET /healthz HTTP/1.0\r\n\r\n" >&3 && head -n 1 <&3' "$1" \
        2> /dev/null | grep -q ' 200 '
}

new_port && balancer=$new_port
new_port && node_a=$new_port
new_port && node_b=$new_port

if [ -z "$store" ]; then
    start redis "$here/redis.sh" single "$dir/redis/data" ${port:+--port "$next_port"}
    until_true has_said redis '^URL='
    store=$(sed -n 's/^URL=//p' "$dir/redis/output")
fi
for node in "a $node_a" "b $node_b"; do
    start "node-${node% *}" "$binary" serve --listen "127.0.0.1:${node#* }" --store "$store" "${settings[@]}"
    until_true has_said "node-${node% *}" '"backsync is ready"'
done
LISTEN=127.0.0.1:$balancer NODE_A=127.0.0.1:$node_a NODE_B=127.0.0.1:$node_b \
    start balancer haproxy -db -f "$here/compose/haproxy.cfg"
until_true healthy "$balancer"

echo "NODE_A=http://127.0.0.1:$node_a"
echo "NODE_B=http://127.0.0.1:$node_b"
echo "URL=http://127.0.0.1:$balancer"

stay
