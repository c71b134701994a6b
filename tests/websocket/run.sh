#!/usr/bin/env bash
# The Autobahn suite of WebSocket cases (RFC 6455, RFC 7692) against the framing of this project: about 500 cases, some
# minutes. Fails on any case that failed, and on more than four that are not strict.
#
#   tests/websocket/run.sh [CASES]        such as '12.*'; all without a word
#
# The suite needs Python 2.7 with pip, which is looked for in PYTHON2, in pyenv and on the PATH. What it installs, and its
# report, are below target/websocket-suite.
set -euo pipefail
cd "$(dirname "$0")/../.."

cases=${1:-*}
port=${PORT:-19001}
here=${CARGO_TARGET_DIR:-target}
mkdir -p "$here/websocket-suite"
here=$(cd "$here" && pwd)
work=$here/websocket-suite

find_python() {
    local python
    for python in "${PYTHON2:-}" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7 python2.7 python2; do
        if [ -n "$python" ] && "$python" -c 'import sys, pip; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    echo 'The suite needs Python 2.7 with pip: install one (pyenv install 2.7.18) or name it in PYTHON2.' >&2
    return 1
}

python=$(find_python)
if ! cmp -s tests/websocket/requirements.txt "$work/installed.txt"; then
    rm -rf "$work/virtualenv" "$work/python"
    install=("-m" pip install -q --disable-pip-version-check)
    "$python" -W ignore "${install[@]}" --target "$work/virtualenv" virtualenv==20.15.1
    PYTHONPATH=$work/virtualenv "$python" -m virtualenv -q "$work/python"
    "$work/python/bin/python" -W ignore "${install[@]}" -r tests/websocket/requirements.txt
    cp tests/websocket/requirements.txt "$work/installed.txt"
fi

cargo build --locked --example websocket_echo
"$here/debug/examples/websocket_echo" "127.0.0.1:$port" > "$work/echo.log" 2>&1 &
echo=$!
trap 'kill "$echo" 2>/dev/null || true' EXIT

cd "$work"
rm -rf report
cat > spec.json <<END
{"outdir": "report", "servers": [{"agent": "backsync", "url": "ws://127.0.0.1:$port"}],
 "cases": ["$cases"], "exclude-cases": [], "exclude-agent-cases": {}}
END
python/bin/python -W ignore python/bin/wstest -m fuzzingclient -s spec.json > suite.log 2>&1 ||
    { tail -n 20 suite.log >&2; exit 1; }

"$python" - <<'END'
from __future__ import print_function
import collections, json, sys

with open('report/index.json') as index:
    cases = json.load(index)['backsync']
outcomes = {'behavior': collections.Counter(), 'behaviorClose': collections.Counter()}
for name in sorted(cases, key=lambda name: [int(part) for part in name.split('.')]):
    case = cases[name]
    for what, counter in outcomes.items():
        counter[case[what]] += 1
    if case['behavior'] not in ('OK', 'INFORMATIONAL') or case['behaviorClose'] not in ('OK', 'INFORMATIONAL'):
        print('%s: %s, close %s' % (name, case['behavior'], case['behaviorClose']))
for what, title in (('behavior', 'cases'), ('behaviorClose', 'closes')):
    counts = ', '.join('%s %d' % pair for pair in sorted(outcomes[what].items()))
    print('%d %s: %s' % (len(cases), title, counts))
fine = {'OK', 'INFORMATIONAL', 'NON-STRICT'}
bad = sum(count for counter in outcomes.values() for outcome, count in counter.items() if outcome not in fine)
lax = outcomes['behavior']['NON-STRICT']
sys.exit(1 if not cases or bad or lax > 4 else 0)
END
