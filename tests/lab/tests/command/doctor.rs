//! `cargo lab doctor`: this machine is not known to the test, so only the form of the answer is.

use predicates::prelude::*;
use predicates::str::{contains, is_empty};

use crate::kit::Kit;

#[test]
fn the_doctor_looks_at_everything_and_is_of_one_mind() {
    let assert = Kit::new().lab("doctor").assert().stderr(is_empty());
    let output = assert.get_output();
    let text = String::from_utf8_lossy(&output.stdout);
    for word in [
        "processor",
        "kernel",
        "ptrace",
        "yama",
        "seccomp",
        "procfs",
        "processes",
        "files",
        "strace",
    ] {
        assert!(text.contains(word), "nothing about {word}:\n{text}");
    }
    let missing = text.contains("MISSING");
    assert_eq!(output.status.code(), Some(i32::from(missing)), "{text}");
    assert_eq!(text.contains("The labs can be judged fully."), !missing, "{text}");
}

#[test]
fn what_is_missing_comes_with_advice() {
    let kit = Kit::new();
    let without = contains("without  strace     not found").and(contains("your distribution's strace"));
    kit.lab("doctor")
        .env("PATH", kit.path("empty"))
        .assert()
        .stdout(without);
    let missing = contains("MISSING  temporary").and(contains("export TMPDIR="));
    kit.lab("doctor")
        .env("TMPDIR", "/proc")
        .assert()
        .code(1)
        .stdout(missing);
}
