#!/usr/bin/env bash
# Runs the solutions' checks again and again, eight at a time, every second run with every processor kept busy, and
# demands that no verdict ever differs from "ok", and that no process and no temporary file is left. Once a minute it says
# how far it is.
#
# Usage: tests/bench/soak.sh [RUNS [LAB...]]   (default: 500, and all labs; a LAB is a name, such as fork)
set -euo pipefail
cd "$(dirname "$0")/../.."
runs=${1:-500}
labs=("${@:2}")
[ "${#labs[@]}" -gt 0 ] || for lab in solutions/*/; do labs+=("$(basename "$lab" | cut -d- -f2)"); done

packages=()
for lab in "${labs[@]}"; do packages+=(--package "solution-$lab"); done
mapfile -t binaries < <(
  cargo test --no-run --message-format=json "${packages[@]}" 2>/dev/null |
    grep -o '"executable":"[^"]*/deps/[^"]*"' | cut -d'"' -f4 | sort -u
)
[ "${#binaries[@]}" -gt 0 ] || { echo "soak: cargo built no checks; try: cargo test --no-run" >&2; exit 1; }
programs=$(dirname "$(dirname "${binaries[0]}")")/solution-

load=()
quiet() { for pid in "${load[@]}"; do kill "$pid" 2>/dev/null || true; done; load=(); }
TMPDIR=$(mktemp -d)
export TMPDIR
chmod go+rx "$TMPDIR" # some checks run programs as another user
trap 'quiet; rm -rf "$TMPDIR"' EXIT
busy() { for _ in $(seq "$(nproc)"); do (while :; do :; done) & load+=($!); done; }

wrong=0 verdicts=0 told=$SECONDS
for ((run = 1; run <= runs; run++)); do
  ((run % 2)) || busy
  for binary in "${binaries[@]}"; do
    output=$(INSTA_UPDATE=no INSTA_WORKSPACE_ROOT=$PWD "$binary" --test-threads=8 2>&1) || true
    verdicts=$((verdicts + $(grep -c '^test .* ok$' <<<"$output")))
    if ! grep -q '^test result: ok' <<<"$output" || grep -q 'not checked' <<<"$output"; then
      wrong=$((wrong + 1))
      printf 'run %d, %s:\n%s\n' "$run" "$(basename "$binary")" "$output"
    fi
  done
  quiet
  if ((SECONDS >= told + 60)); then
    told=$SECONDS
    echo "$run runs, $verdicts verdicts ok, $wrong runs with another"
  fi
done
processes=$(pgrep -c -f "^$programs" || true)
files=$(find "$TMPDIR" -mindepth 1 | wc -l)
echo "$runs runs (half of them with $(nproc) processors kept busy): $verdicts verdicts ok, $wrong runs with another, $processes processes and $files temporary files left"
[ "$wrong" -eq 0 ] && [ "$processes" -eq 0 ] && [ "$files" -eq 0 ]
