#!/usr/bin/env bash
# Builds the JavaScript client and puts it beside the chat's page.
set -euo pipefail
cd "$(dirname "$0")"

client=../../clients/js
npm ci --prefix $client --no-audit --no-fund
npm run build --prefix $client
cp $client/dist/backsync.global.js page/backsync.js
