//! Lab 3, orphan and zombie: the steps, what each wants of a program, and how the kernel proves it.
//!
//! Who ends first is not left to luck: the witness holds a process at its exit until the others sleep, and looks in what
//! they sleep (`hold_exits`, `release`); or it lets one of them be faster than all others (`first`). The nearest subreaper
//! above the program is the witness itself, so that an orphan's new parent is the witness.

use grader::{
    Blocking, Call, Ending, Errno, Event, Family, Lab, Look, MAIN, Proc, Run, Running, SignalName, Story,
    Told, Verdict, What, both, checks, lab, libc, small_file,
};
use std::{fs, path::Path, process::ExitCode};

const LAB: Lab = lab!();

fn main() -> ExitCode {
    LAB.main(checks![
        step_1_orphan,
        step_1_orphan_when_the_parent_is_faster,
        step_1_orphan_when_the_child_is_faster,
        step_1_orphan_when_interrupted,
        step_1_orphan_when_fork_fails,
        step_1_orphan_when_the_disk_is_full,
        step_1_orphan_when_nobody_reads,
        step_1_orphan_wrong_usage,
        step_2_zombie,
        step_2_zombie_when_the_child_is_faster,
        step_2_zombie_when_interrupted,
        step_2_zombie_when_fork_fails,
        step_2_zombie_wrong_usage,
        step_3_double,
        step_3_double_when_main_is_faster,
        step_3_double_when_the_worker_is_faster,
        step_3_double_when_the_middle_process_is_faster,
        step_3_double_when_interrupted,
        step_3_double_when_a_fork_fails,
        step_3_double_wrong_usage,
        step_4_ignore,
        step_4_ignore_when_the_children_are_faster,
        step_4_ignore_one_and_none,
        step_4_ignore_64,
        step_4_ignore_when_interrupted,
        step_4_ignore_when_a_fork_fails,
        step_4_ignore_wrong_usage,
        step_5_handler,
        step_5_handler_one_and_none,
        step_5_handler_64,
        step_5_handler_when_they_end_after_the_look,
        step_5_handler_when_interrupted,
        step_5_handler_when_a_fork_fails,
        step_5_handler_wrong_usage,
        step_6_daemon,
        step_6_daemon_when_killed_at_once,
        step_6_daemon_twice,
        step_6_daemon_with_a_stale_file,
        step_6_daemon_with_a_strangers_id,
        step_6_daemon_when_interrupted,
        step_6_daemon_when_a_call_fails,
        step_6_daemon_wrong_usage,
    ])
}

const C1: Proc = 1;
const WORKER: Proc = 2;

// Step 1, orphan. The parent ends first, and the child gets another parent: the nearest subreaper. The child knows when
// to ask again, because the kernel wakes it once that has happened: a pidfd of the parent, or the signal that it has asked
// for with PR_SET_PDEATHSIG. A sleep is a guess; the end of a pipe comes too early.

fn step_1_orphan() -> Verdict {
    let story = LAB.command(&["orphan"]).hold_exits().run()?;
    knows_when(&story, MAIN, C1)?;
    orphan(&story)?;
    story.expect_woken_by_end(MAIN, C1)?;
    LAB.snapshot_with_output("orphan", &story);
    Ok(())
}

fn step_1_orphan_when_the_parent_is_faster() -> Verdict {
    orphan(&LAB.command(&["orphan"]).first("main").run()?)
}

fn step_1_orphan_when_the_child_is_faster() -> Verdict {
    orphan(&LAB.command(&["orphan"]).first("c1").run()?)
}

fn step_1_orphan_when_interrupted() -> Verdict {
    interrupted(&["orphan"], orphan)
}

fn orphan(story: &Told) -> Verdict {
    story.expect_exit(0)?;
    adopted_by_the_witness(story, C1)?;
    prints_its_adopter(story, "child: adopted by ", MAIN)?;
    let first = format!("child: parent {}", story.pid(MAIN));
    let last = format!("child: adopted by {}", story.witness);
    story.expect_lines_in_any_order(&[&first, "parent: leaving", &last])?;
    story.expect_processes(&["main", "c1"])?;
    let leaving = story.expect_line_by("parent: leaving", MAIN)?;
    let why = "Only as long as its parent lives can a child show whose it was; so the parent has to know that it has.";
    story.expect_before(
        story.expect_line_by(&first, C1)?,
        leaving,
        "main leaves when the child has said whose child it is",
        "main said that it leaves before the child had spoken",
        why,
    )?;
    asks_when_adopted(story, C1, story.expect_line_by(&last, C1)?)?;
    story.expect_prompt_lines()
}

fn step_1_orphan_when_fork_fails() -> Verdict {
    fork_fails(&["orphan"], 1, &["main"])
}

fn step_1_orphan_when_the_disk_is_full() -> Verdict {
    let story = LAB.command(&["orphan"]).disk_full().run()?;
    story.expect_error_line(LAB.name())
}

fn step_1_orphan_when_nobody_reads() -> Verdict {
    orphan(&LAB.command(&["orphan"]).run()?)?;
    let story = LAB.command(&["orphan"]).reader_gone().run()?;
    story.expect_end_without_reader()
}

fn step_1_orphan_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&[], &["widow"], &["orphan", "2"], &[""]])?;
    let help = LAB.command(&["--help"]).run()?;
    help.expect_exit(0)?;
    let why = "`--help` is the first thing that people type, and they pipe it into a pager.";
    help.demand(
        !help.stdout.is_empty(),
        None,
        "`--help` prints the usage on standard output",
        "standard output was empty",
        why,
    )
}

/// If `waiting` slept when `dying` was about to end, it did so rightly. (The first thing to judge: what it printed afterwards
/// may have been right by luck.)
fn knows_when(story: &Story, dying: Proc, waiting: Proc) -> Verdict {
    match story.slept_at_end_of(dying, waiting) {
        Some(_) => story.expect_woken_by_end(dying, waiting),
        None => Ok(()),
    }
}

/// The line with this prefix names the witness, whoever `parent` was. (From the output alone: ptrace is not needed.)
fn prints_its_adopter(story: &Story, prefix: &str, parent: Proc) -> Verdict {
    let stdout = story.stdout();
    let Some(printed) = stdout.lines().find_map(|line| line.strip_prefix(prefix)) else {
        return Ok(()); // the lines as a whole are judged elsewhere
    };
    if printed == story.witness.to_string() {
        return Ok(());
    }
    let at = story.writers_of_prefix(prefix).first().map(|&(at, ..)| at);
    let (happened, why) = if printed == story.pid(parent).to_string() {
        (
            format!(
                "it printed {}, its old parent: that had not ended when it asked",
                story.name(parent)
            ),
            "A parent that still lives is a parent: ask when you know that it has ended.",
        )
    } else {
        (
            format!("it printed {}", story.named(printed)),
            "The nearest subreaper adopts an orphan, and process 1 only where there is none: ask, and assume nothing.",
        )
    };
    let expected = format!("`{prefix}…` names the process that adopted it, here the witness");
    Err(story.refusal(at, expected, happened, why))
}

/// Who adopted `who`, if somebody did, is the witness.
fn adopted_by_the_witness(story: &Story, who: Proc) -> Verdict {
    let Some((adopted, by)) = story.adoption_of(who) else {
        return Ok(());
    };
    story.demand(
        story.is_adopter(by),
        Some(adopted),
        format!(
            "{} is adopted by the witness, the nearest subreaper above the program",
            story.name(who)
        ),
        format!(
            "it was adopted by {}, which had made itself a subreaper",
            story.named(&by.to_string())
        ),
        "A subreaper gets every orphan below it for its child, and has to reap it: nothing was got rid of.",
    )
}

/// `who` was adopted, and asked for its parent between that and what it wrote at event `line`.
fn asks_when_adopted(story: &Story, who: Proc, line: usize) -> Verdict {
    let parent = story.processes[who].parent.unwrap_or(MAIN);
    let (name, parent) = (story.name(who), story.name(parent));
    let why = "An orphan is a process whose parent has ended: nobody adopts it as long as that one lives.";
    let (adopted, _) = story.adoption_of(who).unwrap_or((usize::MAX, 0));
    story.expect_before(
        adopted,
        line,
        &format!("{name} is adopted before it says by whom"),
        &format!("it said so while {parent} was still its parent"),
        why,
    )?;
    let asks = |call: &Call| call.name == "getppid" || call.on.iter().any(|on| on.starts_with("/proc/"));
    let asked = story
        .calls(who)
        .any(|(at, call)| at > adopted && at < line && asks(call));
    story.demand(
        asked,
        Some(line),
        format!("{name} asks the kernel for its parent once it is adopted"),
        "it named its new parent without having asked",
        "What is known of yesterday's parent says nothing about today's: getppid tells.",
    )
}

// Step 2, zombie. Between its end and its parent's wait a child is still in the table: state Z. To look at it then, the
// parent has to know that the child has ended, and must not have reaped it: `WNOWAIT`.

fn step_2_zombie() -> Verdict {
    let story = LAB.command(&["zombie"]).hold_exits().run()?;
    knows_when(&story, C1, MAIN)?;
    zombie(&story)?;
    story.expect_woken_by_end(C1, MAIN)?;
    LAB.snapshot_with_output("zombie", &story);
    Ok(())
}

fn step_2_zombie_when_the_child_is_faster() -> Verdict {
    zombie(
        &LAB.command(&["zombie"])
            .hold_call("main", Family::Fork, 1)
            .run()?,
    )
}

fn step_2_zombie_when_interrupted() -> Verdict {
    interrupted(&["zombie"], zombie)
}

fn zombie(story: &Told) -> Verdict {
    story.expect_exit(0)?;
    let stdout = story.stdout();
    let child = stdout
        .strip_prefix("child ")
        .and_then(|rest| rest.split(' ').next());
    let child = match (child.and_then(|pid| pid.parse().ok()), story.pid(C1)) {
        (Some(printed), 0) => printed, // unobserved: whether it is the true one cannot be seen
        (_, pid) => pid,
    };
    let (dead, gone) = (format!("child {child} is Z"), format!("child {child} is gone"));
    // First when main looked: what it then saw of a living child is chance.
    both(looked_in_time(story), story.expect_lines(&[&dead, &gone]))?;
    let reaped = story.expect_reaped_by(C1, MAIN)?;
    let dead = story.expect_line_by(&dead, MAIN)?;
    let gone = story.expect_line_by(&gone, MAIN)?;
    let ended = story.end_of(C1).map_or(usize::MAX, |(at, _)| at);
    story.demand(
        reads_state(story, C1, ended, dead.min(reaped)),
        Some(dead),
        "main reads the child's state when it has ended, and before it reaps it",
        "between the child's end and its reaping main did not read its state from /proc",
        "Reaped is gone: only between its end and its reaping is a process a zombie.",
    )?;
    story.demand(
        looks(story, C1, reaped, gone),
        Some(gone),
        "main looks for the child again when it has reaped it",
        "it printed that the child is gone without having looked",
        "That it was reaped does not yet say that it is gone: look, and let the kernel say it.",
    )?;
    story.expect_prompt_lines()
}

/// Main reaped its child, and had not looked at it only while it lived.
fn looked_in_time(story: &Story) -> Verdict {
    story.expect_processes(&["main", "c1"])?;
    let reaped = story.expect_reaped_by(C1, MAIN)?;
    let ended = story.end_of(C1).map_or(usize::MAX, |(at, _)| at);
    let pid = story.pid(C1);
    let early = story
        .calls(MAIN)
        .find(|(at, call)| *at < ended && call.on.iter().any(|on| on.starts_with(&format!("/proc/{pid}/"))));
    let Some((early, _)) = early else { return Ok(()) };
    story.demand(
        reads_state(story, C1, ended, reaped),
        Some(early),
        "main reads the child's state when it has ended, and before it reaps it",
        "main looked while the child was still alive",
        "Between its end and its reaping a process is a zombie: wait for the end without reaping, and look then.",
    )
}

/// Main read the state of `child` between these two events: only `stat` and `status` tell it.
fn reads_state(story: &Story, child: Proc, after: usize, before: usize) -> bool {
    let pid = story.pid(child);
    let files = [format!("/proc/{pid}/stat"), format!("/proc/{pid}/status")];
    let mut reads = story
        .calls_of(MAIN, Family::Read)
        .filter(|&(at, _)| at > after && at < before);
    reads.any(|(_, call)| call.result > Some(0) && call.on.iter().any(|on| files.contains(on)))
}

/// Main looked at `child`, in `/proc` or by asking for its id, between these two events.
fn looks(story: &Story, child: Proc, after: usize, before: usize) -> bool {
    let pid = story.pid(child);
    let (itself, inside) = (format!("/proc/{pid}"), format!("/proc/{pid}/"));
    let reads = |call: &Call| call.on.iter().any(|on| *on == itself || on.starts_with(&inside));
    let asks = |call: &Call| ["kill", "pidfd_open"].contains(&&*call.name) && call.args[0] == pid as u64;
    let mut calls = story.calls(MAIN).filter(|&(at, _)| at > after && at < before);
    calls.any(|(_, call)| reads(call) || asks(call))
}

fn step_2_zombie_when_fork_fails() -> Verdict {
    fork_fails(&["zombie"], 1, &["main"])
}

fn step_2_zombie_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&["zombie", "zombie"], &["zombie", ""]])
}

// Step 3, double. Fork twice, and end in between: the worker belongs to nobody in this program, so main has to reap only
// the middle process, which is gone at once. What the worker does, and for how long, is no business of main's any more.

fn step_3_double() -> Verdict {
    let story = LAB.command(&["double"]).hold_exits().run()?;
    knows_when(&story, C1, WORKER)?;
    double(&story)?;
    ends_without_the_worker(&story)?;
    story.expect_woken_by_end(C1, WORKER)?;
    LAB.snapshot("double", &story);
    Ok(())
}

fn step_3_double_when_main_is_faster() -> Verdict {
    let story = LAB.command(&["double"]).first("main").run()?;
    double(&story)?;
    let end = story.end_of(MAIN).map_or(usize::MAX, |(at, _)| at);
    let first = story.calls(WORKER).map(|(at, _)| at).next().unwrap_or(usize::MAX);
    story.expect_before(
        end,
        first,
        "main, when it is faster, ends before the worker has done anything",
        "main slept until the worker had done something",
        "Free is who waits for nobody: neither for the worker's end, nor for a word from it.",
    )
}

fn step_3_double_when_the_worker_is_faster() -> Verdict {
    double(&LAB.command(&["double"]).release(&["c1", "c1.1", "main"]).run()?)
}

fn step_3_double_when_the_middle_process_is_faster() -> Verdict {
    double(&LAB.command(&["double"]).first("c1").run()?)
}

fn step_3_double_when_interrupted() -> Verdict {
    interrupted(&["double"], double)
}

fn double(story: &Told) -> Verdict {
    story.expect_exit(0)?;
    is_a_grandchild(story)?;
    adopted_by_the_witness(story, WORKER)?;
    prints_its_adopter(story, "worker: adopted by ", C1)?;
    let adopted = format!("worker: adopted by {}", story.witness);
    story.expect_lines_in_any_order(&["main: free", &adopted, "worker: done"])?;
    story.expect_processes(&["main", "c1", "c1.1"])?;
    let adopted = story.expect_line_by(&adopted, WORKER)?;
    story.expect_before(
        story.expect_reaped_by(C1, MAIN)?,
        story.expect_line_by("main: free", MAIN)?,
        "main is free when it has reaped the middle process",
        "it said so when it had not reaped it yet",
        "Until it is reaped the middle process is a zombie of main's: got rid of one, and made another.",
    )?;
    asks_when_adopted(story, WORKER, adopted)?;
    story.expect_before(
        adopted,
        story.expect_line_by("worker: done", WORKER)?,
        "the worker is done when it has said who adopted it",
        "it was done before that",
        "A program's lines come in the order in which it writes them.",
    )?;
    story.expect_prompt_lines()
}

/// Main, the elder, was let go to its end before the worker: it was not asleep, waiting for the worker.
fn ends_without_the_worker(story: &Story) -> Verdict {
    let slept = story.slept_at_end_of(WORKER, MAIN);
    let call = slept.map_or("a call", |asleep| asleep.call.as_str());
    story.demand(
        slept.is_none(),
        story.release_of(WORKER).map(|(at, _)| at),
        "main ends without the worker",
        format!("main did not end before the worker had: it slept in {call}"),
        "The double fork is done so that nobody waits for the worker; who waits for it could have forked once.",
    )
}

/// Who says that the work is done is a child of main's child, and not of main.
fn is_a_grandchild(story: &Story) -> Verdict {
    for (at, worker) in story.writers_of("worker: done") {
        let parent = story.processes[worker].parent;
        let whose = if worker == MAIN {
            "main itself"
        } else {
            "main's own child"
        };
        story.demand(
            parent.is_some() && parent != Some(MAIN),
            Some(at),
            "the worker is a child of the middle process, which is main's child",
            format!("the worker is {whose}"),
            "A child of main's is main's to reap, as soon as main lives longer than it does.",
        )?;
    }
    Ok(())
}

fn step_3_double_when_a_fork_fails() -> Verdict {
    fork_fails(&["double"], 1, &["main"])?;
    fork_fails(&["double"], 2, &["main", "c1"])
}

fn step_3_double_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&["double", "double"], &["double", "1"]])
}

// Step 4, ignore. Who ignores SIGCHLD says that it will not ask: the kernel keeps no zombies for it. Then a wait never
// gives a child; it sleeps until there is none left, and fails with ECHILD.

fn step_4_ignore() -> Verdict {
    let story = LAB.command(&["ignore", "3"]).hold_exits().run()?;
    ignore(&story, 3)?;
    sleeps_meanwhile(&story, 3)?;
    LAB.snapshot_with_output("ignore", &story);
    Ok(())
}

fn step_4_ignore_when_the_children_are_faster() -> Verdict {
    for nth in [1, 3] {
        ignore(
            &LAB.command(&["ignore", "3"])
                .hold_call("main", Family::Fork, nth)
                .run()?,
            3,
        )?;
    }
    Ok(())
}

fn step_4_ignore_one_and_none() -> Verdict {
    ignore(&LAB.command(&["ignore", "1"]).hold_exits().run()?, 1)?;
    ignore(&LAB.command(&["ignore", "0"]).run()?, 0)
}

fn step_4_ignore_64() -> Verdict {
    ignore(&LAB.command(&["ignore", "64"]).run()?, 64)
}

fn step_4_ignore_when_interrupted() -> Verdict {
    interrupted(&["ignore", "2"], |story| ignore(story, 2))
}

fn ignore(story: &Told, n: usize) -> Verdict {
    story.expect_exit(0)?;
    let line = format!("{n} children ended, ECHILD");
    story.expect_lines(&[&line])?;
    story.expect_processes(&main_and_children(n))?;
    let line = story.expect_line_by(&line, MAIN)?;
    let mut told = story
        .waits(MAIN)
        .filter_map(|(at, _, wait)| Some((at, wait.child?)));
    if let Some((at, child)) = told.next() {
        return Err(story.refusal(
            Some(at),
            "no wait gives a child, for none is kept",
            format!("a wait gave {}", story.name(child)),
            "A child that a wait can give has been a zombie until then: ignore SIGCHLD before the first fork.",
        ));
    }
    for child in 1..=n {
        ends_and_leaves_nothing(story, child, line)?;
    }
    let ends = (1..=n).filter_map(|child| Some(story.end_of(child)?.0));
    let last = ends.max().unwrap_or(0);
    let echild = Some(-(Errno::ECHILD as i64));
    let mut waits = story.waits(MAIN).filter(|&(at, ..)| at >= last && at < line);
    story.demand(
        waits.any(|(_, call, _)| call.result == echild),
        Some(line),
        "a wait fails with ECHILD before main says so",
        "main said so, and no wait had told it",
        "ECHILD is the kernel's word for \"you have no child\": print what you were told, and not what you expect.",
    )
}

/// The child had ended when main wrote at event `line`, and was never a zombie.
fn ends_and_leaves_nothing(story: &Story, child: Proc, line: usize) -> Verdict {
    let end = story.end_of(child).map_or(usize::MAX, |(at, _)| at);
    let name = story.name(child);
    story.expect_before(
        end,
        line,
        &format!("main says that all have ended when {name} has"),
        &format!("{name} was still there"),
        "To fork a child is not to know its end: with SIGCHLD ignored a wait still sleeps until the last one is gone.",
    )?;
    story.demand(
        story.was_auto_reaped(child),
        Some(end),
        format!("nothing is left of {name} when it ends"),
        "it became a zombie: SIGCHLD was not ignored",
        "The default for SIGCHLD does nothing too, but it is not to ignore it: the zombies are kept for a wait to come.",
    )
}

/// When its children were let go to their ends, main slept, and not for a time.
fn sleeps_meanwhile(story: &Story, n: usize) -> Verdict {
    for child in 1..=n {
        let Some(asleep) = story.slept_at_end_of(child, MAIN) else {
            continue; // held itself, at a signal
        };
        story.demand(
            asleep.blocking != Blocking::Timed,
            story.release_of(child).map(|(at, _)| at),
            "main sleeps until there is something to do",
            format!("it slept in {}, for a time, and looked again", asleep.call),
            "Who looks from time to time is late every time, and awake for nothing; the kernel wakes you when it is time.",
        )?;
    }
    Ok(())
}

fn step_4_ignore_when_a_fork_fails() -> Verdict {
    for nth in [1, 3] {
        let story = LAB
            .command(&["ignore", "4"])
            .fail(Family::Fork, nth, Errno::EAGAIN)
            .run()?;
        story.expect_error_told(LAB.name())?;
        story.expect_processes(&main_and_children(nth - 1))?;
        let end = story.end_of(MAIN).map_or(usize::MAX, |(end, _)| end);
        (1..nth).try_for_each(|child| ends_and_leaves_nothing(&story, child, end))?;
    }
    Ok(())
}

fn step_4_ignore_wrong_usage() -> Verdict {
    wrong_number("ignore")
}

// Step 5, handler. One SIGCHLD may stand for many ends: while it is pending, the next ones are lost in it. So for each
// signal everybody is reaped who is there to be reaped, by waits that do not block. The handler itself does next to nothing:
// it may run in the middle of anything. The witness makes the signals merge: it holds the children at their exits until
// main sleeps, and main at the first signal until all of them have ended.

fn step_5_handler() -> Verdict {
    let story = merged(5)?;
    LAB.snapshot("handler", &story);
    Ok(())
}

fn step_5_handler_one_and_none() -> Verdict {
    handler(&LAB.command(&["handler", "0"]).run()?, 0)?;
    handler(&LAB.command(&["handler", "1"]).run()?, 1)?;
    merged(1).map(drop)
}

fn step_5_handler_64() -> Verdict {
    merged(64).map(drop)
}

/// `handler N` when all children end before main has been told of the first.
fn merged(n: usize) -> Verdict<Told> {
    let run = LAB.command(&["handler", &n.to_string()]).hold_exits();
    let story = run.hold_signal("main", SignalName::SIGCHLD).run()?;
    handler(&story, n)?;
    sleeps_meanwhile(&story, n)?;
    ends_at_once(&story, n)?;
    Ok(story)
}

/// All children were born before the first of them ended, and they ended while main was held at its first signal.
fn ends_at_once(story: &Story, n: usize) -> Verdict {
    let first = (1..=n).filter_map(|child| Some(story.end_of(child)?.0)).min();
    let late = story.processes[n].born > first.unwrap_or(usize::MAX);
    let out_of_turn = |event: &Event| match &event.what {
        What::Released(release) => release.at == "SIGCHLD" && !release.in_turn,
        _ => false,
    };
    let waited = story.events.iter().position(out_of_turn);
    story.demand(
        !late && waited.is_none(),
        waited.or(first),
        "the children end as nearly at once as can be arranged",
        "some of them ended only when main had been told of another",
        "One after the other they would never try what the step is about: signals that merge.",
    )
}

/// All end between a look that finds nobody and the sleep after it: the signal comes in between, and must not be lost.
fn step_5_handler_when_they_end_after_the_look() -> Verdict {
    let run = LAB.command(&["handler", "3"]).hold_exits();
    handler(&run.hold_call("main", Family::Wait, 1).run()?, 3)
}

fn step_5_handler_when_interrupted() -> Verdict {
    interrupted(&["handler", "2"], |story| handler(story, 2))
}

fn handler(story: &Told, n: usize) -> Verdict {
    story.expect_exit(0)?;
    counts_them(story, n)?;
    story.expect_lines(&[&format!("reaped {n}")])?;
    story.expect_processes(&main_and_children(n))?;
    told_by_a_handler(story, n)?;
    never_blocks(story)?;
    let line = story.expect_line_by(&format!("reaped {n}"), MAIN)?;
    (1..=n).try_for_each(|child| counted_when_reaped(story, child, line))?;
    story.expect_all_reaped()
}

fn told_by_a_handler(story: &Story, n: usize) -> Verdict {
    let told = story
        .signals(MAIN)
        .filter(|(_, signal)| signal.number == libc::SIGCHLD && signal.caught);
    let told: Vec<usize> = told.map(|(at, _)| at).collect();
    story.demand(
        n == 0 || !told.is_empty(),
        None,
        "a handler of main's runs when SIGCHLD comes",
        "there was none: no signal told main of anything",
        "A program that has something else to do must be told when a child has ended, and not wait or look for it.",
    )?;
    told.into_iter().try_for_each(|at| harmless(story, at))
}

fn never_blocks(story: &Story) -> Verdict {
    let blocks = story.waits(MAIN).find(|(_, _, wait)| !wait.nohang);
    story.demand(
        blocks.is_none(),
        blocks.map(|(at, ..)| at),
        "main reaps by waits that do not block (WNOHANG)",
        "it called a wait that sleeps until somebody ends",
        "The signal tells when to look; between two signals a program with other work must not be stuck in a wait.",
    )
}

fn counted_when_reaped(story: &Story, child: Proc, line: usize) -> Verdict {
    let name = story.name(child);
    story.expect_before(
        story.expect_reaped_by(child, MAIN)?,
        line,
        &format!("main prints its count when it has reaped {name} too"),
        &format!("it printed the count before it had reaped {name}"),
        "Count what you have reaped, and not what you forked.",
    )
}

/// Its count is right. (A count that is too low has a reason that is worth more words than a difference in the output.)
fn counts_them(story: &Story, n: usize) -> Verdict {
    let stdout = story.stdout();
    let counted = stdout
        .strip_prefix("reaped ")
        .and_then(|rest| rest.trim_end().parse().ok());
    let at = story.writers_of_prefix("reaped ").first().map(|&(at, ..)| at);
    story.demand(
        counted.is_none_or(|counted: usize| counted == n),
        at,
        format!("all {n} children are reaped and counted, however many signals came"),
        format!("it counted {}", counted.unwrap_or(0)),
        "Signals merge: while one SIGCHLD is pending the next ones are lost in it, so one may stand for many ends.",
    )
}

/// The handler that runs for the signal at event `at` makes only calls that are safe at any moment: waits that do not
/// block, and writes to a descriptor of its own.
fn harmless(story: &Story, at: usize) -> Verdict {
    let own = story.calls(MAIN).filter(|(_, call)| call.since > at);
    for (at, call) in own.take_while(|(_, call)| call.name != "rt_sigreturn") {
        let on_standard = call.args[0] <= 2 || call.on.iter().any(|on| on == "stdout" || on == "stderr");
        let (happened, why) = match call.family {
            Family::Write if on_standard => (
                "it printed".to_owned(),
                "A handler interrupts anything, also a print that is half done and holds its lock: it must not print.",
            ),
            Family::Write => continue,
            Family::Wait | Family::Read if call.blocking == Blocking::Never => continue,
            _ if call.blocking != Blocking::Never => (
                format!("it called {}, which may sleep", call.name),
                "As long as a handler sleeps, whatever it has interrupted stands still.",
            ),
            _ => (
                format!("it called {}", call.name),
                "A handler interrupts anything, at any moment: the less it does, the less can be in the middle of it.",
            ),
        };
        let expected = "the handler only makes waits with WNOHANG, or writes to a descriptor above 2";
        return Err(story.refusal(Some(at), expected, happened, why));
    }
    Ok(())
}

fn step_5_handler_when_a_fork_fails() -> Verdict {
    for nth in [1, 3] {
        let names = main_and_children(nth - 1);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        fork_fails(&["handler", "4"], nth, &names)?;
    }
    Ok(())
}

fn step_5_handler_wrong_usage() -> Verdict {
    wrong_number("handler")
}

// Step 6, daemon. A process that belongs to no terminal and to no directory, and is found by its pid file: adopted, in a
// session that it does not lead. When the caller returns, everything is ready. The daemon sleeps until SIGTERM, and removes
// its file. One daemon a file: whether one lives is told by a lock, since a number may be stale.

/// The pid file, relative to the directory of the run.
const FILE: &str = "zombie.pid";

fn step_6_daemon() -> Verdict {
    daemon(LAB.command(&["daemon", FILE]))
}

/// As `daemon x.pid && kill $(cat x.pid)` does it: the caller has hardly returned when the signal is sent.
fn step_6_daemon_when_killed_at_once() -> Verdict {
    let run = LAB.command(&["daemon", FILE]).first("main");
    let story = run.signal_by(FILE, SignalName::SIGTERM).run()?;
    gone(&story, named_at_return(&story)?)?;
    LAB.snapshot("daemon", &story);
    Ok(())
}

/// The process, alive, whose id the file held when the caller returned.
fn named_at_return(story: &Story) -> Verdict<Proc> {
    story.observed()?;
    let text = story.watched.as_ref().map(|bytes| String::from_utf8_lossy(bytes));
    let pid = text.as_ref().and_then(|text| text.trim_end().parse().ok());
    let end = story.end_of(MAIN).map(|(at, _)| at);
    let mut alive = story.alive_at(end.unwrap_or(0)).into_iter();
    let happened = match text.as_deref() {
        None => "there was no such file".to_owned(),
        Some("") => "the file was empty".to_owned(),
        Some(text) => format!("the file held {:?}", story.named(text.trim_end())),
    };
    alive.find(|&who| Some(story.pid(who)) == pid).ok_or_else(|| {
        story.refusal(
            end,
            "the pid file holds the daemon's id when the caller returns",
            happened,
            "Who starts a daemon uses it next: the caller returns when the daemon is ready, or has failed.",
        )
    })
}

fn step_6_daemon_twice() -> Verdict {
    let mut first = LAB.command(&["daemon", FILE]).start()?;
    let quiet = first.until_quiet()?;
    if quiet.status != Some(Ending::Exited(0)) {
        return first.finish()?.expect_exit(0);
    }
    let daemon = living(&quiet)?;
    let here = Path::new(&quiet.directory);
    refused(LAB.command(&["daemon", FILE]).directory(here), &mut first, daemon)?;
    let absolute = here.join(FILE);
    refused(
        LAB.command(&["daemon", &absolute.to_string_lossy()]),
        &mut first,
        daemon,
    )?;
    first.signal(quiet.name(daemon), SignalName::SIGTERM)?;
    gone(&first.finish()?, daemon)
}

/// A second daemon on the file of the first, which lives, is refused and changes nothing.
fn refused(run: Run, first: &mut Running, daemon: Proc) -> Verdict {
    let mut second = run.start()?;
    let quiet = second.until_quiet()?;
    let happened = match quiet.status {
        Some(Ending::Exited(code)) => format!("the second one exited with {code}"),
        Some(Ending::Killed(signal)) => format!("{} killed the second one", grader::signal_name(signal)),
        None => "the second one is still there".to_owned(),
    };
    quiet.demand(
        quiet.status == Some(Ending::Exited(1)),
        None,
        "a second daemon on the same file is refused while the first lives: exit status 1",
        happened,
        "Two daemons on one file: one of them can never be found again, and both do the same work.",
    )?;
    let first = first.until_quiet()?;
    changes_nothing(&quiet, &first, daemon)?;
    let story = second.finish()?;
    story.expect_error_told(LAB.name())?;
    never_touches(&story, &Path::new(&first.directory).join(FILE))
}

/// Who writes to the file and restores what was there has left a moment in which it was wrong.
fn never_touches(second: &Story, file: &Path) -> Verdict {
    let all = 0..second.processes.len();
    let mut calls = all.flat_map(|who| second.calls(who).map(move |(at, call)| (at, who, call)));
    let touch = calls.find(|(.., call)| changes(call, file));
    touch.map_or(Ok(()), |(at, who, call)| {
        let did = match call.name.as_str() {
            "open" | "openat" | "creat" => "opened it with O_TRUNC, which empties it".to_owned(),
            name if call.family == Family::Write => format!("called {name} on it: it holds something else then"),
            name => format!("called {name} on it"),
        };
        Err(second.refusal(
            Some(at),
            "a second daemon changes nothing of the first one's pid file, not even for a moment",
            format!("{} {did}", second.name(who)),
            "Who reads the file in that moment finds no daemon, or the wrong one: look at the lock before you write.",
        ))
    })
}

/// The call changed what the file holds, or what its name leads to. (What is relative is taken by its last part: who has
/// gone to another directory has no business with a file of this name there.)
fn changes(call: &Call, file: &Path) -> bool {
    let is_it = |on: &String| {
        let on = Path::new(on);
        on == file || on.is_relative() && on.file_name() == file.file_name()
    };
    let flags = match call.name.as_str() {
        "open" => call.args[1],
        "openat" => call.args[2],
        _ => 0,
    };
    let kinds = [
        "creat",
        "truncate",
        "ftruncate",
        "unlink",
        "unlinkat",
        "rename",
        "renameat",
        "renameat2",
    ];
    let writes = call.family == Family::Write && call.on.first().is_some_and(is_it);
    let alters = kinds.contains(&call.name.as_str()) || flags as i32 & libc::O_TRUNC != 0;
    call.result.is_some_and(|result| result >= 0) && (writes || alters && call.on.iter().any(is_it))
}

fn changes_nothing(second: &Story, first: &Story, daemon: Proc) -> Verdict {
    let text = small_file(&Path::new(&first.directory).join(FILE)).unwrap_or_default();
    let happened = match text.trim_end() {
        "" => "it is empty, or gone".to_owned(),
        text => format!("it holds {:?}", first.named(&second.named(text))),
    };
    second.demand(
        text.trim_end() == first.pid(daemon).to_string(),
        None,
        "the first daemon's pid file is as it was, when a second one has been refused",
        happened,
        "Whoever finds that the file is not its own must not have touched it: look at the lock before you write.",
    )?;
    second.demand(
        first.end_of(daemon).is_none(),
        None,
        "the first daemon lives on",
        "it is gone",
        "The second one may know the first one's id, and has no business with it.",
    )
}

fn step_6_daemon_with_a_stale_file() -> Verdict {
    // 4194304 (`PID_MAX_LIMIT`) is larger than any process id.
    let mut running = LAB.command(&["daemon", FILE]).file(FILE, "4194304\n").start()?;
    let quiet = running.until_quiet()?;
    quiet.demand(
        quiet.status != Some(Ending::Exited(1)),
        None,
        "a file with the id of a process that is no more, and that nobody has locked, is taken over",
        format!("it was refused: {:?}", quiet.stderr().trim_end()),
        "After a crash the file is still there: nobody could start the daemon until somebody has removed it.",
    )?;
    live(running)
}

/// The id in the file is in use, by a process that is no daemon: ids are used again. It is this check's own.
fn step_6_daemon_with_a_strangers_id() -> Verdict {
    let id = format!("{}\n", std::process::id());
    let mut running = LAB.command(&["daemon", FILE]).file(FILE, id).start()?;
    let quiet = running.until_quiet()?;
    quiet.demand(
        quiet.status != Some(Ending::Exited(1)),
        None,
        "a file that nobody has locked is taken over, also when a stranger has the id in it",
        "it was refused",
        "Ids are used again: after a crash the old one may be a shell's or an editor's. Only a lock ends with its daemon.",
    )?;
    live(running)
}

fn step_6_daemon_when_interrupted() -> Verdict {
    for (family, nth) in INTERRUPTED {
        daemon(LAB.command(&["daemon", FILE]).interrupt(family, nth))?;
    }
    Ok(())
}

fn step_6_daemon_when_a_call_fails() -> Verdict {
    let run = || LAB.command(&["daemon", FILE]);
    fails(run().fail(Family::Fork, 1, Errno::EAGAIN))?;
    fails(run().fail(Family::Fork, 2, Errno::EAGAIN))?;
    fails(run().fail(Family::Write, 1, Errno::ENOSPC))?;
    fails(LAB.command(&["daemon", "missing/zombie.pid"]))?;
    // There are other ways to lock a file, and to tell the caller, than these two calls.
    for run in [
        run().fail(Family::Lock, 1, Errno::ENOLCK),
        run().fail(Family::Write, 2, Errno::EPIPE),
    ] {
        let story = run.run()?;
        if has_fault(&story) {
            failed(&story)?;
        }
    }
    Ok(())
}

fn has_fault(story: &Story) -> bool {
    let is_fault = |event: &Event| matches!(event.what, What::Fault(_));
    story.events.iter().any(is_fault)
}

fn fails(run: Run) -> Verdict {
    failed(&run.run()?)
}

/// It failed, has said so, and nothing and nobody is left.
fn failed(story: &Told) -> Verdict {
    story.expect_error_told(LAB.name())?;
    story.expect_no_file()?;
    let children = story.children(MAIN);
    children
        .iter()
        .try_for_each(|&child| story.expect_reaped_by(child, MAIN).map(drop))?;
    story.observed()
}

fn step_6_daemon_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&["daemon"], &["daemon", FILE, FILE], &["daemon", ""]])
}

/// The whole life of a daemon: started, looked at while it sleeps, ended by SIGTERM.
fn daemon(run: Run) -> Verdict {
    live(run.start()?)
}

fn live(mut running: Running) -> Verdict {
    let quiet = running.until_quiet()?;
    quiet.expect_over()?;
    if !matches!(quiet.status, None | Some(Ending::Exited(0))) {
        let story = running.finish()?;
        return story.expect_exit(0);
    }
    quiet.demand(
        quiet.status.is_some(),
        None,
        "the caller gets its prompt back at once",
        "everybody slept, and main was still there",
        "A daemon is started by somebody who wants to go on: a shell, a boot script, another program.",
    )?;
    let daemon = living(&quiet)?;
    serves(&quiet, daemon)?;
    belongs_to_nobody(&quiet, daemon)?;
    running.signal(quiet.name(daemon), SignalName::SIGTERM)?;
    let story = running.finish()?;
    gone(&story, daemon)?;
    story.expect_stdout("")
}

/// The process that the pid file names. It lives, and no other one does.
fn living(quiet: &Story) -> Verdict<Proc> {
    let file = Path::new(&quiet.directory).join(FILE);
    let text = small_file(&file);
    let pid = text
        .as_deref()
        .map(|text| text.strip_suffix('\n').unwrap_or(text));
    let pid = pid.and_then(|pid| pid.parse().ok()).unwrap_or(0);
    let known = quiet.processes.iter().position(|process| process.pid == pid);
    let happened = match (text, known) {
        (None, _) => "there is no such file".to_owned(),
        (Some(_), Some(who)) => format!("it holds the id of {}, which has ended", quiet.name(who)),
        (Some(text), None) => format!("it holds {}", what(quiet, &text)),
    };
    quiet.demand(
        Look::at(pid).is_some() && (known.is_some() || quiet.unobserved.is_some()),
        None,
        "the pid file holds the id of the daemon, which lives, and nothing else",
        happened,
        "The file is all by which the daemon is found: for a kill, for a restart, for a look at it.",
    )?;
    quiet.observed()?;
    let daemon = known.unwrap_or(MAIN);
    alone(quiet, daemon)?;
    Ok(daemon)
}

/// What is in a pid file, without what differs from run to run.
fn what(quiet: &Story, text: &str) -> String {
    let mut lines = text.lines().map(|line| quiet.named(line));
    match (lines.next(), lines.next()) {
        (Some(first), Some(_)) => format!("{first:?}, and more after that"),
        (Some(first), None) => format!("{first:?}"),
        (None, _) => "nothing".to_owned(),
    }
}

fn alone(quiet: &Story, daemon: Proc) -> Verdict {
    let alive = quiet.alive_at(usize::MAX).into_iter();
    let others: Vec<&str> = alive
        .filter(|&who| who != daemon)
        .map(|who| quiet.name(who))
        .collect();
    quiet.demand(
        others.is_empty(),
        None,
        "when the caller has returned only the daemon is left",
        format!("{} is there too", others.join(", ")),
        "Who only had to fork the daemon is of no use any more.",
    )
}

/// It sleeps until something happens, and not for a time.
fn serves(quiet: &Story, daemon: Proc) -> Verdict {
    let asleep = quiet.asleep.iter().find(|asleep| asleep.who == daemon);
    quiet.demand(
        asleep.is_some_and(|asleep| asleep.blocking != Blocking::Timed),
        None,
        "the daemon sleeps until a signal comes",
        format!(
            "it slept in {}, for a time, and would look again",
            asleep.map_or("a call", |asleep| asleep.call.as_str())
        ),
        "A daemon that wakes ten times a second, day and night, keeps a processor from resting, for nothing.",
    )
}

/// What `/proc` says of it: its session, its directory, its descriptors.
fn belongs_to_nobody(quiet: &Story, daemon: Proc) -> Verdict {
    let name = quiet.name(daemon);
    let Some(look) = Look::at(quiet.pid(daemon)) else {
        let why = "A daemon serves until it is told to end.";
        return Err(quiet.refusal(None, format!("{name} lives"), "it is gone", why));
    };
    let happened = match look.session {
        leader if leader == quiet.pid(daemon) => "it leads its session".to_owned(),
        leader if leader == quiet.witness => "it is in the session in which main was started".to_owned(),
        leader => format!("it is in the session of {}", quiet.named(&leader.to_string())),
    };
    let strangers = [quiet.pid(daemon), quiet.witness, quiet.pid(MAIN)];
    quiet.demand(
        !strangers.contains(&look.session),
        None,
        format!("{name} is in a session that is neither main's nor its caller's, and that it does not lead"),
        happened,
        "A hang-up of the caller's terminal ends its session, and the leader of a session gets the next terminal that it opens.",
    )?;
    quiet.demand(
        look.directory == "/",
        None,
        format!("{name} is in the directory /"),
        format!("it is in {}", look.directory),
        "The file system of a process's directory cannot be unmounted: only / is there for good.",
    )?;
    holds_nothing(quiet, name, &look)
}

/// The standard streams are `/dev/null`, and nothing of the caller's is open.
fn holds_nothing(quiet: &Story, name: &str, look: &Look) -> Verdict {
    for (fd, stream) in [
        (0, "standard input"),
        (1, "standard output"),
        (2, "standard error"),
    ] {
        let on = look.descriptors.get(&fd);
        let happened = match on {
            None => "it is closed: the next file that is opened takes its place".to_owned(),
            Some(on) => format!("it is {}", kind(on)),
        };
        quiet.demand(
            on.is_some_and(|on| on == "/dev/null"),
            None,
            format!("the {stream} of {name} is /dev/null"),
            happened,
            "Who reads the caller's output would wait for the daemon's end; and a stray message must go nowhere, not into a file.",
        )?;
    }
    let mut alien = look
        .descriptors
        .iter()
        .filter(|&(&fd, on)| fd > 2 && !is_own(quiet, look, on));
    alien.next().map_or(Ok(()), |(fd, on)| {
        Err(quiet.refusal(
            None,
            format!("{name} has its pid file open, and nothing that it does not need"),
            format!("descriptor {fd} is {}", kind(on)),
            "What a daemon has open it holds for years: the other end of a pipe never sees the end, a disk is never free.",
        ))
    })
}

/// A file in the directory of the run (the pid file, a lock), or a means to wait for a signal: a signalfd, a socket pair, a
/// pipe with both its ends. One end of a pipe is somebody else's.
fn is_own(quiet: &Story, look: &Look, on: &str) -> bool {
    let kinds = ["anon_inode:", "socket:", &quiet.directory];
    let ends = look.descriptors.values().filter(|other| *other == on).count();
    kinds.iter().any(|kind| on.starts_with(kind)) || on.starts_with("pipe:") && ends > 1
}

/// What a descriptor is, without its number.
fn kind(on: &str) -> String {
    match on.split_once(":[") {
        Some((kind, _)) => format!("a {kind}"),
        None => on.to_owned(),
    }
}

/// It has ended as SIGTERM asked it to, and its file is removed.
fn gone(story: &Told, daemon: Proc) -> Verdict {
    let name = story.name(daemon);
    let happened = match story.end_of(daemon) {
        Some((_, Ending::Exited(code))) => format!("it exited with {code}"),
        Some((_, Ending::Killed(signal))) => format!("{} killed it", grader::signal_name(signal)),
        None => "it was still there".to_owned(),
    };
    let end = story.end_of(daemon);
    story.demand(
        end.is_some_and(|(_, ending)| ending == Ending::Exited(0)),
        end.map(|(at, _)| at),
        format!("{name} exits with 0 when SIGTERM comes"),
        happened,
        "SIGTERM asks a process to put its things in order and to end; what ignores it, or dies of it, has put nothing in order.",
    )?;
    story.demand(
        !fs::exists(story.path(FILE)).unwrap_or(true),
        end.map(|(at, _)| at),
        format!("the pid file is removed when {name} has ended"),
        "it is still there",
        "The id in it will be another process's one day: whoever kills by that file kills a stranger.",
    )?;
    story.expect_exit(0)
}

// What several steps share.

/// Every call in which something may sleep, interrupted by a signal: nothing comes of it.
const INTERRUPTED: [(Family, usize); 6] = [
    (Family::Read, 1),
    (Family::Read, 2),
    (Family::Poll, 1),
    (Family::Wait, 1),
    (Family::Wait, 2),
    (Family::SignalWait, 1),
];

fn interrupted(args: &[&str], judge: impl Fn(&Told) -> Verdict) -> Verdict {
    INTERRUPTED
        .iter()
        .try_for_each(|&(family, nth)| judge(&LAB.command(args).hold_exits().interrupt(family, nth).run()?))
}

/// The kernel refuses the `nth` fork (`EAGAIN`, as at the limit of processes): told, and nobody is left behind.
fn fork_fails(args: &[&str], nth: usize, processes: &[&str]) -> Verdict {
    let story = LAB.command(args).fail(Family::Fork, nth, Errno::EAGAIN).run()?;
    story.expect_error_line(LAB.name())?;
    story.expect_processes(processes)
}

fn main_and_children(n: usize) -> Vec<String> {
    let children = (1..=n).map(|i| format!("c{i}"));
    std::iter::once("main".to_owned()).chain(children).collect()
}

fn wrong_number(step: &str) -> Verdict {
    LAB.wrong_usage(&[
        &[step],
        &[step, "65"],
        &[step, "-1"],
        &[step, "many"],
        &[step, ""],
        &[step, "2", "2"],
    ])
}
