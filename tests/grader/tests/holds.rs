//! Who is first is decided by the witness, where a check asks for it, and is then the same in every run.

mod common;

use common::{LAB, that, who};
use grader::{Blocking, Family, MAIN, Refusal, Release, Run, SignalName, Story, Verdict, What, checks};
use std::process::ExitCode;

fn main() -> ExitCode {
    LAB.main(checks![
        exits_go_by_birth,
        exits_go_in_the_order_asked_for,
        main_may_end_before_its_children,
        who_slept_meanwhile_is_told,
        out_of_turn_when_nothing_else_can_happen,
        a_vfork_child_is_held_too,
        a_process_of_several_threads_is_held_once,
        a_killed_process_is_held_too,
        a_signal_waits_for_all_children,
        a_signal_goes_out_of_turn_when_nothing_else_can_happen,
        a_process_goes_first,
        a_process_is_slow_after_a_call,
        a_wait_and_a_pidfd_are_the_kernels_word,
        what_comes_before_an_end_is_not,
    ])
}

fn ran(run: Run) -> Verdict<Story> {
    let story = run.run()?;
    story.expect_exit(0)?;
    story.observed()?;
    Ok(story.clone())
}

/// The names of those who ended, in this order.
fn ends(story: &Story) -> Vec<&str> {
    let ends = story
        .events
        .iter()
        .filter(|event| matches!(event.what, What::Ends(_)));
    ends.map(|event| story.name(event.who)).collect()
}

fn releases<'a>(story: &'a Story, at: &'a str) -> impl Iterator<Item = (&'a str, &'a Release)> {
    story.events.iter().filter_map(move |event| match &event.what {
        What::Released(release) if release.at == at => Some((story.name(event.who), release)),
        _ => None,
    })
}

fn exits_go_by_birth() -> Verdict {
    let story = ran(LAB.command(&["race", "5"]).hold_exits())?;
    that(
        &story,
        ends(&story) == ["c1", "c2", "c3", "c4", "c5", "main"],
        "they end by birth, main last",
    )?;
    that(
        &story,
        releases(&story, "exit").all(|(_, release)| release.in_turn),
        "each in its turn",
    )
}

fn exits_go_in_the_order_asked_for() -> Verdict {
    let story = ran(LAB.command(&["race", "4"]).release(&["c3", "c1", "c4"]))?;
    that(
        &story,
        ends(&story) == ["c3", "c1", "c4", "c2", "main"],
        "c3, c1, c4, then the rest",
    )?;
    that(
        &story,
        releases(&story, "exit").all(|(_, release)| release.in_turn),
        "each in its turn",
    )?;
    // And so they are reaped, since main sleeps in its wait each time.
    let reaped = story
        .events
        .iter()
        .filter(|event| matches!(event.what, What::Reaped { .. }));
    that(
        &story,
        reaped
            .map(|event| story.name(event.who))
            .eq(["c3", "c1", "c4", "c2"]),
        "they are reaped in this order",
    )
}

fn main_may_end_before_its_children() -> Verdict {
    let story = ran(LAB.command(&["double"]).release(&["c1", "main", "c1.1"]))?;
    that(
        &story,
        ends(&story) == ["c1", "main", "c1.1"],
        "the orphan outlives main",
    )?;
    let story = ran(LAB.command(&["double"]).release(&["c1", "c1.1", "main"]))?;
    that(
        &story,
        ends(&story) == ["c1", "c1.1", "main"],
        "main outlives the orphan",
    )
}

fn who_slept_meanwhile_is_told() -> Verdict {
    let story = ran(LAB.command(&["wait"]).hold_exits())?;
    let c1 = who(&story, "c1")?;
    let asleep = story.slept_at_end_of(c1, MAIN);
    let in_wait =
        asleep.is_some_and(|asleep| asleep.family == Family::Wait && asleep.blocking == Blocking::Until);
    that(&story, in_wait, "main slept in wait when c1 was let go")?;
    that(
        &story,
        story.release_of(c1).map(|(at, _)| at) < story.end_of(c1).map(|(at, _)| at),
        "then c1 ended",
    )?;
    let story = ran(LAB.command(&["epoll"]).hold_exits())?;
    let asleep = story.slept_at_end_of(who(&story, "c1")?, MAIN);
    let polls =
        asleep.is_some_and(|asleep| asleep.family == Family::Poll && asleep.blocking == Blocking::Timed);
    let waits = asleep.is_some_and(|asleep| asleep.family == Family::Wait);
    that(
        &story,
        polls || waits,
        "main slept in epoll_wait for a time, or was through with it already",
    )
}

/// c2 cannot end before c1 has, whatever the check orders.
fn out_of_turn_when_nothing_else_can_happen() -> Verdict {
    let story = ran(LAB.command(&["chain"]).release(&["c2", "c1"]))?;
    that(
        &story,
        ends(&story) == ["c1", "c2", "main"],
        "c1 ends first all the same",
    )?;
    let turns: Vec<(&str, bool)> = releases(&story, "exit")
        .map(|(name, release)| (name, release.in_turn))
        .collect();
    that(
        &story,
        turns == [("c1", false), ("c2", true), ("main", true)],
        "c1 goes out of turn, and that is told",
    )
}

fn a_vfork_child_is_held_too() -> Verdict {
    let story = ran(LAB.command(&["vfork"]).hold_exits())?;
    let asleep = story.slept_at_end_of(who(&story, "c1")?, MAIN);
    that(
        &story,
        asleep.is_some_and(|asleep| asleep.family == Family::Fork),
        "main sleeps in vfork meanwhile",
    )?;
    ran(LAB.command(&["spawn"]).hold_exits())?.expect_all_reaped()
}

fn a_process_of_several_threads_is_held_once() -> Verdict {
    for args in [
        &["thread"][..],
        &["thread", "leader"],
        &["thread", "exec"],
        &["thread", "fork"],
    ] {
        let story = ran(LAB.command(args).hold_exits())?;
        let held = releases(&story, "exit")
            .filter(|(name, _)| *name == "main")
            .count();
        that(&story, held == 1, "main is held once, when its last thread ends")?;
    }
    Ok(())
}

fn a_killed_process_is_held_too() -> Verdict {
    let story = ran(LAB.command(&["killed"]).hold_exits())?;
    that(
        &story,
        story.slept_at_end_of(who(&story, "c1")?, MAIN).is_some(),
        "c1 is held on its way out",
    )
}

/// `SIGCHLD` is no counter: delivered when the third child has ended, it finds three.
fn a_signal_waits_for_all_children() -> Verdict {
    let story = ran(LAB
        .command(&["collect", "3"])
        .hold_signal("main", SignalName::SIGCHLD))?;
    story.expect_lines(&["reaped 3"])?;
    let release = releases(&story, "SIGCHLD")
        .map(|(name, release)| (name, release.in_turn))
        .collect::<Vec<_>>();
    that(
        &story,
        release == [("main", true)],
        "main's SIGCHLD was held once, until the children had ended",
    )
}

fn a_signal_goes_out_of_turn_when_nothing_else_can_happen() -> Verdict {
    let run = LAB
        .command(&["collect", "2", "waiting"])
        .hold_signal("main", SignalName::SIGCHLD);
    let story = ran(run)?;
    let turns: Vec<bool> = releases(&story, "SIGCHLD")
        .map(|(_, release)| release.in_turn)
        .collect();
    that(
        &story,
        turns == [false],
        "c1 waits for main, and main for its signal",
    )?;
    that(
        &story,
        story.stdout().starts_with("reaped 2\n"),
        "by then both others had ended",
    )?;
    story.expect_all_reaped()
}

fn a_process_goes_first() -> Verdict {
    let lines = |who: &str| (1..=3).map(|i| format!("{who} {i}\n")).collect::<String>();
    let (parent, child) = (lines("parent"), lines("child"));
    let story = ran(LAB.command(&["steps"]).first("c1"))?;
    story.expect_stdout(&format!("{child}{parent}wait: ok\n"))?;
    let story = ran(LAB.command(&["steps"]).first("main"))?;
    story.expect_stdout(&format!("{parent}{child}wait: ok\n"))
}

fn a_process_is_slow_after_a_call() -> Verdict {
    let story = ran(LAB.command(&["steps"]).hold_call("main", Family::Fork, 1))?;
    story.expect_stdout("child 1\nchild 2\nchild 3\nparent 1\nparent 2\nparent 3\nwait: ok\n")?;
    let story = ran(LAB.command(&["steps"]).hold_call("main", Family::Write, 2))?;
    let text = story.stdout();
    let at = |line| text.find(line);
    that(
        &story,
        at("child 3") < at("parent 3"),
        "the child is through before main writes a third time",
    )
}

/// Main learns that c1 has ended, in this way; the verdict on that.
fn learns(way: &str) -> Verdict {
    let story = ran(LAB.command(&["learns", way]).hold_exits())?;
    story.expect_woken_by_end(who(&story, "c1")?, MAIN)
}

fn a_wait_and_a_pidfd_are_the_kernels_word() -> Verdict {
    learns("wait")?;
    learns("pidfd")
}

fn what_comes_before_an_end_is_not() -> Verdict {
    for (way, happened) in [
        (
            "pipe",
            "it slept in read until the end of a pipe, which comes before that",
        ),
        ("nap", "it slept in clock_nanosleep, for a time"),
        ("never", "when c1 was about to end, it did not sleep"),
    ] {
        let Err(Refusal::Failed(failure)) = learns(way) else {
            panic!("{way} is taken for the kernel's word");
        };
        assert_eq!(failure.happened, happened, "{way}");
    }
    Ok(())
}
