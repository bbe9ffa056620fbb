#!/bin/bash
# Runs the public conformance suite (npm @modelcontextprotocol/conformance, needs Node 24) against the
# program's HTTP server, once for each of the two revisions that have requirements, and prints the suite's
# summaries as the first part of docs/mcp-conformance.md keeps them (the client's part: conformance_client.sh).
#   tests/oracle/conformance_server.sh SUITE/dist/index.js [NODE]
set -u
suite=${1:?the path of the suite\'s dist/index.js} node=${2:-node}
root=$(cd "$(dirname "$0")/../.." && pwd)
log=$(mktemp) work=$(mktemp -d) || exit 1
trap 'kill "$server" 2>/dev/null; rm -rf "$log" "$work"' EXIT
"$root/assay" mcp serve --http 127.0.0.1:0 --conformance-fixtures 2>"$log" >&2 &
server=$!
for _ in $(seq 50); do
    url=$(sed -n 's/.*listening at \(http[^;]*\);.*/\1/p' "$log")
    [ "$url" ] && break
    sleep 0.1
done
url=${url/127.0.0.1/localhost}
version=$(sed -n 's/.*"version": *"\([^"]*\)".*/\1/p' "$(dirname "$suite")/../package.json" | head -1)
cat <<EOF
# The public conformance suite against the server

@modelcontextprotocol/conformance $version against \`assay mcp serve --http 127.0.0.1:PORT --conformance-fixtures\`, as
\`tests/oracle/conformance_server.sh\` ran it. Every scored scenario of both revisions must pass; what is not scored (the tasks
extension, which the server neither has nor claims, and scenarios that the suite itself calls pending or newer than the
revision) is run and shown.
EOF
cd "$work" || exit 1
for revision in 2025-11-25 2026-07-28; do
    printf '\n## %s\n\n```\n$ conformance server --url http://localhost:PORT/mcp --requirements %s\n' $revision $revision
    "$node" "$suite" server --url "$url" --requirements $revision 2>&1 | sed -n '/^=== SUMMARY ===$/,$p' | tail -n +2
    printf '```\n'
done
