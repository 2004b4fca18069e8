#!/usr/bin/env bash
# The reference's servers against one in C, one on tokio, and nginx: what a round trip costs, in processor time.
#
# Usage: tests/bench/servers.sh [--quick]
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --quiet --release --package solution-poll
exec cargo run --quiet --release --package bench --features tokio --bin bench -- servers "$@"
