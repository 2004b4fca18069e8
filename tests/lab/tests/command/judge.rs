//! `cargo lab LAB`: what the lab's checks are told, and whose status the command ends with.

use predicates::prelude::*;
use predicates::str::{contains, is_empty, starts_with};

use crate::kit::Kit;

#[test]
fn the_checks_take_over() {
    let kit = Kit::new();
    let record = kit.path("target/forkroom/progress/01-toy");
    for word in ["1", "01", "toy", "01-toy", "Toy", "TOY", "01-Toy"] {
        let told = format!(
            "called with --steps\nLAB_PROGRAM=(not set)\nLAB_PROGRESS={}\n",
            record.display()
        );
        kit.lab(word)
            .assert()
            .success()
            .stderr(is_empty())
            .stdout(starts_with(told));
    }
    kit.write("labs/01-toy/status", "1");
    kit.lab("1").assert().code(1).stderr(is_empty());
}

#[test]
fn the_command_becomes_the_checks() {
    let kit = Kit::new();
    kit.lab("1").assert().success();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lab"));
    command
        .arg("1")
        .env("CARGO_MANIFEST_DIR", kit.path("tests/lab"))
        .stdout(std::process::Stdio::piped());
    let child = command
        .env("CARGO_TARGET_DIR", kit.path("target"))
        .spawn()
        .unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains(&format!("pid {pid}\n")));
}

#[test]
fn options_are_passed_on() {
    let kit = Kit::new();
    kit.lab("1 --all")
        .assert()
        .success()
        .stdout(starts_with("called with --steps --all\n"));
    kit.lab("--step 2 toy")
        .assert()
        .success()
        .stdout(starts_with("called with --steps --step 2\n"));
}

#[test]
fn another_program_is_judged_and_leaves_no_record() {
    let kit = Kit::new();
    let program = kit.executable("bin/answer");
    let told = format!("LAB_PROGRAM={}\nLAB_PROGRESS=(not set)\n", program.display());
    kit.lab("1 --program bin/answer")
        .assert()
        .success()
        .stdout(contains(told.clone()));
    kit.lab_in(&kit.path("bin"), "1 --program=./answer")
        .assert()
        .success()
        .stdout(contains("/bin/answer\n"));
    kit.lab("1")
        .env("LAB_PROGRAM", "bin/answer")
        .assert()
        .success()
        .stdout(contains(told));
    kit.lab("1")
        .env("LAB_PROGRAM", "")
        .assert()
        .success()
        .stdout(contains("LAB_PROGRAM=(not set)"));
}

#[test]
fn a_program_that_cannot_be_run_is_wrong_usage() {
    let kit = Kit::new();
    kit.write("plain", "text");
    let refused = |file: &str, why: &str| {
        let line = format!("lab: `--program {file}`: {why}; try: cargo lab --help\n");
        kit.lab("1 --program")
            .arg(file)
            .assert()
            .code(2)
            .stdout(is_empty())
            .stderr(line.clone());
        kit.lab("1")
            .env("LAB_PROGRAM", file)
            .assert()
            .code(2)
            .stderr(line);
    };
    refused("nowhere", "No such file or directory");
    refused("labs", "it is a directory");
    refused("plain", "it is not executable");
    refused("/dev/null", "it is not a file");
    assert!(!kit.path("target").exists(), "something was built");
}

#[test]
fn cargo_of_another_name_is_used() {
    let kit = Kit::new();
    kit.lab("1")
        .env("CARGO", "/nowhere/cargo")
        .assert()
        .code(1)
        .stderr("lab: cargo: No such file or directory\n");
    let silent = predicate::function(|text: &str| !text.contains("panicked"));
    kit.lab("1")
        .env("CARGO", "/bin/true")
        .assert()
        .code(1)
        .stderr(silent.and(contains("built no checks")));
}

#[test]
fn a_story_takes_every_argument_behind_the_lab() {
    let kit = Kit::new();
    kit.lab("story toy --json wave --step")
        .assert()
        .success()
        .stdout(starts_with(
            "called with --story --json wave --step\nLAB_PROGRAM=(not set)\n",
        ));
    kit.lab("story")
        .assert()
        .code(2)
        .stdout(is_empty())
        .stderr(contains("which lab?"));
    kit.lab("--all story toy").assert().code(2).stdout(is_empty());
}
