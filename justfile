# list the recipes
_default:
    @just --list --unsorted

# what `cargo lab` does: `just lab 3` judges lab 3, `just lab hint 3` gives a hint
[group('learn')]
[no-exit-message, positional-arguments]
lab *ARGS:
    @cargo lab "$@"

# run the tests: of the solutions, the grader, the command, the book's sources
[group('check')]
test *ARGS:
    cargo test {{ ARGS }}

# the book in a browser, at the address that is printed; rebuilt as it changes
[group('book')]
book:
    mdbook serve book

# build the book into book/book
[group('book')]
book-build:
    mdbook build book

# look for missing includes, dead links and the like in the book and in its built pages
[group('book')]
book-check: book-build
    cargo test --package lab --test book

# format everything
[group('check')]
fmt:
    cargo fmt --all
    cargo fmt --manifest-path tests/bench/Cargo.toml

# what clippy has to say, about the stubs too
[group('check')]
lint:
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    cargo clippy --manifest-path tests/bench/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}" --all-features -- -D warnings

# take what the solutions do now as what they should do: read `git diff` afterwards
[group('check')]
review:
    INSTA_UPDATE=always cargo test

# run the solutions' checks 500 times (or RUNS; of these LABS), half of them under load: not one verdict may differ
[group('measure')]
soak RUNS="500" *LABS:
    tests/bench/soak.sh {{ RUNS }} {{ LABS }}

# `loop`: save to verdict; `witness`: its cost; `servers`, `http`: lab 4's beside others; `struct`: lab 5's beside Python's; `chat`: lab 7's; `session`: its picture
[group('measure')]
bench WHAT="loop" *ARGS:
    tests/bench/{{ WHAT }}.sh {{ ARGS }}

# what the continuous integration runs
[group('check')]
ci:
    .ci/run
