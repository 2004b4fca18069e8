//! `cargo lab hint`: one hint more each time.

use predicates::prelude::*;
use predicates::str::{contains, is_empty};

use crate::kit::Kit;

#[test]
fn hints_come_one_by_one_and_the_last_stays() {
    let kit = Kit::new();
    let next = |shown: &str, after: &str| {
        let both = contains(shown.to_owned()).and(contains(after.to_owned()));
        kit.lab("hint 1")
            .assert()
            .success()
            .stderr(is_empty())
            .stdout(both);
    };
    next(
        "Lab 1, step 1 one: hint 1 of 2\n\n  The first hint of one.\n",
        "The next one: cargo lab hint 1\n",
    );
    let section = "The chapter says more: book/src/01-toy.md, section \"Step 1: one\"\n";
    next("hint 2 of 2\n\n  The second hint of one.\n", section);
    next(
        "hint 2 of 2, which was the last\n\n  The second hint of one.\n",
        section,
    );
    next(
        "hint 2 of 2, which was the last\n\n  The second hint of one.\n",
        section,
    );
}

#[test]
fn hints_are_for_the_first_step_that_has_not_passed() {
    let kit = Kit::new();
    kit.judged("01-toy", "1 passed\n2 undone\n");
    kit.lab("hint toy")
        .assert()
        .success()
        .stdout(contains("step 2 two: hint 1 of 1"));
    kit.judged("01-toy", "1 failed\n2 passed\n");
    kit.lab("hint 01-toy")
        .assert()
        .success()
        .stdout(contains("step 1 one: hint 1 of 2"));
    kit.judged("01-toy", "1 passed\n2 passed\n");
    kit.lab("hint 1")
        .assert()
        .success()
        .stdout("Lab 1: no step is left to do, and none needs a hint.\n");
}

#[test]
fn a_step_can_be_asked_for_and_each_is_counted_alone() {
    let kit = Kit::new();
    let two = "step 2 two: hint 1 of 1\n\n  The only hint of two.\n";
    kit.lab("hint 1 --step 2")
        .assert()
        .success()
        .stdout(contains(two));
    kit.lab("hint 1 --step=1")
        .assert()
        .success()
        .stdout(contains("next one: cargo lab hint 1 --step 1"));
    kit.lab("hint 1")
        .assert()
        .success()
        .stdout(contains("hint 2 of 2"));
    kit.lab("hint 1 --step 2")
        .assert()
        .success()
        .stdout(contains("hint 1 of 1, which was the last"));
}

#[test]
fn a_hint_is_shown_also_where_it_cannot_be_counted() {
    let kit = Kit::new();
    kit.write("target/forkroom", "a file where a directory should be");
    kit.lab("hint 1")
        .assert()
        .success()
        .stdout(contains("The first hint"))
        .stderr(contains("Not a directory"));
}
