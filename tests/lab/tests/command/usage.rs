//! How the command is called, and called wrongly.

use predicates::prelude::*;
use predicates::str::{contains, is_empty};

use crate::kit::Kit;

/// Exit 2, nothing on stdout, and one line that names what is wrong and where help is.
fn refused(args: &str, named: &str) {
    let one_line = predicate::function(|text: &str| text.lines().count() == 1);
    let kit = Kit::new();
    let refusal = kit.lab(args).assert().code(2).stdout(is_empty());
    refusal.stderr(one_line.and(contains(named)).and(contains("cargo lab --help")));
    assert!(!kit.path("target").exists(), "something was built or written");
}

#[test]
fn unknown_words_are_named() {
    refused("9", "no lab `9`, there are 1 toy, 2 game");
    refused("tiy", "no lab `tiy`");
    refused("hint tiy", "no lab `tiy`");
    refused("--al", "unknown option `--al`");
    refused("1 -x", "unknown option `-x`");
    refused("--all=yes 1", "unknown option `--all=yes`");
    refused("1 2", "surplus argument `2`");
    refused("hint 1 2", "surplus argument `2`");
    refused("bench 1 2", "surplus argument `2`");
    refused("bench tiy", "no lab `tiy`");
    refused("doctor 1", "surplus argument `1`");
    refused("help 1", "surplus argument `1`");
}

#[test]
fn what_is_missing_is_named() {
    refused("--all", "which lab?");
    refused("--step 1", "which lab?");
    refused("hint", "of which lab?");
    refused("bench", "of which lab?");
    refused("bench --quick", "of which lab?");
    refused("1 --step", "`--step` needs a number");
    refused("1 --program", "`--program` needs a file");
    refused("1 --program=", "`--program` needs a file");
}

#[test]
fn steps_are_those_of_the_lab() {
    refused("1 --step two", "`--step` needs a number, not `two`");
    refused("1 --step -1", "not `-1`");
    refused("1 --step 0", "no step 0, this lab has steps 1 to 2");
    refused("toy --step=3", "no step 3, this lab has steps 1 to 2");
    refused("hint game --step 2", "no step 2, this lab has steps 1 to 1");
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    refused("1 --all --step 2", "exclude each other");
    refused("doctor --all", "`doctor` takes no option");
    refused("1 --quick", "`--quick` is for `bench`");
    refused("bench 1 --all", "no option but `--quick`");
    refused("hint 1 --all", "no option but `--step N`");
    refused("hint 1 --program /bin/true", "no option but `--step N`");
}

#[test]
fn only_one_lab_has_a_benchmark() {
    refused("bench 1", "lab 1 has no benchmark, labs 4 and 6 have one");
    refused("bench game --quick", "lab 2 has no benchmark");
}

#[test]
fn help_and_version_are_answers() {
    let kit = Kit::new();
    for args in ["--help", "-h", "help", "1 --help"] {
        kit.lab(args)
            .assert()
            .success()
            .stderr(is_empty())
            .stdout(contains("cargo lab hint LAB"));
    }
    for args in ["--version", "-V"] {
        kit.lab(args)
            .assert()
            .success()
            .stderr(is_empty())
            .stdout("forkroom 0.1.0\n");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_trouble() {
    let kit = Kit::new();
    for args in ["", "--help", "hint 1", "doctor"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lab"));
        command
            .args(args.split_whitespace())
            .env("CARGO_MANIFEST_DIR", kit.path("tests/lab"))
            .stdout(writer);
        command.env("CARGO_TARGET_DIR", kit.path("target"));
        let output = command.output().unwrap();
        assert_ne!(output.status.code(), Some(101), "{args}: a panic");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args}");
    }
}

#[test]
fn a_full_disk_is_named() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lab"));
    let output = command.arg("--help").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "lab: write: No space left on device\n"
    );
}
