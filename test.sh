#!/usr/bin/env bash
# Everything that has to hold before a change lands. Installs what it takes (Debian's Chromium, g++, Redis, HAProxy and Python's venv,
# npm packages, cargo-fuzz, schemathesis), starts and ends every server by itself, and leaves nothing behind but build output.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

# Debian's Redis and HAProxy start as services where there is a system to do so: the tests have their own, on other ports.
install_packages() {
    # Where HAProxy is, also for who is not root.
    local packages=() sudo=() PATH=$PATH:/usr/sbin
    need() { [ -n "$(command -v "$1")" ] || packages+=("${@:2}"); }
    need chromium chromium fonts-dejavu-core
    need g++ g++
    need redis-server redis-server
    need haproxy haproxy
    need openssl openssl
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3 python3-venv)
    need setpriv util-linux
    [ ${#packages[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}"
}

step 'Packages'
install_packages

step 'Formatting'
cargo fmt --all --check

step 'Lints'
cargo clippy --locked --workspace --all-targets -- -D warnings

step 'The core without the doors'
cargo check --locked --no-default-features --lib

step 'Rust: units, stores, protocol, the whole server'
cargo test --locked --workspace

step 'Fuzzing, a short look'
fuzz/run.sh 15

step 'Console modules'
node --test tests/console/*.test.mjs

step 'HTTP, by its own description'
BACKSYNC_BIN="$PWD/target/debug/backsync" tests/http/described.sh 30

step 'JavaScript client'
(cd clients/js && npm ci --no-audit --no-fund \
    && BACKSYNC_BIN="$PWD/../../target/debug/backsync" BACKSYNC_TOKENS="$PWD/../../target/debug/examples/tokens" npm test)

step 'Browser'
(cd examples/log-console && npm ci --no-audit --no-fund)
(cd tests/browser && npm ci --no-audit --no-fund && BACKSYNC_BIN="$PWD/../../target/debug/backsync" npm test)

step 'SockJS'
(cd tests/sockjs && npm ci --no-audit --no-fund \
    && BACKSYNC_BIN="$PWD/../../target/debug/backsync" BACKSYNC_ECHO="$PWD/../../target/debug/examples/sockjs_echo" \
    BACKSYNC_NODE="$PWD/../../target/debug/examples/sockjs_node" npm test)

step 'persistence.js'
(cd tests/persistence && npm ci --no-audit --no-fund && BACKSYNC_BIN="$PWD/../../target/debug/backsync" npm test)

step 'All passed'
