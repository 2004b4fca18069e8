#!/usr/bin/env bash
# From saving a one-line edit in lab 1 to the verdict: the whole, and where the time goes. Works in a copy of the project.
#
# Usage: tests/bench/loop.sh [ROUNDS]   (default 15)
# With `rustlings` installed (cargo install rustlings) its `run quiz2` is timed in the same rounds.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-15}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -co --exclude-standard | tar -cT - 2>/dev/null | tar -xC "$copy"
cd "$copy"
unset CARGO_TARGET_DIR

# The linker, timed. Only in rounds of its own: the wrapper takes time too.
cat >linker <<'END'
#!/usr/bin/env bash
start=${EPOCHREALTIME/./}
cc "$@"; status=$?
echo $((${EPOCHREALTIME/./} - start)) >"$FORKROOM_LINK_TIME"
exit $status
END
chmod +x linker
export FORKROOM_LINK_TIME=$copy/link.time
link() {
  CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=$copy/linker CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=$copy/linker \
    cargo build --quiet --package lab-fork --target-dir target/link >/dev/null 2>&1 || true
}

now() { echo "${EPOCHREALTIME/./}"; }
timed() { # NAME COMMAND...: keeps the microseconds of a run
  local name=$1 start; shift; start=$(now)
  "$@" >/dev/null 2>&1 || true
  echo $(($(now) - start)) >>"times.$name"
}
median() { sort -n "times.$1" | awk '{t[NR]=$1} END {printf "%.3f", t[int((NR+1)/2)]/1e6}'; }
edit() { echo "// edit $1" >>"$2"; }

echo "building …"
mkdir stub && cp -r labs/01-fork/src stub/
checks() {
  cargo test --package lab-fork --no-run --message-format=json 2>/dev/null |
    grep -o '"executable":"[^"]*/deps/fork-[^"]*"' | cut -d'"' -f4
}
cargo lab 1 >/dev/null 2>&1 || true
binary=$(checks)
rustlings=$(command -v rustlings || true)
if [ -n "$rustlings" ]; then
  (echo | rustlings init) >/dev/null 2>&1
  # A solved exercise: it is built, tested, looked at by clippy and run.
  cat >rustlings/exercises/quizzes/quiz2.rs <<'END'
enum Command {
    Uppercase,
    Trim,
    Append(usize),
}

fn transformer(input: Vec<(String, Command)>) -> Vec<String> {
    let apply = |(text, command): (String, Command)| match command {
        Command::Uppercase => text.to_uppercase(),
        Command::Trim => text.trim().to_string(),
        Command::Append(n) => text + &"bar".repeat(n),
    };
    input.into_iter().map(apply).collect()
}

fn main() {
    println!("{:?}", transformer(vec![("a".to_string(), Command::Uppercase)]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_works() {
        let input = vec![
            ("hello".to_string(), Command::Uppercase),
            (" all roads lead to rome! ".to_string(), Command::Trim),
            ("foo".to_string(), Command::Append(1)),
            ("bar".to_string(), Command::Append(5)),
        ];
        assert_eq!(transformer(input), ["HELLO", "all roads lead to rome!", "foobar", "barbarbarbarbarbar"]);
    }
}
END
  (cd rustlings && rustlings run quiz2) >/dev/null 2>&1 || true
fi

for subject in stub done; do
  if [ $subject = done ]; then cp solutions/01-fork/src/* labs/01-fork/src/; else cp stub/src/* labs/01-fork/src/; fi
  cargo lab 1 >/dev/null 2>&1 || true
  for ((i = 1; i <= rounds; i++)); do
    edit "$i" labs/01-fork/src/twice.rs
    timed "whole.$subject" cargo lab 1
    if [ -n "$rustlings" ]; then
      edit "$i" rustlings/exercises/quizzes/quiz2.rs
      (cd rustlings && start=$(now) && { rustlings run quiz2 >/dev/null 2>&1 || true; } && echo $(($(now) - start)) >>"../times.rustlings.$subject")
    fi
  done
  # The parts apart from the whole, as nobody runs them in between.
  for ((i = 1; i <= rounds; i++)); do
    edit "$i" labs/01-fork/src/twice.rs
    timed "build.$subject" cargo test --quiet --package lab-fork --no-run
    timed "nothing.$subject" cargo test --quiet --package lab-fork --no-run
    timed "command.$subject" cargo lab --version
    timed "checks.$subject" "$binary" --steps
  done
  link
  for ((i = 1; i <= 5; i++)); do
    edit "$i" labs/01-fork/src/twice.rs
    link
    cat link.time >>"times.link.$subject"
  done
  echo
  echo "lab 1, $([ $subject = done ] && echo 'every step done (all checks run)' || echo 'a fresh stub (stops at step 1)'), seconds, medians of $rounds:"
  echo "  save to verdict, cargo lab 1      $(median "whole.$subject")"
  echo "    cargo run, with nothing to do   $(median "command.$subject")"
  echo "    cargo test --no-run, likewise   $(median "nothing.$subject")"
  awk -v b="$(median "build.$subject")" -v n="$(median "nothing.$subject")" -v l="$(median "link.$subject")" \
    'BEGIN { printf "    compile                         %.3f\n    link                            %.3f\n", b - n - l, l }'
  echo "    checks                          $(median "checks.$subject")"
  if [ -n "$rustlings" ]; then
    awk -v w="$(median "whole.$subject")" -v r="$(median "rustlings.$subject")" \
      'BEGIN { printf "  rustlings run quiz2               %.3f   ratio %.2f\n", r, w / r }'
  fi
done
