#!/usr/bin/env bash
# The chat on http://127.0.0.1:9000. Builds the JavaScript client and the server first, and hands options on to `backsync serve`.
#
#   examples/chat/run.sh [OPTION…]
#
# BACKSYNC_BIN names a server that is built already.
set -euo pipefail
cd "$(dirname "$0")/../.."

examples/chat/build.sh
if [ -z "${BACKSYNC_BIN:-}" ]; then
    cargo build --release --bin backsync
    BACKSYNC_BIN=target/release/backsync
fi
exec "$BACKSYNC_BIN" serve --config examples/chat/backsync.toml "$@"
