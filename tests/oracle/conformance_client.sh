#!/bin/bash
# Runs the public conformance suite (npm @modelcontextprotocol/conformance, needs Node 24) against the client
# library, by way of tests/mcp/conformance_client.c, once for each of the two revisions that have requirements,
# and prints the suite's summaries as the client's half of docs/mcp-conformance.md. The OAuth scenarios (auth/*) are
# declared in conformance_client.yaml: the client takes a bearer token, and has no OAuth flow.
#   make build/release/tests/mcp/conformance_client
#   tests/oracle/conformance_client.sh SUITE/dist/index.js [NODE] >>docs/mcp-conformance.md
set -u
suite=${1:?the path of the suite\'s dist/index.js} node=${2:-node}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/.*"version": *"\([^"]*\)".*/\1/p' "$(dirname "$suite")/../package.json" | head -1)
cat <<EOF

# The public conformance suite against the client

@modelcontextprotocol/conformance $version starts \`tests/mcp/conformance_client.c\`, a program of the client library, with the
address of a server of its own for each scenario, as \`tests/oracle/conformance_client.sh\` ran it. All scenarios pass but those
of OAuth (auth/*), which are declared: the client sends a bearer token that it is given, and has no OAuth flow.
EOF
cd "$work" || exit 1
for revision in 2025-11-25 2026-07-28; do
    printf '\n## Client, %s\n\n```\n$ conformance client --command conformance_client --requirements %s\n' $revision $revision
    "$node" "$suite" client --command "$root/build/release/tests/mcp/conformance_client" --requirements $revision \
        --expected-failures "$root/tests/oracle/conformance_client.yaml" 2>&1 |
        sed -n '/^=== SUITE SUMMARY ===$/,$p' | tail -n +3 | sed "s,$root/,,; s,\x1b\[[0-9;]*m,,g"
    printf '```\n'
done
