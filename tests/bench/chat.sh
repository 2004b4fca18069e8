#!/usr/bin/env bash
# The reference's chat room against small ones in C and Python, and against ngircd, inspircd, mosquitto and nats-server, as
# far as they are installed: what it costs to deliver a message, in processor time. Or, with `crowd`: 200 members talk, some are
# killed, a stranger floods the room, and whatever is lost must be counted.
#
# Usage: tests/bench/chat.sh [--quick]
#        tests/bench/chat.sh crowd [--stream] [SECONDS]   (default: 60)
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --release --package solution-chat --target-dir "$target"
[ "${1:-}" = crowd ] || set -- chat "$@"
TMPDIR=$(mktemp -d) # also after Ctrl-C nothing of the others' files is left
export TMPDIR
chmod go+rx "$TMPDIR" # some of them give up root's privileges
trap 'rm -rf "$TMPDIR"' EXIT
cargo run --quiet --release --manifest-path tests/bench/Cargo.toml --target-dir "$target" --bin bench -- "$@"
