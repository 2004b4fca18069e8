#!/usr/bin/env bash
# The reference's pack and unpack of lab 5 against Python's: `just bench struct`.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo run --quiet --release --manifest-path tests/bench/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}" --features zerocopy --bin structs
