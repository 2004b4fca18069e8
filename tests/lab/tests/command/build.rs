//! What a learner sees of a build: rustc's words on the lab, and nothing else.

use predicates::prelude::*;
use predicates::str::{contains, is_empty, starts_with};

use crate::kit::Kit;

const CARGOS_WORDS: [&str; 4] = ["could not compile", "generated", "Compiling", "aborting due to"];

fn of_rustc(text: &str) -> bool {
    !CARGOS_WORDS.iter().any(|words| text.contains(words))
}

#[test]
fn code_that_does_not_compile_shows_rustcs_messages_only() {
    let kit = Kit::new();
    kit.write(
        "labs/01-toy/src/main.rs",
        "fn main() {\n    let unused = 1;\n    undefined();\n}\n",
    );
    let place =
        "error[E0425]: cannot find function `undefined` in this scope\n --> labs/01-toy/src/main.rs:3:5\n";
    // Also the second time: cargo repeats what it has kept.
    for _ in 0..2 {
        let messages = predicate::function(of_rustc)
            .and(contains(place))
            .and(contains("\x1b").not());
        kit.lab("1").assert().code(1).stdout(is_empty()).stderr(messages);
    }
    assert!(
        !kit.path("target/forkroom").exists(),
        "a record of a run that did not happen"
    );
}

#[test]
fn warnings_come_before_the_verdict() {
    let kit = Kit::new();
    kit.write(
        "labs/01-toy/src/main.rs",
        "fn main() {\n    let forgotten = 1;\n}\n",
    );
    for _ in 0..2 {
        let messages =
            starts_with("warning: unused variable: `forgotten`").and(predicate::function(of_rustc));
        kit.lab("1")
            .assert()
            .success()
            .stdout(starts_with("called with"))
            .stderr(messages);
    }
}

#[test]
fn warnings_about_the_checks_are_not_the_learners() {
    let kit = Kit::new();
    kit.write("tests/01_toy.rs", "fn main() { let forgotten = 1; }\n");
    kit.lab("1").assert().success().stderr(is_empty());
}

#[test]
fn a_linker_that_fails_is_rustcs_message() {
    let kit = Kit::new();
    let link = "#[link(name = \"nowhere_to_be_found\")]\nunsafe extern \"C\" {}\nfn main() {}\n";
    kit.write("labs/01-toy/src/main.rs", link);
    kit.lab("1")
        .assert()
        .code(1)
        .stderr(starts_with("error: linking with").and(predicate::function(of_rustc)));
}

#[test]
fn cargos_own_trouble_is_shown_as_it_says_it() {
    let kit = Kit::new();
    kit.write("labs/01-toy/Cargo.toml", "[package\n");
    kit.lab("1")
        .assert()
        .code(1)
        .stdout(is_empty())
        .stderr(contains("error:").and(contains("labs/01-toy/Cargo.toml")));

    kit.write(
        "labs/01-toy/Cargo.toml",
        "[package]\nname = \"lab-toy\"\n[dependencies]\nnowhere_to_be_found = \"1\"\n",
    );
    kit.lab("1")
        .assert()
        .code(1)
        .stderr(contains("no matching package").or(contains("offline")));
}

#[test]
fn a_long_build_is_followed_but_not_the_labs_own() {
    let kit = Kit::new();
    kit.write(
        "dependency/Cargo.toml",
        "[package]\nname = \"dependency\"\nedition = \"2024\"\n",
    );
    kit.write("dependency/src/lib.rs", "");
    let toml = std::fs::read_to_string(kit.path("labs/01-toy/Cargo.toml")).unwrap();
    kit.write(
        "labs/01-toy/Cargo.toml",
        &(toml + "[dependencies]\ndependency.path = \"../../dependency\"\n"),
    );
    let following = contains("   Compiling dependency").and(contains("lab-toy").not());
    kit.lab("1").assert().success().stderr(following);
    kit.lab("1").assert().success().stderr(is_empty());
}

#[test]
fn a_build_works_from_any_directory() {
    let kit = Kit::new();
    kit.lab_in(&kit.path("labs/01-toy/src"), "1")
        .assert()
        .success()
        .stderr(is_empty());
}
