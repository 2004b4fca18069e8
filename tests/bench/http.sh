#!/usr/bin/env bash
# 100,000 requests over 50 connections, which stay open, to the reference's HTTP server: not one may fail.
#
# Usage: tests/bench/http.sh [REQUESTS]   (needs ab: Debian's package apache2-utils)
set -euo pipefail
cd "$(dirname "$0")/../.."
requests=${1:-100000}
target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --release --package solution-poll
output=$(mktemp)
"$target/release/solution-poll" http 127.0.0.1:0 >"$output" &
server=$!
trap 'kill "$server"; rm -f "$output" "$output.ab"' EXIT
until grep -q listening "$output"; do kill -0 "$server" || exit 1; sleep 0.01; done
address=$(sed -n 's/^listening on //p' "$output")

status=0
ab -q -k -c 50 -n "$requests" "http://$address/" >"$output.ab" 2>&1 || status=$?
grep -E '^(Complete|Failed|Keep-Alive|Non-2xx|Requests per)' "$output.ab" || cat "$output.ab"
[ "$status" -eq 0 ]
grep -Eq "^Complete requests: +$requests$" "$output.ab"
grep -Eq '^Failed requests: +0$' "$output.ab"
grep -Eq "^Keep-Alive requests: +$requests$" "$output.ab"
! grep -q '^Non-2xx' "$output.ab"
