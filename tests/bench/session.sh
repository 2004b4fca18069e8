#!/usr/bin/env bash
# Draws the picture of lab 7's chapter: holds a session in the reference's chat room under strace, and draws what that saw.
#
# Usage: tests/bench/session.sh [FILE.svg]
set -euo pipefail
cd "$(dirname "$0")/../.."
to=${1:-book/src/pictures/07-chat.svg}
trace=$(mktemp)
trap 'rm -f "$trace"' EXIT
command -v strace >/dev/null || { echo "session: strace is needed" >&2; exit 1; }
target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --package solution-chat --target-dir "$target"
cargo build --quiet --manifest-path tests/bench/Cargo.toml --target-dir "$target" --bin session
strace -f -s 2000 -o "$trace" -e signal=none -e trace=execve,fork,vfork,clone,clone3,wait4,sendto,recvfrom \
  "$target/debug/session" talk "$target/debug/solution-chat"
"$target/debug/session" draw "$trace" >"$to"
echo "$to"
