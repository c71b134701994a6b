#!/usr/bin/env bash
# Asks a server whatever its own description (OpenAPI) allows, and much that it does not: no answer is a fault of the server (5xx), and
# each is as described. Needs Python 3 with venv; BACKSYNC_BIN names the server. Usage: tests/http/described.sh [EXAMPLES]
set -euo pipefail
cd "$(dirname "$0")/../.."
examples=${1:-40}
server=${BACKSYNC_BIN:-target/debug/backsync}
tools=target/tmp/schemathesis

if ! cmp -s tests/http/requirements.txt "$tools/requirements.txt"; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement tests/http/requirements.txt
    cp tests/http/requirements.txt "$tools/"
fi

log=$(mktemp)
"$server" serve --store memory: --listen 127.0.0.1:0 --set log.format=json \
    --set "models.User.references=['spouse=User','friends=User[]','pets=Pet:owner','groups=Group:members']" \
    --set "models.Pet.references=['owner=User']" --set "models.Group.references=['members=User[]']" 2>"$log" &
server_pid=$!
trap 'kill "$server_pid" 2>/dev/null || true; rm -f "$log"' EXIT
address=
while [ -z "$address" ]; do
    kill -0 "$server_pid" || { cat "$log"; exit 1; }
    address=$(sed -n 's/.*"message":"backsync is ready".*"address":"\([^"]*\)".*/\1/p; s/.*"address":"\([^"]*\)".*"message":"backsync is ready".*/\1/p' "$log" | head -1)
    [ -n "$address" ] || sleep 0.05
done
"$tools/bin/python" - "http://$address/api/User" <<'PEOPLE'
import sys, urllib.request
people = b'[{"id":"ada"},{"id":"bob"},{"id":"cyd"}]'
urllib.request.urlopen(urllib.request.Request(sys.argv[1], people, {"content-type": "application/json"})).close()
PEOPLE

# Events never end, and have tests of their own.
SCHEMATHESIS_HOOKS=tests/http/hooks.py "$tools/bin/schemathesis" run "http://$address/openapi.json" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
    --phases examples,coverage,fuzzing --max-examples "$examples" --exclude-path-regex '/events$' --no-color
