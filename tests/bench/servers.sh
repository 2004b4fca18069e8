#!/usr/bin/env bash
# The reference's servers against one in C, one on tokio, and nginx: what a round trip costs, in processor time.
#
# Usage: tests/bench/servers.sh [--quick]
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
cargo build --quiet --release --package solution-poll --target-dir "$target"
# tokio-echo is looked for next to the benchmark.
cargo build --quiet --release --manifest-path tests/bench/Cargo.toml --target-dir "$target" --features tokio --bin bench --bin tokio-echo
exec cargo run --quiet --release --manifest-path tests/bench/Cargo.toml --target-dir "$target" --features tokio --bin bench -- servers "$@"
