//! A fault that a check orders happens to the call that it names, and to no other.

mod common;

use common::{LAB, that};
use grader::{Ending, Errno, Family, MAIN, Run, Story, Verdict, What, checks};
use std::process::ExitCode;

fn main() -> ExitCode {
    LAB.main(checks![
        a_fork_is_refused_whatever_its_call,
        several_faults_in_one_run,
        a_fault_that_never_comes_up_changes_nothing,
        a_refused_call_is_not_made,
        an_exec_is_refused,
        every_blocking_call_can_be_interrupted,
        a_call_that_does_not_block_is_not_interrupted,
        a_write_can_be_interrupted,
        a_process_exits_with_another_code,
        a_fault_is_told_by_its_number,
    ])
}

fn faults(story: &Story) -> usize {
    story
        .events
        .iter()
        .filter(|event| matches!(event.what, What::Fault(_)))
        .count()
}

fn prints(run: Run, lines: &[&str]) -> Verdict<Story> {
    let story = run.run()?;
    story.expect_exit(0)?;
    story.expect_lines(lines)?;
    story.observed()?;
    Ok(story.clone())
}

/// A thread is made before each fork: it is not counted.
fn a_fork_is_refused_whatever_its_call() -> Verdict {
    for way in ["fork", "call", "clone", "clone3"] {
        let (ok, refused) = (format!("{way}: ok"), format!("{way}: EAGAIN"));
        let run = LAB.command(&["forks", way]).fail(Family::Fork, 2, Errno::EAGAIN);
        let story = prints(run, &[&ok, &refused, &ok])?;
        story.expect_processes(&["main", "c1", "c2"])?;
        let told = story.events.windows(2).any(|pair| {
            let refused = -i64::from(Errno::EAGAIN as i32);
            matches!(pair[0].what, What::Fault(_))
                && matches!(&pair[1].what, What::Calls(call) if call.family == Family::Fork && call.result == Some(refused))
        });
        that(
            &story,
            told && faults(&story) == 1,
            "the fault is told, and then the call that failed",
        )?;
    }
    Ok(())
}

fn several_faults_in_one_run() -> Verdict {
    let run = LAB.command(&["forks", "fork"]);
    let run = run
        .fail(Family::Fork, 3, Errno::ENOMEM)
        .fail(Family::Fork, 1, Errno::EAGAIN);
    let story = prints(run, &["fork: EAGAIN", "fork: ok", "fork: ENOMEM"])?;
    that(&story, faults(&story) == 2, "two faults")
}

fn a_fault_that_never_comes_up_changes_nothing() -> Verdict {
    let run = LAB
        .command(&["forks", "fork"])
        .fail(Family::Fork, 4, Errno::EAGAIN);
    let story = prints(run, &["fork: ok", "fork: ok", "fork: ok"])?;
    that(&story, faults(&story) == 0, "no fault is told")
}

fn a_refused_call_is_not_made() -> Verdict {
    let story = LAB
        .command(&["write", "3"])
        .fail(Family::Write, 2, Errno::ENOSPC)
        .run()?;
    story.expect_exit(1)?;
    story.expect_lines(&["line 1"])?;
    that(
        &story,
        story.stderr() == "write: ENOSPC\n",
        "the program learns of it",
    )
}

/// The program's own start is not counted.
fn an_exec_is_refused() -> Verdict {
    let run = LAB
        .command(&["exec", "/bin/true"])
        .fail(Family::Exec, 1, Errno::EACCES);
    prints(run, &["exec: EACCES"]).map(drop)
}

/// For each call of `blocks` that may sleep: this one is interrupted, and all others go well. The second sleep is made by
/// the child: it is counted over the whole run.
fn every_blocking_call_can_be_interrupted() -> Verdict {
    let calls = [
        "wait",
        "sleep",
        "write",
        "poll",
        "read",
        "read",
        "child's sleep",
        "wait",
    ];
    let each = [
        (Family::Wait, 1, 0),
        (Family::Sleep, 1, 1),
        (Family::Poll, 1, 3),
        (Family::Read, 1, 4),
        (Family::Read, 2, 5),
        (Family::Sleep, 2, 6),
        (Family::Wait, 2, 7),
    ];
    for (family, nth, at) in each {
        let came = |i| if i == at { "EINTR" } else { "ok" };
        let lines: Vec<String> = calls
            .iter()
            .enumerate()
            .map(|(i, call)| format!("{call}: {}", came(i)))
            .collect();
        let story = LAB.command(&["blocks"]).interrupt(family, nth).run()?;
        // Nobody waits for the child when the last wait is the one that fails.
        story.expect_over()?;
        if at == 7 {
            story.expect_lines_in_any_order(&lines)?;
        } else {
            story.expect_lines(&lines.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        story.observed()?;
        that(&story, faults(&story) == 1, "one fault")?;
    }
    Ok(())
}

fn a_call_that_does_not_block_is_not_interrupted() -> Verdict {
    let run = LAB.command(&["polls"]).interrupt(Family::Wait, 1);
    let story = prints(run, &["ask: ok", "ask: ok", "ask: ok", "wait: EINTR"])?;
    story.expect_reaped_by(1, MAIN).map(drop)
}

fn a_write_can_be_interrupted() -> Verdict {
    let story = LAB.command(&["write", "3"]).interrupt(Family::Write, 3).run()?;
    story.expect_exit(1)?;
    story.expect_lines(&["line 1", "line 2"])?;
    that(
        &story,
        story.stderr() == "write: EINTR\n",
        "the program learns of it",
    )
}

/// By name, and whatever its code was to be; the others keep theirs.
fn a_process_exits_with_another_code() -> Verdict {
    let story = prints(LAB.command(&["wait"]).exit_code("c1", 99), &["99"])?;
    that(
        &story,
        story
            .end_of(1)
            .is_some_and(|(_, ending)| ending == Ending::Exited(99)),
        "c1 exits with 99",
    )?;
    LAB.command(&["exit", "3"])
        .exit_code("main", 0)
        .run()?
        .expect_exit(0)
}

fn a_fault_is_told_by_its_number() -> Verdict {
    for (nth, told) in [
        (1, "first"),
        (3, "third"),
        (4, "4th"),
        (11, "11th"),
        (13, "13th"),
        (21, "21st"),
        (22, "22nd"),
        (23, "23rd"),
        (112, "112th"),
    ] {
        let run = LAB.command(&["exit", "0"]).fail(Family::Fork, nth, Errno::EAGAIN);
        assert_eq!(run.run()?.given, format!("the {told} fork fails (EAGAIN)"));
    }
    Ok(())
}
