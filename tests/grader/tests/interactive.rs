//! A test acts while the program runs: at moments when everybody sleeps.

mod common;

use common::{LAB, Mark, that, who};
use grader::{End, Ending, Family, Look, MAIN, SignalName, Verdict, checks, libc};
use std::process::ExitCode;

fn main() -> ExitCode {
    LAB.main(checks![
        what_is_typed_is_answered,
        more_than_a_pipe_holds_is_typed,
        an_input_that_is_given_ends,
        an_input_that_nobody_reads_keeps_nobody_awake,
        a_signal_wakes_whom_it_names,
        a_signal_for_nobody_goes_nowhere,
        after_the_end_all_is_quiet,
        a_program_that_spins_is_never_quiet,
        a_hang_is_none_until_the_test_is_through,
        a_stopped_program_is_quiet,
        a_run_that_is_let_go_ends,
        a_signal_from_outside_ends_the_run,
        a_quiet_process_can_be_looked_at,
    ])
}

fn what_is_typed_is_answered() -> Verdict {
    let mut run = LAB.command(&["echo"]).input("").start()?;
    let story = run.until_quiet()?;
    story.expect_stdout("")?;
    story.observed()?;
    let in_read = story
        .asleep
        .iter()
        .any(|asleep| asleep.who == MAIN && asleep.family == Family::Read);
    that(&story, in_read && story.asleep.len() == 1, "main sleeps in read")?;
    run.input(b"hello\n")?;
    run.until_quiet()?.expect_lines(&["you said hello"])?;
    run.input(b"half")?;
    run.until_quiet()?.expect_lines(&["you said hello"])?;
    run.input(b" a line\n")?;
    run.close_input()?;
    let story = run.finish()?;
    story.expect_exit(0)?;
    story.expect_lines(&["you said hello", "you said half a line", "the end"])
}

/// 200 KB: the witness feeds it as the program takes it, and closes the input behind it.
fn more_than_a_pipe_holds_is_typed() -> Verdict {
    let line = "x".repeat(200_000);
    let mut run = LAB.command(&["echo"]).input("").start()?;
    run.input(format!("{line}\n").as_bytes())?;
    run.close_input()?;
    let story = run.finish()?;
    story.expect_exit(0)?;
    story.expect_stdout(&format!("you said {line}\nthe end\n"))
}

/// Without a test that goes on typing, the input ends behind what was given.
fn an_input_that_is_given_ends() -> Verdict {
    let story = LAB.command(&["echo"]).input("one\n").run()?;
    story.expect_exit(0)?;
    story.expect_lines(&["you said one", "the end"])
}

/// Nobody reads it: to wait until the program takes more would be to wait for ever.
fn an_input_that_nobody_reads_keeps_nobody_awake() -> Verdict {
    let mut run = LAB.command(&["hang"]).input(vec![b'x'; 200_000]).start()?;
    let story = run.until_quiet()?;
    that(&story, story.asleep.len() == 1, "main sleeps")?;
    let story = run.finish()?;
    that(&story, matches!(story.end, End::Hung(_)), "main hangs")
}

fn a_signal_wakes_whom_it_names() -> Verdict {
    let mut run = LAB.command(&["asleep"]).start()?;
    let story = run.until_quiet()?;
    let c1 = who(&story, "c1")?;
    that(
        &story,
        story
            .asleep
            .iter()
            .any(|s| s.who == c1 && s.family == Family::SignalWait),
        "c1 sleeps in pause",
    )?;
    run.signal("c1", SignalName::SIGUSR1)?;
    run.until_quiet()?.expect_lines(&["woken"])?;
    run.signal("c1", SignalName::SIGTERM)?;
    let story = run.finish()?;
    story.expect_exit(0)?;
    that(
        &story,
        story.end_of(c1).map(|(_, end)| end) == Some(Ending::Killed(libc::SIGTERM)),
        "SIGTERM ends c1",
    )?;
    story.expect_reaped_by(c1, MAIN).map(drop)
}

fn a_signal_for_nobody_goes_nowhere() -> Verdict {
    let mut run = LAB.command(&["echo"]).input("").start()?;
    run.signal("c7", SignalName::SIGKILL)?;
    run.until_quiet()?;
    run.close_input()?;
    let story = run.until_quiet()?;
    that(
        &story,
        story.status == Some(Ending::Exited(0)),
        "main ends by itself",
    )?;
    run.signal("main", SignalName::SIGKILL)?;
    run.finish()?.expect_exit(0)
}

fn after_the_end_all_is_quiet() -> Verdict {
    let mut run = LAB.command(&["wait"]).start()?;
    let first = run.until_quiet()?;
    first.expect_exit(0)?;
    let again = run.until_quiet()?;
    that(&again, again == first, "the same story every time")?;
    let last = run.finish()?;
    that(&last, *last == first, "and in the end")
}

fn a_program_that_spins_is_never_quiet() -> Verdict {
    let mut run = LAB.command(&["spin", "cpu"]).start()?;
    let story = run.until_quiet()?;
    that(
        &story,
        story.end == End::Busy(MAIN),
        "the run is over, and main was busy",
    )
}

fn a_hang_is_none_until_the_test_is_through() -> Verdict {
    let mut run = LAB.command(&["hang"]).start()?;
    let story = run.until_quiet()?;
    that(
        &story,
        story.end == End::Over && story.asleep.len() == 1,
        "main sleeps, and may be woken yet",
    )?;
    let story = run.finish()?;
    that(
        &story,
        matches!(story.end, End::Hung(_)),
        "when nobody will act any more, it hangs",
    )
}

fn a_stopped_program_is_quiet() -> Verdict {
    let mut run = LAB.command(&["hang", "stopped"]).start()?;
    let story = run.until_quiet()?;
    that(
        &story,
        story.asleep.is_empty() && story.status.is_none(),
        "nobody runs, and nobody sleeps in a call",
    )?;
    run.signal("main", SignalName::SIGCONT)?;
    let story = run.finish()?;
    story.expect_exit(0)?;
    story.expect_lines(&["raise: ok"])
}

/// The check may fail in the middle.
fn a_run_that_is_let_go_ends() -> Verdict {
    let mark = Mark::new();
    let mut run = mark.command(&["hang", "two"]).start()?;
    let story = run.until_quiet()?;
    that(&story, mark.survivors().len() == 2, "main and c1 are there")?;
    drop(run);
    that(&story, mark.survivors().is_empty(), "nobody is there any more")?;
    let gone = !std::path::Path::new(&story.directory).exists();
    that(&story, gone, "nor is the directory of the run")
}

fn a_signal_from_outside_ends_the_run() -> Verdict {
    let mark = Mark::new();
    let mut run = mark.command(&["hang", "two"]).start()?;
    let story = run.until_quiet()?;
    // SAFETY: takes no pointer; the witness lives as long as `run`.
    unsafe { libc::kill(story.witness, libc::SIGTERM) };
    let story = run.finish()?;
    that(&story, story.end == End::Stopped, "the run was stopped")?;
    that(&story, mark.survivors().is_empty(), "nobody is there any more")
}

fn a_quiet_process_can_be_looked_at() -> Verdict {
    let line = "cd /usr && exec sleep 1000 7</dev/null";
    let mut run = grader::Run::new(std::path::Path::new("/bin/sh"), &["-c", line]).start()?;
    let story = run.until_quiet()?;
    story.observed()?;
    let pid = story.pid(MAIN);
    let look = Look::at(pid).expect("it sleeps");
    assert_eq!(look.directory, "/usr");
    assert_eq!(look.session, story.witness, "it has made no session of its own");
    assert_eq!(look.descriptors.get(&7).map(String::as_str), Some("/dev/null"));
    run.signal("main", SignalName::SIGKILL)?;
    let story = run.finish()?;
    story.expect_over()?;
    assert!(Look::at(pid).is_none(), "there is nobody to look at any more");
    Ok(())
}
