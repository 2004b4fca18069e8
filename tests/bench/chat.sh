#!/usr/bin/env bash
# The reference's chat room against small ones in C and Python, and against ngircd, inspircd, mosquitto and nats-server, as
# far as they are installed: what it costs to deliver a message, in processor time.
#
# Usage: tests/bench/chat.sh [--quick]
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --quiet --release --package solution-chat
exec cargo run --quiet --release --package bench --bin bench -- chat "$@"
