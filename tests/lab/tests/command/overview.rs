//! `cargo lab`: what there is, how far the learner is, what comes next.

use predicates::prelude::*;
use predicates::str::{contains, is_empty};

use crate::kit::Kit;

fn shown(kit: &Kit) -> String {
    let assert = kit.lab("").assert().success().stderr(is_empty());
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

#[test]
fn a_fresh_clone_is_told_where_to_start() {
    let expected = "\
From fork to chat room
✓ passed  ✗ failed  ○ not done yet  – not checked here  · not judged yet

Lab 1 · toy: a lab to play with  0 of 2 steps
  · 1 one  Asks for one thing, and shows it.
  · 2 two  Asks for another thing.

Lab 2 · game: a lab to look at  0 of 1 steps
  · 1 start

Nothing has been run yet. Start with lab 1, step 1 one
  book/src/01-toy.md       what to read
  labs/01-toy/src/main.rs  where to write
  cargo lab 1              judges it
  cargo lab hint 1         if you are stuck
";
    assert_eq!(shown(&Kit::new()), expected);
}

#[test]
fn where_to_write_is_where_the_gap_is() {
    let kit = Kit::new();
    kit.write(
        "labs/01-toy/src/parts.rs",
        "// TODO 2: another thing\n// TODO 1: one thing\n",
    );
    assert!(shown(&kit).contains("\n  labs/01-toy/src/parts.rs  where to write\n"));
}

#[test]
fn steps_show_how_they_ended() {
    let kit = Kit::new();
    kit.judged("01-toy", "1 passed\n2 failed\n");
    kit.touch("target/forkroom/progress/01-toy", 60);
    let text = shown(&kit);
    assert!(text.contains("1 of 2 steps\n  ✓ 1 one  Asks"), "{text}");
    assert!(
        text.contains("✗ 2 two  Asks for another thing. (failed)"),
        "{text}"
    );
    assert!(text.contains("Next: lab 1, step 2 two\n"), "{text}");
    assert!(text.contains("labs/01-toy/src/two.rs"), "{text}");

    kit.judged("01-toy", "1 undone\n");
    let text = shown(&kit);
    assert!(
        text.contains("○ 1 one  Asks for one thing, and shows it. (not done yet)"),
        "{text}"
    );
}

#[test]
fn a_lab_that_is_done_makes_room_for_the_next() {
    let kit = Kit::new();
    kit.judged("01-toy", "1 passed\n2 passed\n");
    let text = shown(&kit);
    assert!(text.contains("2 of 2 steps\n  ✓ 1 one  ✓ 2 two\n"), "{text}");
    assert!(text.contains("Next: lab 2, step 1 start"), "{text}");

    kit.judged("02-game", "1 passed\n");
    assert!(shown(&kit).contains("Every lab is done."));
}

#[test]
fn what_cannot_be_checked_here_does_not_hold_a_learner_up() {
    let kit = Kit::new();
    kit.judged("01-toy", "1 not-checked\n2 failed\n");
    let text = shown(&kit);
    assert!(
        text.contains("0 of 2 steps\n  – 1 one  Asks for one thing, and shows it. (not checked here;"),
        "{text}"
    );
    assert!(text.contains("Next: lab 1, step 2 two"), "{text}");
}

#[test]
fn a_learner_may_begin_in_the_middle() {
    let kit = Kit::new();
    kit.judged("02-game", "1 failed\n");
    assert!(shown(&kit).contains("Next: lab 2, step 1 start"));

    kit.judged("02-game", "1 passed\n");
    assert!(shown(&kit).contains("Next: lab 1, step 1 one"));
}

#[test]
fn an_edit_since_the_last_run_is_told() {
    let kit = Kit::new();
    kit.judged("01-toy", "1 passed\n2 failed\n");
    kit.touch("target/forkroom/progress/01-toy", 60);
    assert!(!shown(&kit).contains("changed since"));

    kit.touch("labs/01-toy/src/two.rs", 120);
    let text = shown(&kit);
    assert!(text.contains("1 of 2 steps, changed since\n"), "{text}");
    assert!(
        text.contains("Next: lab 1, step 2 two, which has changed since it was judged\n"),
        "{text}"
    );
}

#[test]
fn a_pipe_gets_no_colours() {
    Kit::new()
        .lab("")
        .assert()
        .success()
        .stdout(contains("\x1b").not());
}

#[test]
fn a_damaged_list_of_steps_is_named() {
    let kit = Kit::new();
    kit.write("tests/hints/01-toy.md", "# Lab 1\n## 2 two\nAsks.\n- Hint.\n");
    kit.lab("")
        .assert()
        .code(1)
        .stderr("lab: tests/hints/01-toy.md: line 2: step 1 expected, not `2`\n");
    kit.write("tests/hints/01-toy.md", "# Lab 1\n## 1 one\nAsks.\n");
    kit.lab("")
        .assert()
        .code(1)
        .stderr("lab: tests/hints/01-toy.md: step 1 has no hint\n");
}

#[test]
fn the_kit_itself_lists_every_lab_with_its_steps() {
    let empty = tempfile::tempdir().unwrap();
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_lab"));
    command
        .env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", empty.path());
    let assert = command
        .assert()
        .success()
        .stderr(is_empty())
        .stdout(contains("Start with lab 1, step 1 twice"));
    let text = String::from_utf8_lossy(&assert.get_output().stdout).into_owned();
    let labs = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../labs"))
        .unwrap()
        .count();
    assert_eq!(text.matches("\nLab ").count(), labs, "{text}");
    assert!(text.contains("labs/01-fork/src/twice.rs"), "{text}");
}
