#!/usr/bin/env bash
# Looks for inputs that the parsers fall over: fuzz/run.sh [SECONDS [TARGET]], each target for so long (20 without a word).
# Installs cargo-fuzz where it is missing. What was learned is kept below target/fuzz; what was found, in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-20}
target=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
# Instrumentation is not for a stable compiler by name; this one has it all the same.
export RUSTC_BOOTSTRAP=1
cargo fuzz --version > /dev/null 2>&1 || cargo install cargo-fuzz --locked --version 0.13.2

# There is no unsafe code to be watched by a sanitizer.
cargo fuzz build --sanitizer none --target-dir "$target/build"
built=$(echo "$target"/build/*/release)
for name in ${2:-$(cargo fuzz list)}; do
    mkdir -p "$target/corpus/$name" "fuzz/artifacts/$name"
    log=$target/$name.log
    if ! "$built/$name" "$target/corpus/$name" "fuzz/seeds/$name" -artifact_prefix="fuzz/artifacts/$name/" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 > "$log" 2>&1; then
        grep -v '^\(#\|.*NEW_\)' "$log" | tail -n 60 >&2
        exit 1
    fi
    printf '%-10s %s inputs, none it fell over\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: //p' "$log")"
done
