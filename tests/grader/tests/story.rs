//! What a story tells is what happened: every way of being born, of ending, of being reaped, stopped and interrupted.

mod common;

use common::{LAB, that, who};
use grader::{
    Blocking, End, Ending, Family, Lab, MAIN, Refusal, Run, SignalName, Story, Verdict, What, checks,
    libc::{self, SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTERM},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    LAB.main(checks![
        a_child_is_born_ends_and_is_reaped,
        a_grandchild_is_adopted_by_the_witness,
        a_subreaper_in_the_run_adopts,
        a_sister_is_not_a_child,
        vfork_is_told_as_vfork,
        posix_spawn_is_a_birth_and_an_exec,
        threads_are_not_processes,
        a_child_of_a_thread_is_its_process_s,
        a_thread_that_execs_takes_over,
        a_process_outlives_its_first_thread,
        stopped_and_continued,
        a_process_stops_once_however_many_threads_it_has,
        sigchld_ignored_needs_no_reaping,
        sa_nocldwait_needs_no_reaping,
        sa_nocldwait_ends_at_exec,
        wnowait_reaps_nobody,
        waitid_without_an_answer_reaps_all_the_same,
        a_killed_child_tells_its_signal,
        main_killed_by_itself,
        a_zombie_to_the_last,
        an_orphan_learns_of_its_adoption,
        every_child_of_a_crowd_is_reaped_once,
        a_fork_cut_short_loses_nobody,
        before_a_message_is_before_its_receipt,
        a_signal_is_sent_before_it_arrives,
        a_sleep_that_a_signal_ends_for_good_is_told,
        real_time_signals_pass,
        an_ignored_signal_interrupts_nothing,
        a_timeout_of_a_socket_holds_for_whoever_inherits_it,
        a_handler_interrupts,
        a_handler_with_sa_restart_does_not,
        what_is_not_of_interest_is_not_told,
        lines_are_put_together_from_pieces,
        all_bytes_come_through,
        a_program_may_close_its_output,
        a_program_without_a_reader,
        a_full_disk,
        what_cannot_be_started_says_why,
        a_failed_exec_is_told,
        what_crosses_an_exec_is_told,
        a_core_file_is_told_and_none_is_written,
        a_variable_of_the_plan_replaces_the_tests,
        behind_the_last_lab_there_is_none,
        a_program_of_the_plan_can_be_run,
        a_file_of_the_plan_is_there,
        a_watched_file_is_read_at_mains_end,
        who_is_named_by_a_file_gets_the_signal,
    ])
}

fn run(args: &[&str]) -> Verdict<Story> {
    Ok(LAB.command(args).run()?.clone())
}

/// The run went to its end by itself, `main` exited with 0, and it printed these lines.
fn ran(args: &[&str], lines: &[&str]) -> Verdict<Story> {
    let story = run(args)?;
    story.expect_exit(0)?;
    story.expect_lines(lines)?;
    story.observed()?;
    Ok(story)
}

/// How often something happened to a process.
fn count(story: &Story, of: usize, is_it: impl Fn(&What) -> bool) -> usize {
    story.events_of(of).filter(|(_, what)| is_it(what)).count()
}

fn a_child_is_born_ends_and_is_reaped() -> Verdict {
    let story = ran(&["wait"], &["3"])?;
    story.expect_processes(&["main", "c1"])?;
    let c1 = who(&story, "c1")?;
    that(
        &story,
        story.children(MAIN) == [c1] && story.processes[c1].parent == Some(MAIN),
        "c1 is main's child",
    )?;
    let (end, ending) = story.end_of(c1).unwrap_or((0, Ending::Exited(-1)));
    that(&story, ending == Ending::Exited(3), "c1 exits with 3")?;
    let reaped = story.expect_reaped_by(c1, MAIN)?;
    that(
        &story,
        story.processes[c1].born < end && end < reaped,
        "born, then ended, then reaped",
    )?;
    that(
        &story,
        story.end_of(MAIN).is_some_and(|(main, _)| reaped < main),
        "main ends last",
    )?;
    let told = story.waits(MAIN).any(|(at, call, wait)| {
        at + 1 == reaped
            && wait.child == Some(c1)
            && wait.wanted == story.pid(c1)
            && call.blocking == Blocking::Until
    });
    that(
        &story,
        told,
        "the wait that reaped it asked for it and stands just before the reaping",
    )
}

fn a_grandchild_is_adopted_by_the_witness() -> Verdict {
    let story = run(&["double"])?;
    story.expect_exit(0)?;
    story.expect_lines_in_any_order(&["wait: ok", "orphan"])?;
    story.expect_processes(&["main", "c1", "c1.1"])?;
    let (c1, orphan) = (who(&story, "c1")?, who(&story, "c1.1")?);
    story.expect_reaped_by(c1, MAIN)?;
    let adopted = story.adoption_of(orphan);
    that(
        &story,
        adopted.is_some_and(|(_, pid)| story.is_adopter(pid)),
        "c1.1 is adopted by the witness",
    )?;
    let at = adopted.map_or(0, |(at, _)| at);
    that(
        &story,
        story.end_of(c1).is_some_and(|(end, _)| end < at),
        "its parent had ended before",
    )?;
    that(
        &story,
        story.end_of(orphan).is_some_and(|(end, _)| at < end),
        "it ends as an orphan",
    )?;
    that(
        &story,
        story.reaping_of(orphan).is_none() && story.left_zombie(orphan).is_none(),
        "the witness reaps it",
    )
}

fn a_subreaper_in_the_run_adopts() -> Verdict {
    let story = ran(&["subreaper"], &["wait: ok", "wait: ok"])?;
    let orphan = who(&story, "c1.1")?;
    that(
        &story,
        story.adoption_of(orphan).map(|(_, pid)| pid) == Some(story.pid(MAIN)),
        "main adopts c1.1",
    )?;
    story.expect_reaped_by(orphan, MAIN).map(drop)
}

fn a_sister_is_not_a_child() -> Verdict {
    let story = ran(&["sister"], &["wait: ECHILD"])?;
    let sister = who(&story, "c1")?;
    that(
        &story,
        story.reaping_of(sister).is_none(),
        "main cannot reap what CLONE_PARENT made",
    )?;
    that(
        &story,
        story.left_zombie(sister).is_none(),
        "and it does not leave it behind either",
    )
}

fn vfork_is_told_as_vfork() -> Verdict {
    let story = ran(&["vfork"], &["wait: ok"])?;
    let c1 = who(&story, "c1")?;
    let by_vfork =
        |what: &What| matches!(what, What::Forks { child, call } if *child == c1 && call == "vfork");
    that(
        &story,
        count(&story, MAIN, by_vfork) == 1,
        "main makes c1 by vfork",
    )?;
    that(
        &story,
        story.end_of(c1).map(|(_, ending)| ending) == Some(Ending::Exited(4)),
        "c1 exits with 4",
    )?;
    story.expect_all_reaped()
}

fn posix_spawn_is_a_birth_and_an_exec() -> Verdict {
    let story = ran(&["spawn"], &["posix_spawn: ok"])?;
    let c1 = who(&story, "c1")?;
    let execs = |what: &What| matches!(what, What::Execs(path) if path.ends_with("/specimen"));
    that(
        &story,
        count(&story, c1, execs) == 1,
        "c1 executes the specimen, once",
    )?;
    that(
        &story,
        story.end_of(c1).map(|(_, ending)| ending) == Some(Ending::Exited(5)),
        "c1 exits with 5",
    )?;
    story.expect_all_reaped()
}

fn threads_are_not_processes() -> Verdict {
    let story = ran(&["thread"], &["3"])?;
    story.expect_processes(&["main"])?;
    that(
        &story,
        count(&story, MAIN, |what| *what == What::Spawns) == 3,
        "main makes three threads",
    )?;
    that(
        &story,
        count(&story, MAIN, |what| matches!(what, What::Ends(_))) == 1,
        "and ends once",
    )
}

fn a_child_of_a_thread_is_its_process_s() -> Verdict {
    let story = ran(&["thread", "fork"], &["wait: ok"])?;
    story.expect_processes(&["main", "c1"])?;
    story.expect_all_reaped()
}

fn a_thread_that_execs_takes_over() -> Verdict {
    let story = ran(&["thread", "exec"], &["exec"])?;
    story.expect_processes(&["main"])?;
    that(
        &story,
        count(&story, MAIN, |what| matches!(what, What::Execs(_))) == 2,
        "main executes twice",
    )?;
    let mut execs = story.calls_of(MAIN, Family::Exec);
    that(
        &story,
        execs.next_back().is_some_and(|(_, call)| call.result == Some(0)) && execs.count() == 1,
        "both come back, the thread's as the process's",
    )?;
    that(
        &story,
        count(&story, MAIN, |what| matches!(what, What::Ends(_))) == 1,
        "and ends once",
    )
}

fn a_process_outlives_its_first_thread() -> Verdict {
    let story = ran(&["thread", "leader"], &["outlived"])?;
    let print = story.writers_of("outlived").first().map(|&(at, _)| at);
    that(
        &story,
        story
            .end_of(MAIN)
            .is_some_and(|(end, _)| print.is_some_and(|print| print < end)),
        "it ends after that",
    )
}

fn stopped_and_continued() -> Verdict {
    let story = run(&["stop"])?;
    story.expect_exit(0)?;
    let c1 = who(&story, "c1")?;
    let at = |wanted: &What| {
        story
            .events_of(c1)
            .find(|(_, what)| *what == wanted)
            .map(|(at, _)| at)
    };
    let (stops, continues) = (at(&What::Stops(SIGSTOP)), at(&What::Continues));
    that(
        &story,
        stops.is_some() && stops < continues,
        "c1 is stopped by SIGSTOP, then continued",
    )?;
    let sent = story
        .signals(c1)
        .map(|(_, signal)| signal.number)
        .collect::<Vec<_>>();
    that(&story, sent == [SIGSTOP, SIGCONT], "it got both signals")?;
    that(
        &story,
        story
            .end_of(c1)
            .is_some_and(|(at, end)| continues < Some(at) && end == Ending::Exited(7)),
        "c1 ends after",
    )?;
    let told = story
        .waits(MAIN)
        .filter(|(.., wait)| wait.child == Some(c1))
        .count();
    that(&story, told >= 2, "main is told of the stop and of the end")?;
    let first = story
        .waits(MAIN)
        .find(|(.., wait)| wait.child == Some(c1))
        .map(|(at, ..)| at);
    that(
        &story,
        stops < first,
        "it is told of the stop when that has happened",
    )?;
    that(
        &story,
        count(&story, c1, |what| matches!(what, What::Reaped { .. })) == 1,
        "but reaps once",
    )?;
    that(
        &story,
        story.reaping_of(c1).map(|(at, _)| at) > story.end_of(c1).map(|(at, _)| at),
        "after the end",
    )
}

fn a_process_stops_once_however_many_threads_it_has() -> Verdict {
    let story = ran(&["thread", "stop"], &["stopped: ok", "wait: ok"])?;
    let c1 = who(&story, "c1")?;
    that(
        &story,
        count(&story, c1, |what| matches!(what, What::Stops(_))) == 1,
        "c1 stops once",
    )?;
    that(
        &story,
        count(&story, c1, |what| *what == What::Continues) == 1,
        "and is continued once",
    )
}

fn is_auto_reaped(story: &Story) -> Verdict {
    let c1 = who(story, "c1")?;
    that(story, story.was_auto_reaped(c1), "the kernel reaps c1")?;
    that(
        story,
        story.reaping_of(c1).is_none() && story.left_zombie(c1).is_none(),
        "and nobody else",
    )
}

fn sigchld_ignored_needs_no_reaping() -> Verdict {
    is_auto_reaped(&ran(&["ignored"], &["wait: ECHILD"])?)
}

fn sa_nocldwait_needs_no_reaping() -> Verdict {
    is_auto_reaped(&ran(&["nocldwait"], &["wait: ECHILD"])?)
}

fn sa_nocldwait_ends_at_exec() -> Verdict {
    let story = ran(&["nocldwait", "exec"], &["3"])?;
    that(
        &story,
        !story.was_auto_reaped(who(&story, "c1")?),
        "nobody reaps c1 but its parent",
    )?;
    story.expect_all_reaped()
}

fn wnowait_reaps_nobody() -> Verdict {
    let story = ran(&["nowait"], &["look: ok", "look: ok", "take: ok"])?;
    let c1 = who(&story, "c1")?;
    let waits: Vec<bool> = story
        .waits(MAIN)
        .filter(|(.., wait)| wait.child == Some(c1))
        .map(|(.., wait)| wait.nowait)
        .collect();
    that(&story, waits == [true, true, false], "two looks, then the wait")?;
    let last = story.waits(MAIN).last().map(|(at, ..)| at);
    that(
        &story,
        story.reaping_of(c1).map(|(at, _)| at) > last,
        "the last of them reaps",
    )?;
    that(
        &story,
        count(&story, c1, |what| matches!(what, What::Reaped { .. })) == 1,
        "once",
    )
}

fn waitid_without_an_answer_reaps_all_the_same() -> Verdict {
    let story = ran(&["null"], &["waitid: ok"])?;
    story.expect_all_reaped()
}

fn a_killed_child_tells_its_signal() -> Verdict {
    let story = ran(&["killed"], &["wait: ok"])?;
    let c1 = who(&story, "c1")?;
    that(
        &story,
        story.end_of(c1).map(|(_, end)| end) == Some(Ending::Killed(SIGTERM)),
        "SIGTERM ends c1",
    )?;
    let from_main = story
        .signals(c1)
        .any(|(_, s)| s.number == SIGTERM && s.from == Some(MAIN) && !s.caught && !s.ignored);
    that(&story, from_main, "it got SIGTERM from main, and had no handler")?;
    let heard = story
        .signals(MAIN)
        .any(|(_, signal)| signal.number == SIGCHLD && signal.ignored && signal.from == Some(c1));
    that(
        &story,
        heard,
        "main got a SIGCHLD from c1, which does nothing by default",
    )?;
    story.expect_all_reaped()
}

fn main_killed_by_itself() -> Verdict {
    let story = run(&["gone"])?;
    story.expect_over()?;
    that(
        &story,
        story.status == Some(Ending::Killed(SIGKILL)),
        "SIGKILL ends main",
    )
}

fn a_zombie_to_the_last() -> Verdict {
    let story = ran(&["leak"], &["look: ok"])?;
    let c1 = who(&story, "c1")?;
    that(
        &story,
        story.left_zombie(c1) > story.end_of(MAIN).map(|(at, _)| at),
        "when main has ended, c1 is a zombie still",
    )?;
    that(
        &story,
        story.end_of(c1).map(|(at, _)| at) < story.end_of(MAIN).map(|(at, _)| at),
        "it had ended before",
    )?;
    that(
        &story,
        story.reaping_of(c1).is_none() && story.adoption_of(c1).is_none(),
        "nobody reaped or adopted it alive",
    )
}

fn an_orphan_learns_of_its_adoption() -> Verdict {
    let story = run(&["orphan"])?;
    story.expect_exit(0)?;
    story.expect_lines_in_any_order(&["fork: ok", "orphan"])?;
    let c1 = who(&story, "c1")?;
    let adopted = story.adoption_of(c1);
    that(
        &story,
        adopted.is_some_and(|(_, pid)| story.is_adopter(pid)),
        "c1 is adopted by the witness",
    )?;
    let new = story
        .calls(c1)
        .find(|(_, call)| call.name == "getppid" && call.result == Some(story.witness.into()));
    that(
        &story,
        new.map(|(at, _)| at) > adopted.map(|(at, _)| at),
        "c1 learns of it after it has happened",
    )?;
    that(
        &story,
        story.left_zombie(c1).is_none(),
        "c1 is no zombie to anybody",
    )
}

fn every_child_of_a_crowd_is_reaped_once() -> Verdict {
    let story = ran(&["race", "50"], &["50", "wait: ECHILD"])?;
    that(&story, story.processes.len() == 51, "fifty children")?;
    story.expect_all_reaped()?;
    let once = |child: usize| count(&story, child, |what| matches!(what, What::Reaped { .. })) == 1;
    that(
        &story,
        story.children(MAIN).into_iter().all(once),
        "each is reaped once",
    )
}

fn a_fork_cut_short_loses_nobody() -> Verdict {
    let story = ran(&["slain"], &["slain"])?;
    that(
        &story,
        story.children(MAIN).len() == 100,
        "a hundred children of main",
    )?;
    let ended = (0..story.processes.len()).all(|process| story.end_of(process).is_some());
    that(&story, ended, "everybody's end is told")?;
    let reaped = |child: usize| story.reaping_of(child).is_some_and(|(_, by)| by == MAIN);
    that(
        &story,
        story.children(MAIN).into_iter().all(reaped),
        "main reaps its hundred",
    )
}

fn before_a_message_is_before_its_receipt() -> Verdict {
    let story = ran(&["relay"], &["first", "second", "wait: ok"])?;
    let first = story.expect_line_by("first", who(&story, "c1")?)?;
    let second = story.expect_line_by("second", MAIN)?;
    that(&story, first < second, "`first` was written before `second`")?;
    let on_pipe = |of, family| {
        let mut calls = story.calls_of(of, family);
        calls
            .find(|(_, call)| call.on.iter().any(|on| on.starts_with("pipe:")))
            .map(|(at, _)| at)
    };
    let (sent, got) = (
        on_pipe(who(&story, "c1")?, Family::Write),
        on_pipe(MAIN, Family::Read),
    );
    that(
        &story,
        sent.is_some() && sent < got,
        "the message was sent before it was read",
    )
}

fn a_signal_is_sent_before_it_arrives() -> Verdict {
    let story = ran(&["killed"], &["wait: ok"])?;
    let sent = story
        .calls(MAIN)
        .find(|(_, call)| call.name == "kill")
        .map(|(at, _)| at);
    let got = story.signals(who(&story, "c1")?).map(|(at, _)| at).next();
    that(
        &story,
        sent.is_some() && sent < got,
        "main sends it, then c1 gets it",
    )
}

fn a_sleep_that_a_signal_ends_for_good_is_told() -> Verdict {
    let story = ran(&["killed"], &["wait: ok"])?;
    let (mut run, c1) = (LAB.command(&["asleep"]).start()?, who(&story, "c1")?);
    run.until_quiet()?;
    run.signal("c1", SignalName::SIGUSR1)?;
    run.until_quiet()?;
    run.signal("c1", SignalName::SIGTERM)?;
    let story = run.finish()?;
    story.expect_exit(0)?;
    let pauses: Vec<Option<i64>> = story
        .calls_of(c1, Family::SignalWait)
        .map(|(_, call)| call.result)
        .collect();
    that(
        &story,
        pauses == [Some(-i64::from(libc::EINTR)), None],
        "one pause is interrupted, the other never comes back",
    )
}

fn real_time_signals_pass() -> Verdict {
    let story = ran(&["realtime"], &["0", "3"])?;
    let caught: Vec<i32> = story
        .signals(MAIN)
        .filter(|(_, signal)| signal.caught)
        .map(|(_, signal)| signal.number)
        .collect();
    that(
        &story,
        caught == [libc::SIGRTMIN(), libc::SIGRTMIN() + 3],
        "main's handler gets both",
    )
}

/// The same outcome as without a witness.
fn is_as_untraced(args: &[&str]) -> Verdict {
    let story = run(args)?;
    story.expect_exit(0)?;
    let alone = Command::new(LAB.program)
        .args(args)
        .output()
        .expect("the specimen runs");
    story.expect_stdout(&String::from_utf8_lossy(&alone.stdout))
}

fn an_ignored_signal_interrupts_nothing() -> Verdict {
    is_as_untraced(&["epoll"])?;
    is_as_untraced(&["recv"])?;
    ran(&["epoll"], &["epoll_wait: Ok(0)", "wait: ok"]).map(drop)
}

fn a_timeout_of_a_socket_holds_for_whoever_inherits_it() -> Verdict {
    is_as_untraced(&["recv", "inherited"])?;
    let story = run(&["recv", "orphaned"])?;
    story.expect_exit(0)?;
    story.expect_lines_in_any_order(&["fork: ok", "recv: Err(WouldBlock)"])
}

fn a_handler_interrupts() -> Verdict {
    let mut run = LAB.command(&["handler", "plain"]).input("").start()?;
    run.until_quiet()?;
    run.signal("main", SignalName::SIGUSR1)?;
    run.until_quiet()?;
    run.input(b"x")?;
    let story = run.finish()?;
    story.expect_exit(0)?;
    story.expect_lines(&["handler", "read: EINTR", "again: ok"])?;
    that(
        &story,
        reads(&story) == [Some(-i64::from(libc::EINTR)), Some(1)],
        "the read came back with EINTR, the one made after it with a byte",
    )
}

/// What the reads that may sleep came to.
fn reads(story: &Story) -> Vec<Option<i64>> {
    let reads = story.calls_of(MAIN, Family::Read);
    let reads = reads.filter(|(_, call)| call.blocking == Blocking::Until);
    reads.map(|(_, call)| call.result).collect()
}

fn a_handler_with_sa_restart_does_not() -> Verdict {
    let mut run = LAB.command(&["handler", "restart"]).input("").start()?;
    run.until_quiet()?;
    run.signal("main", SignalName::SIGUSR1)?;
    run.until_quiet()?;
    run.input(b"x")?;
    let story = run.finish()?;
    story.expect_exit(0)?;
    story.expect_lines(&["handler", "read: ok"])?;
    that(
        &story,
        reads(&story) == [Some(1)],
        "to the program it is one read, which came back with a byte",
    )
}

fn what_is_not_of_interest_is_not_told() -> Verdict {
    let (quick, idle) = (ran(&["quick"], &[])?, ran(&["exit", "0"], &[])?);
    that(
        &quick,
        quick.events.len() == idle.events.len(),
        "100,000 getpid are no event",
    )
}

fn lines_are_put_together_from_pieces() -> Verdict {
    let story = ran(&["pieces"], &["one", "two"])?;
    let writes: Vec<(usize, &str)> = story.writes(MAIN, "stdout").collect();
    that(
        &story,
        writes.iter().map(|(_, text)| *text).eq(["one\ntw", "o", "\n"]),
        "three writes",
    )?;
    let lines = story.lines_of(MAIN);
    that(
        &story,
        lines == [(writes[0].0, "one".to_owned()), (writes[2].0, "two".to_owned())],
        "a line is there when it ends",
    )
}

fn all_bytes_come_through() -> Verdict {
    let story = run(&["bytes"])?;
    story.expect_exit(0)?;
    let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    that(&story, story.stdout == all, "standard output is every byte")
}

fn a_program_may_close_its_output() -> Verdict {
    let story = run(&["unheard"])?;
    story.expect_exit(9)?;
    story.expect_lines(&["heard"])?;
    story.expect_processes(&["main", "c1"])?;
    story.expect_all_reaped()
}

fn a_program_without_a_reader() -> Verdict {
    let story = LAB.command(&["write", "3"]).reader_gone().run()?;
    story.expect_end_without_reader()?;
    that(&story, story.stdout.is_empty(), "nothing arrives")
}

fn a_full_disk() -> Verdict {
    let story = LAB.command(&["write", "3"]).disk_full().run()?;
    story.expect_exit(1)?;
    that(
        &story,
        story.stderr() == "write: ENOSPC\n",
        "the first write fails",
    )
}

fn what_cannot_be_started_says_why() -> Verdict {
    let place = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str, mode| {
        let path = place.path().join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
        path
    };
    let cases = [
        (place.path().join("missing"), "No such file or directory"),
        (file("plain", "#!/bin/sh\nexit 0\n", 0o644), "Permission denied"),
        (place.path().to_owned(), "Permission denied"),
        (
            file("orphaned", "#!/no/such/interpreter\n", 0o755),
            "No such file or directory",
        ),
        (file("garbage", "\x7fELF\x01", 0o755), "Exec format error"),
    ];
    for (program, reason) in cases {
        let story = grader::Run::new(&program, &[]).run()?;
        that(&story, story.end == End::NotStarted(reason.to_owned()), reason)?;
        that(
            &story,
            story.events.is_empty() && story.status.is_none(),
            "and nothing has happened",
        )?;
    }
    let script = file("script", "#!/bin/sh\necho started\n", 0o755);
    grader::Run::new(&script, &[]).run()?.expect_lines(&["started"])
}

fn a_failed_exec_is_told() -> Verdict {
    let story = ran(&["exec", "/no/such/program"], &["exec: ENOENT"])?;
    let failed = story
        .calls_of(MAIN, Family::Exec)
        .any(|(_, call)| call.result == Some(-i64::from(libc::ENOENT)) && call.on == ["/no/such/program"]);
    that(&story, failed, "the exec that failed is told, and of what")
}

fn shell(line: &str) -> Run {
    Run::new(Path::new("/bin/sh"), &["-c", line])
}

fn what_crosses_an_exec_is_told() -> Verdict {
    let story = shell("exec 7</dev/null; exec true").run()?;
    story.expect_exit(0)?;
    story.observed()?;
    let inherited = story.inheritance_of(MAIN).map(|(_, all)| all);
    that(
        &story,
        inherited == Some(&["/dev/null".to_owned()]),
        "descriptor 7 crossed the exec",
    )?;
    let story = shell("exec true").run()?;
    that(
        &story,
        story.inheritance_of(MAIN).is_none(),
        "nothing crossed the exec",
    )
}

fn a_core_file_is_told_and_none_is_written() -> Verdict {
    // Who may have none at all cannot be seen to have done something against it.
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max core file size"));
    let may = line.and_then(|line| line.split_whitespace().nth(5)) != Some("0");
    let story = shell("kill -QUIT $$").run()?;
    story.expect_no_file()?;
    story.observed()?;
    that(
        &story,
        story.dump_of(MAIN).is_some() == may,
        "the signal leaves a core file",
    )?;
    for line in ["ulimit -c 0; kill -QUIT $$", "kill -TERM $$"] {
        let story = shell(line).run()?;
        that(
            &story,
            story.dump_of(MAIN).is_none(),
            "the signal leaves no core file",
        )?;
    }
    Ok(())
}

fn a_variable_of_the_plan_replaces_the_tests() -> Verdict {
    let story = shell("echo $PATH").env("PATH", "/nowhere").run()?;
    story.expect_lines(&["/nowhere"])
}

fn a_program_of_the_plan_can_be_run() -> Verdict {
    let run = shell("./program").program("program", "#!/bin/sh\necho here\n");
    run.run()?.expect_lines(&["here"])
}

fn a_file_of_the_plan_is_there() -> Verdict {
    let story = shell("cat given; echo more >>given")
        .file("given", "one\n")
        .run()?;
    story.expect_exit(0)?;
    story.expect_lines(&["one"])?;
    let after = grader::small_file(&story.path("given"));
    assert_eq!(after.as_deref(), Some("one\nmore\n"), "the check may look at it");
    Ok(())
}

fn a_watched_file_is_read_at_mains_end() -> Verdict {
    for (line, held) in [
        ("echo early >file; echo late >file", Some(&b"late\n"[..])),
        ("true", None),
        ("mkfifo file", None), // which nobody would ever write to
        ("ln -s /etc/passwd file", None),
    ] {
        let story = shell(line).watch("file").run()?;
        story.expect_exit(0)?;
        story.observed()?;
        that(&story, story.watched.as_deref() == held, line)?;
    }
    Ok(())
}

fn who_is_named_by_a_file_gets_the_signal() -> Verdict {
    let sleeper = |line| shell(line).signal_by("pid", SignalName::SIGTERM).run();
    let story = sleeper("sleep 1000 & echo $! >pid")?;
    story.expect_exit(0)?;
    story.observed()?;
    let c1 = who(&story, "c1")?;
    let main_ended = story.end_of(MAIN).map(|(at, _)| at);
    let signal = story
        .signals(c1)
        .find(|(_, signal)| signal.number == libc::SIGTERM);
    that(
        &story,
        signal.map(|(at, _)| at) > main_ended,
        "it comes when main has ended",
    )?;
    let end = story.end_of(c1).map(|(_, ending)| ending);
    that(
        &story,
        end == Some(Ending::Killed(libc::SIGTERM)),
        "and ends the sleeper",
    )?;

    // Nobody outside of the run is ever signalled.
    let story = sleeper("sleep 1000 & echo $PPID >pid")?;
    story.observed()?;
    that(
        &story,
        story.end == End::LeftBehind(vec!["c1".to_owned()]),
        "the witness is, and c1 is not named",
    )
}

fn behind_the_last_lab_there_is_none() -> Verdict {
    let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../labs");
    let mut names: Vec<String> = fs::read_dir(&labs)
        .and_then(|all| {
            all.map(|lab| Ok(lab?.file_name().to_string_lossy().into_owned()))
                .collect()
        })
        .map_err(|error| Refusal::Broken(error.to_string()))?;
    names.sort();
    for (at, name) in names.iter().enumerate() {
        let directory = labs.join(name).to_string_lossy().into_owned().leak();
        let lab = Lab { directory, ..LAB };
        let next = (at + 1 < names.len()).then_some(at + 2);
        if lab.next() != next {
            let told = format!("behind {name} comes {:?}, and not {next:?}", lab.next());
            return Err(Refusal::Broken(told));
        }
    }
    Ok(())
}
