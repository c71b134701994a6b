#!/usr/bin/env bash
# The runs in which things go wrong, for longer: tests/live/faults.sh SECONDS [NAME], each of them, or those whose name has NAME in it.
# Prints what happened as tables. BACKSYNC_SEED says in which order, and is another each time without.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ $# -ge 1 ] || {
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
}
export BACKSYNC_FAULTS_S=$1 BACKSYNC_SEED=${BACKSYNC_SEED:-$RANDOM}
cargo test --locked --release --test live -- ${2:+"$2"} --skip topologies --skip two_nodes --nocapture --test-threads 1
