//! Lab 2, wait and waitpid: the steps, what each wants of a program, and how the kernel proves it.
//!
//! A run is observed: what every wait asked for, and what it was told. `c1` is main's first child. `hold_exits` holds each
//! process at its exit until all others sleep, so that the witness decides who ends first, and sees what main does
//! meanwhile.

use grader::{Blocking, Call, Ending, Errno, Family, Lab, MAIN, Proc, Run, Story, Told, Verdict, Wait};
use grader::{checks, lab, libc};
use std::{ops::Range, path::Path, process::ExitCode, thread};

const LAB: Lab = lab!();

fn main() -> ExitCode {
    LAB.main(checks![
        step_1_one,
        step_1_one_with_another_code,
        step_1_one_when_interrupted,
        step_1_one_when_fork_fails,
        step_1_one_when_the_disk_is_full,
        step_1_one_wrong_usage,
        step_2_order,
        step_2_order_with_another_code,
        step_2_order_when_interrupted,
        step_2_order_when_a_fork_fails,
        step_2_order_wrong_usage,
        step_3_first,
        step_3_first_with_another_code,
        step_3_first_when_interrupted,
        step_3_first_when_a_fork_fails,
        step_3_first_when_the_disk_is_full,
        step_3_first_when_nobody_reads,
        step_4_nohang,
        step_4_nohang_with_another_code,
        step_4_nohang_when_interrupted,
        step_4_nohang_when_fork_fails,
        step_4_nohang_wrong_usage,
        step_5_status_exit,
        step_5_status_kill,
        step_5_status_kill_by_an_ignored_signal,
        step_5_status_stop,
        step_5_status_with_another_code,
        step_5_status_when_interrupted,
        step_5_status_when_fork_fails,
        step_5_status_when_the_disk_is_full,
        step_5_status_when_nobody_reads,
        step_5_status_wrong_usage,
        step_6_all,
        step_6_all_of_64,
        step_6_all_when_interrupted,
        step_6_all_when_a_fork_fails,
        step_6_all_wrong_usage,
        step_7_run,
        step_7_run_beside_a_strangers_child,
        step_7_run_killed,
        step_7_run_not_found,
        step_7_run_not_executable,
        step_7_run_searches_path,
        step_7_run_passes_everything_on,
        step_7_run_when_interrupted,
        step_7_run_when_fork_fails,
        step_7_run_wrong_usage,
    ])
}

const C1: Proc = 1;

// Step 1, one. A child exits with a code, and the kernel keeps it until the parent asks for it: that is what waitpid is
// for. The code is in the status that it fills in, and the child is gone once it has been told.

fn step_1_one() -> Verdict {
    for code in [7, 0, 1, 42, 128, 255] {
        let story = LAB.command(&["one", &code.to_string()]).hold_exits().run()?;
        one(&story, code)?;
        if code == 7 {
            LAB.snapshot_with_output("one", &story);
        }
    }
    Ok(())
}

/// The child was told 7 and exits with 99: who prints 7 has it from somewhere else than the status.
fn step_1_one_with_another_code() -> Verdict {
    one(
        &LAB.command(&["one", "7"])
            .hold_exits()
            .exit_code("c1", 99)
            .run()?,
        99,
    )
}

fn step_1_one_when_interrupted() -> Verdict {
    each(interruptions(&LAB.command(&["one", "7"]).hold_exits()), |story| {
        one(story, 7)
    })
}

fn step_1_one_when_fork_fails() -> Verdict {
    fork_fails(&["one", "7"], 1)
}

fn step_1_one_when_the_disk_is_full() -> Verdict {
    disk_full(&["one", "7"])
}

fn step_1_one_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[
        &[],
        &["two"],
        &[""],
        &["one"],
        &["one", "256"],
        &["one", "-1"],
        &["one", "x"],
        &["one", ""],
        &["one", "1", "2"],
    ])?;
    let help = LAB.command(&["--help"]).run()?;
    help.expect_exit(0)?;
    let why = "`--help` is the first thing that people type, and they pipe it into a pager.";
    let happened = "standard output was empty";
    help.demand(
        !help.stdout.is_empty(),
        None,
        "`--help` prints the usage on standard output",
        happened,
        why,
    )
}

fn one(story: &Told, code: i32) -> Verdict {
    story.expect_exit(0)?;
    let stdout = story.stdout();
    story.demand(
        stdout.starts_with("child ") && stdout.ends_with(&format!(" exited with {code}\n")),
        None,
        format!("standard output is `child C exited with {code}`, C the child's process id"),
        format!("it printed {:?}", story.named(&stdout)),
        "The code comes from the status that the wait fills in, taken apart as waitpid(2) says.",
    )?;
    children(story, &[code])?;
    let line = format!("child {} exited with {code}", story.pid(C1));
    story.expect_lines(&[&line])?;
    line_after_the_wait(story, C1, &line)?;
    sleeps_until_the_end_of(story, C1)
}

// Step 2, order. The parent asks for its children one by one, each by its process id, in the order in which it made
// them. A child that ended long ago is told of at once; for one that still sleeps the parent sleeps too.

fn step_2_order() -> Verdict {
    let runs = ORDERS
        .map(|order| LAB.command(&["order"]).release(&order))
        .to_vec();
    each(runs, |story| {
        order(story, [1, 2, 3])?;
        three_lengths(story)?;
        if story.given.ends_with("c3, c2, c1") {
            LAB.snapshot_with_output("order", story);
        }
        Ok(())
    })
}

fn step_2_order_with_another_code() -> Verdict {
    let run = LAB
        .command(&["order"])
        .release(&["c2", "c3", "c1"])
        .exit_code("c2", 99);
    order(&run.run()?, [1, 99, 3])
}

fn step_2_order_when_interrupted() -> Verdict {
    let run = LAB.command(&["order"]).release(&["c2", "c3", "c1"]);
    each(interruptions(&run), |story| order(story, [1, 2, 3]))
}

fn step_2_order_when_a_fork_fails() -> Verdict {
    fork_fails(&["order"], 1)?;
    fork_fails(&["order"], 3)
}

fn step_2_order_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&["order", "1"], &["order", ""], &["first", "1"]])
}

/// Every order in which three children can end.
const ORDERS: [[&str; 3]; 6] = [
    ["c2", "c3", "c1"],
    ["c1", "c2", "c3"],
    ["c3", "c2", "c1"],
    ["c1", "c3", "c2"],
    ["c2", "c1", "c3"],
    ["c3", "c1", "c2"],
];

fn order(story: &Told, codes: [i32; 3]) -> Verdict {
    let line = |child: Proc| format!("child {child} exited with {}", codes[child - 1]);
    let lines = [1, 2, 3].map(line);
    story.expect_exit(0)?;
    story.expect_lines(&lines.each_ref().map(String::as_str))?;
    children(story, &codes)?;
    for child in 1..=3 {
        naps(story, child)?;
        by_its_pid(story, child)?;
        let at = line_after_the_wait(story, child, &line(child))?;
        if let Some((_, next, _)) = reaping(story, child + 1) {
            story.expect_before(
                at,
                next.since,
                &format!("main writes c{child}'s line before it waits for c{}", child + 1),
                "it went on to the next wait first, and kept the line",
                "A line that is kept is of no use to the one who reads it: tell what you know when you know it.",
            )?;
        }
        sleeps_until_the_end_of(story, child)?;
    }
    Ok(())
}

/// The wait that reaped the child had asked for this one.
fn by_its_pid(story: &Story, child: Proc) -> Verdict {
    let Some((at, call, wait)) = reaping(story, child) else {
        return Ok(()); // `children` has seen that main reaped it
    };
    let name = story.name(child);
    story.demand(
        wait.wanted == story.pid(child),
        Some(at),
        format!("main waits for {name} by its process id"),
        format!(
            "the {} that told of {name} had asked for any child",
            manual_name(call)
        ),
        "A wait for any child hands out whoever is next; who wants this one's status must ask for this one.",
    )
}

// Step 3, first. The parent asks for any child, and the kernel tells it of the next one that ends, whoever that is. The
// witness lets the three end in each of the six orders, one when main sleeps again: what is right only for the order
// of the naps shows.

fn step_3_first() -> Verdict {
    let runs = ORDERS
        .map(|order| LAB.command(&["first"]).release(&order))
        .to_vec();
    let mut orders = ORDERS.iter();
    each(runs, |story| {
        let order = orders.next().copied().unwrap_or_default();
        first(story, order, [1, 2, 3])?;
        three_lengths(story)?;
        if order == ORDERS[0] {
            LAB.snapshot_with_output("first", story);
        }
        Ok(())
    })
}

fn step_3_first_with_another_code() -> Verdict {
    let run = LAB.command(&["first"]).release(&ORDERS[0]).exit_code("c2", 99);
    let story = run.run()?;
    // Who knows the child by its code has it from the wait as well.
    let by_code = story.stdout().starts_with("child 99 exited with 99\n");
    if by_code {
        children(&story, &[1, 99, 3])
    } else {
        first(&story, ORDERS[0], [1, 99, 3])
    }
}

fn step_3_first_when_interrupted() -> Verdict {
    let run = LAB.command(&["first"]).release(&ORDERS[0]);
    each(interruptions(&run), |story| first(story, ORDERS[0], [1, 2, 3]))
}

fn step_3_first_when_a_fork_fails() -> Verdict {
    fork_fails(&["first"], 1)?;
    fork_fails(&["first"], 3)
}

fn step_3_first_when_the_disk_is_full() -> Verdict {
    disk_full(&["first"])
}

/// Main ends at its first line, and two children sleep on: they end by themselves.
fn step_3_first_when_nobody_reads() -> Verdict {
    let story = LAB.command(&["first"]).release(&ORDERS[0]).run()?;
    first(&story, ORDERS[0], [1, 2, 3])?;
    LAB.command(&["first"])
        .reader_gone()
        .run()?
        .expect_end_without_reader()
}

fn first(story: &Told, order: [&str; 3], codes: [i32; 3]) -> Verdict {
    let order = order.map(|name| name[1..].parse().unwrap_or(0));
    let line = |child: Proc| format!("child {child} exited with {}", codes[child - 1]);
    let lines = order.map(line);
    story.expect_exit(0)?;
    story.expect_lines(&lines.each_ref().map(String::as_str))?;
    children(story, &codes)?;
    for (i, &child) in order.iter().enumerate() {
        naps(story, child)?;
        let at = line_after_the_wait(story, child, &line(child))?;
        let next = order
            .get(i + 1)
            .and_then(|&next| Some((story.release_of(next)?.0, next)));
        if let Some((released, next)) = next {
            story.expect_before(
                at,
                released,
                &format!("main writes c{child}'s line before it sleeps again, until c{next} ends"),
                "it fell asleep first, and kept the line",
                "A line that is kept is of no use to the one who reads it: tell what you know when you know it.",
            )?;
        }
        sleeps_until_the_end_of(story, child)?;
    }
    Ok(())
}

// Step 4, nohang. With WNOHANG waitpid answers at once: the child's status, or 0 for "not yet". Between two looks the
// parent could do something else; here it sleeps for a while, in the kernel, and takes no processor time.

fn step_4_nohang() -> Verdict {
    let story = LAB.command(&["nohang"]).hold_exits().run()?;
    nohang(&story, 7)?;
    let why = "What ends at once leaves nothing to look for, and a parent that looks once would pass.";
    let expected = "c1 works for 500 ms, that is, it sleeps for so long";
    sleeps_for(&story, C1, 0..usize::MAX, 500, expected, why)?;
    let why = "A look too early finds nothing and costs a wake-up; one too late leaves a zombie meanwhile.";
    let looks: Vec<usize> = looks(&story).map(|(at, _)| at).collect();
    let expected = "between two looks main sleeps for 100 ms";
    looks
        .windows(2)
        .try_for_each(|two| sleeps_for(&story, MAIN, two[0]..two[1], 100, expected, why))
}

fn step_4_nohang_with_another_code() -> Verdict {
    nohang(
        &LAB.command(&["nohang"]).hold_exits().exit_code("c1", 99).run()?,
        99,
    )
}

fn step_4_nohang_when_interrupted() -> Verdict {
    each(interruptions(&LAB.command(&["nohang"]).hold_exits()), |story| {
        nohang(story, 7)
    })
}

fn step_4_nohang_when_fork_fails() -> Verdict {
    fork_fails(&["nohang"], 1)
}

fn step_4_nohang_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&["nohang", "1"], &["nohang", ""]])
}

fn nohang(story: &Told, code: i32) -> Verdict {
    if story.unobserved.is_none() {
        pauses_between_looks(story)?; // else a busy wait would be told by whichever limit it reached
    }
    story.expect_exit(0)?;
    let stdout = story.stdout();
    let last = format!("child exited with {code}");
    let working = stdout.lines().filter(|&line| line == "working").count();
    let mut lines = vec!["working"; working.max(1)];
    lines.push(&last);
    story.expect_lines(&lines)?;
    children(story, &[code])?;
    naps(story, C1)?;
    never_blocks(story)?;
    let looks: usize = looks(story).map(|(_, call)| call.times).sum();
    let happened = format!("main looked {looks} times in vain, and wrote it {working} times");
    story.demand(
        looks == working,
        None,
        "`working` for each look that finds nothing",
        happened,
        "A line that stands for no look says what its author believes, not what the kernel knows.",
    )?;
    line_after_the_wait(story, C1, &last).map(drop)
}

/// Main's looks at its child that found nothing: waits with `WNOHANG`, or polls of a pidfd without a timeout.
fn looks(story: &Story) -> impl Iterator<Item = (usize, &Call)> {
    let in_vain = |call: &Call| match call.family {
        Family::Wait => call
            .wait
            .as_ref()
            .is_some_and(|wait| wait.nohang && wait.child.is_none()),
        Family::Poll => call.on.iter().any(|on| on.starts_with("pidfd")),
        _ => false,
    };
    story
        .calls(MAIN)
        .filter(move |(_, call)| call.blocking == Blocking::Never && call.result == Some(0) && in_vain(call))
}

/// Main looks while its child is at work, and never blocks until that has ended.
fn never_blocks(story: &Story) -> Verdict {
    let why = "Only a look says whether a child has ended: a clock does not, and kill(pid, 0) finds the zombie still there.";
    let blocking =
        |call: &Call| matches!(call.family, Family::Wait | Family::Poll) && call.blocking == Blocking::Until;
    let blocks = story.calls(MAIN).find(|(_, call)| blocking(call));
    let expected = "main looks at its child by waits with WNOHANG";
    if looks(story).next().is_none() {
        let happened = "it never looked while c1 was at work";
        return Err(story.refusal(blocks.map(|(at, _)| at), expected, happened, why));
    }
    let end = story.end_of(C1).map_or(usize::MAX, |(end, _)| end);
    let Some((at, call)) = blocks.filter(|(_, call)| call.since <= end) else {
        return Ok(()); // it had looked, and knew that this one would come back at once
    };
    let happened = format!(
        "it called {}, which blocks, while c1 was still at work",
        manual_name(call)
    );
    Err(story.refusal(Some(at), "main never blocks until its child ends", happened, why))
}

/// Main sleeps in the kernel, for a time, between each two looks that found nothing.
fn pauses_between_looks(story: &Story) -> Verdict {
    let looks: Vec<(usize, &Call)> = looks(story).collect();
    let is_pause =
        |at: usize, call: &Call| call.blocking == Blocking::Timed || waits_for_a_timer(story, at, call);
    for (i, &(at, look)) in looks.iter().enumerate() {
        let before = i.checked_sub(1).map_or(at, |i| looks[i].0);
        let pause = story
            .calls(MAIN)
            .find(|&(between, call)| (before..at).contains(&between) && is_pause(between, call));
        let happened = "it looked again at once, or passed the time in a loop";
        story.demand(
            look.times == 1 && (i == 0 || pause.is_some()),
            Some(at),
            "main sleeps in the kernel between two looks",
            happened,
            "A busy wait takes a whole processor from everybody else; the kernel can wake you when it is time.",
        )?;
    }
    Ok(())
}

/// It sleeps until a signal or a descriptor comes, and has set a timer that brings it.
fn waits_for_a_timer(story: &Story, at: usize, call: &Call) -> bool {
    const TIMERS: [&str; 4] = ["alarm", "setitimer", "timer_settime", "timerfd_settime"];
    matches!(call.family, Family::SignalWait | Family::Read)
        && call.blocking == Blocking::Until
        && story
            .calls(MAIN)
            .any(|(set, call)| set < at && TIMERS.contains(&call.name.as_str()))
}

// Step 5, status. The number that waitpid fills in says which of four things happened: the child exited, a signal killed
// it, a signal stopped it, or it goes on. The last two are told only to who asks for them, and the child lives on.

fn step_5_status_exit() -> Verdict {
    for code in [7, 0, 1, 2, 9, 15, 42, 126, 127, 128, 137, 143, 255] {
        let story = LAB
            .command(&["status", "exit", &code.to_string()])
            .hold_exits()
            .run()?;
        status(&story, Ending::Exited(code), &format!("exited {code}"))?;
    }
    Ok(())
}

/// The standard signals whose default action kills. (29 has two names, IO and POLL.)
const DEADLY: [(i32, &str); 22] = [
    (15, "TERM"),
    (9, "KILL"),
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (7, "BUS"),
    (8, "FPE"),
    (10, "USR1"),
    (11, "SEGV"),
    (12, "USR2"),
    (13, "PIPE"),
    (14, "ALRM"),
    (16, "STKFLT"),
    (24, "XCPU"),
    (25, "XFSZ"),
    (26, "VTALRM"),
    (27, "PROF"),
    (30, "PWR"),
    (31, "SYS"),
];

fn step_5_status_kill() -> Verdict {
    for (number, name) in DEADLY {
        let full = format!("SIG{name}");
        // With `SIG` and without, in turns.
        let signal = if number % 2 == 0 { &full } else { name };
        let story = LAB.command(&["status", "kill", signal]).hold_exits().run()?;
        killed(&story, number, &full)?;
        if name == "TERM" {
            killed(
                &LAB.command(&["status", "kill", &full]).hold_exits().run()?,
                number,
                &full,
            )?;
            LAB.snapshot_with_output("status_kill", &story);
        }
    }
    Ok(())
}

/// As under nohup: what is ignored stays so through fork and exec, until somebody restores the default.
fn step_5_status_kill_by_an_ignored_signal() -> Verdict {
    let program = std::path::absolute(LAB.subject()).unwrap_or_default();
    let line = "trap '' HUP; exec \"$0\" status kill HUP";
    let story = Run::new(Path::new("/bin/sh"), &["-c", line, &program.to_string_lossy()])
        .hold_exits()
        .run()?;
    killed(&story, libc::SIGHUP, "SIGHUP")
}

fn killed(story: &Told, signal: i32, name: &str) -> Verdict {
    status(story, Ending::Killed(signal), &format!("killed by {name}"))?;
    let at = story.dump_of(C1);
    let why = "The child is killed on purpose: an image of its memory helps nobody, and fills the disk.";
    let happened = "its limit (RLIMIT_CORE) allows one";
    story.demand(at.is_none(), at, "c1 leaves no core file", happened, why)
}

fn status(story: &Told, ending: Ending, line: &str) -> Verdict {
    story.expect_exit(0)?;
    story.expect_lines(&[line])?;
    ends(story, &[ending])?;
    line_after_the_wait(story, C1, line)?;
    sleeps_until_the_end_of(story, C1)
}

fn step_5_status_stop() -> Verdict {
    let story = LAB.command(&["status", "stop"]).hold_exits().run()?;
    stop(&story)?;
    LAB.snapshot_with_output("status_stop", &story);
    // c1 takes each chance to run on: who opens the gate too early hears of its end, and not that it was continued.
    stop(&LAB.command(&["status", "stop"]).first("c1").run()?)
}

fn stop(story: &Told) -> Verdict {
    const STOPPED: i32 = libc::SIGSTOP << 8 | 0x7f;
    const CONTINUED: i32 = 0xffff;
    let lines = ["stopped by SIGSTOP", "continued", "exited 0"];
    story.expect_exit(0)?;
    story.expect_lines(&lines)?;
    children(story, &[0])?;
    let end = story.end_of(C1).map_or(0, |(end, _)| end);
    // `waitid` tells the signal in place of the status word.
    for (line, status, signal) in [
        (lines[0], STOPPED, libc::SIGSTOP),
        (lines[1], CONTINUED, libc::SIGCONT),
    ] {
        let told = |wait: &Wait| {
            wait.child == Some(C1) && matches!(wait.status, Some(s) if s == status || s == signal)
        };
        let told = story
            .waits(MAIN)
            .find(|(at, _, wait)| *at < end && told(wait))
            .map(|(at, ..)| at);
        let wrote = story.expect_line_by(line, MAIN)?;
        let option = if status == STOPPED {
            "WUNTRACED"
        } else {
            "WCONTINUED"
        };
        story.demand(
            told.is_some_and(|told| told < wrote),
            Some(wrote),
            format!("main writes {line:?} when a wait has told it so"),
            format!("no wait had: that needs a wait with {option} (waitid: WSTOPPED, WCONTINUED)"),
            "What you have sent, or expect, is not what has happened: the status of a wait is.",
        )?;
        story.expect_before(
            wrote,
            end,
            &format!("main writes {line:?} while c1 lives"),
            "c1 had ended by then",
            "Of a child that has ended a wait tells the end only: what came before is lost, if nobody has asked.",
        )?;
    }
    line_after_the_wait(story, C1, lines[2])?;
    sleeps_until_the_end_of(story, C1)
}

fn step_5_status_with_another_code() -> Verdict {
    let story = LAB
        .command(&["status", "exit", "7"])
        .hold_exits()
        .exit_code("c1", 99)
        .run()?;
    status(&story, Ending::Exited(99), "exited 99")
}

fn step_5_status_when_interrupted() -> Verdict {
    each(
        interruptions(&LAB.command(&["status", "stop"]).hold_exits()),
        stop,
    )?;
    let kill = LAB.command(&["status", "kill", "TERM"]).hold_exits();
    each(interruptions(&kill), |story| {
        killed(story, libc::SIGTERM, "SIGTERM")
    })
}

fn step_5_status_when_fork_fails() -> Verdict {
    fork_fails(&["status", "exit", "7"], 1)?;
    fork_fails(&["status", "stop"], 1)
}

/// The child is stopped when main cannot write: it must not be left so.
fn step_5_status_when_the_disk_is_full() -> Verdict {
    disk_full(&["status", "stop"])
}

/// Main ends at its first line, and the child is stopped: nobody else will continue it.
fn step_5_status_when_nobody_reads() -> Verdict {
    stop(&LAB.command(&["status", "stop"]).hold_exits().run()?)?;
    LAB.command(&["status", "stop"])
        .reader_gone()
        .run()?
        .expect_end_without_reader()
}

fn step_5_status_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[
        &["status"],
        &["status", "fly"],
        &["status", "exit"],
        &["status", "exit", "256"],
        &["status", "exit", "-1"],
        &["status", "kill"],
        &["status", "kill", "NOSUCH"],
        &["status", "kill", "SIGCHLD"],
        &["status", "kill", "STOP"],
        &["status", "kill", "SIGCONT"],
        &["status", "kill", "SIG"],
        &["status", "kill", ""],
        &["status", "kill", "TERM", "KILL"],
        &["status", "stop", "0"],
    ])
}

// Step 6, all. Who does not know how many children there are asks until the kernel says that there is none: ECHILD. Every
// other error says nothing about children, and a look that finds nobody ready says only that nobody is ready.

fn step_6_all() -> Verdict {
    for n in [5, 0, 1] {
        let story = LAB.command(&["all", &n.to_string()]).hold_exits().run()?;
        all(&story, n)?;
        if n == 5 {
            LAB.snapshot_with_output("all_5", &story);
        }
    }
    all(&LAB.command(&["all", "3"]).release(&["c3", "c1", "c2"]).run()?, 3)
}

fn step_6_all_of_64() -> Verdict {
    all(&LAB.command(&["all", "64"]).run()?, 64)
}

fn step_6_all_when_interrupted() -> Verdict {
    each(interruptions(&LAB.command(&["all", "3"]).hold_exits()), |story| {
        all(story, 3)
    })?;
    // The wait that finds no child is a wait too.
    all(
        &LAB.command(&["all", "2"])
            .hold_exits()
            .interrupt(Family::Wait, 3)
            .run()?,
        2,
    )
}

fn step_6_all_when_a_fork_fails() -> Verdict {
    fork_fails(&["all", "5"], 1)?;
    fork_fails(&["all", "5"], 4)
}

fn step_6_all_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[
        &["all"],
        &["all", "65"],
        &["all", "-1"],
        &["all", "many"],
        &["all", ""],
        &["all", "2", "2"],
    ])
}

fn all(story: &Told, n: i32) -> Verdict {
    let line = format!("reaped {n}");
    story.expect_exit(0)?;
    story.expect_lines(&[&line])?;
    let codes: Vec<i32> = (1..=n).collect();
    children(story, &codes)?;
    let wrote = story.expect_line_by(&line, MAIN)?;
    let none_left = |call: &Call| call.result == Some(-(Errno::ECHILD as i64));
    let told = story
        .waits(MAIN)
        .find(|(_, call, _)| none_left(call))
        .map(|(at, ..)| at);
    story.demand(
        told.is_some_and(|told| told < wrote),
        Some(wrote),
        "main waits until a wait says that there is no child left (ECHILD)",
        "it stopped without that word",
        "Only the kernel knows all children: a program may be born with one, or lose count of its own.",
    )?;
    (1..=codes.len()).try_for_each(|child| sleeps_until_the_end_of(story, child))
}

// Step 7, run. fork, exec and wait together are what a shell does all day. The program gets everything that was given, and
// its status becomes main's: its own code, 128 and the signal's number, 127 or 126 for one that could not be run.

/// A child that the program did not make, but got with its start, as in `(exit 9) & exec lab-wait run …`.
fn step_7_run_beside_a_strangers_child() -> Verdict {
    let program = std::path::absolute(LAB.subject()).unwrap_or_default();
    let line = "(exit 9) & exec \"$0\" run /bin/sh -c 'exit 3'";
    let story = Run::new(Path::new("/bin/sh"), &["-c", line, &program.to_string_lossy()])
        .release(&["c1", "c2"])
        .run()?;
    story.expect_over()?;
    let status = story.end_of(2).map(|(at, _)| at);
    story.demand(
        story.status == Some(Ending::Exited(3)),
        status,
        "it ends with the status of the program that it ran, 3",
        "it ended with another, such as that of a child that it had not made: 9",
        "A shell that calls exec leaves its children to the program that takes its place: wait for the one you forked.",
    )
}

fn step_7_run() -> Verdict {
    for (command, code) in [
        (&["/bin/sh", "-c", "exit 42"][..], 42),
        (&["/bin/sh", "-c", "exit 255"], 255),
        (&["true"], 0),
        (&["false"], 1),
    ] {
        let story = run(command).hold_exits().run()?;
        ran(&story, code, "")?;
    }
    Ok(())
}

fn step_7_run_killed() -> Verdict {
    for (signal, number) in [("KILL", 9), ("TERM", 15)] {
        let story = run(&["/bin/sh", "-c", &format!("kill -{signal} $$")])
            .hold_exits()
            .run()?;
        ran(
            &story,
            128 + number,
            &format!("wait: /bin/sh: killed by SIG{signal}\n"),
        )?;
    }
    // Whoever ignores SIGPIPE passes that on: then this program lives, and exits with 3.
    let story = run(&["/bin/sh", "-c", "kill -PIPE $$; exit 3"])
        .hold_exits()
        .run()?;
    ran(&story, 128 + libc::SIGPIPE, "wait: /bin/sh: killed by SIGPIPE\n")
}

fn step_7_run_not_found() -> Verdict {
    for program in ["./no-such-program", "no-such-program"] {
        not_run(run(&[program]), program, 127)?;
    }
    // It is there, and exec says ENOENT all the same: of the interpreter in its first line.
    let script = |name| run(&[name]).program("no-interpreter", "#!/no/such/interpreter\n");
    not_run(script("./no-interpreter"), "./no-interpreter", 127)?;
    // A name without a slash is looked for in PATH, and not here.
    not_run(script("no-interpreter"), "no-interpreter", 127).map(drop)
}

fn step_7_run_not_executable() -> Verdict {
    for program in ["./plain", "/", "./plain/program"] {
        let story = not_run(run(&[program]).file("plain", "exit 0\n"), program, 126)?;
        if program == "./plain" {
            LAB.snapshot("run_not_executable", &story);
        }
    }
    Ok(())
}

fn step_7_run_searches_path() -> Verdict {
    let path = std::env::var("PATH").unwrap_or_default();
    for program in ["program", "./program"] {
        let run = run(&[program]).program("program", "#!/bin/sh\nexit 5\n");
        let run = run
            .env("PATH", &format!("/no/such/directory:.:{path}"))
            .hold_exits();
        ran(&run.run()?, 5, "")?;
    }
    Ok(())
}

fn step_7_run_passes_everything_on() -> Verdict {
    let words = ["two  words", "$$", ";", "", "-"];
    let told = "two  words|$$|;||-|";
    let story = run(&[&["printf", "%s|"], &words[..]].concat())
        .hold_exits()
        .run()?;
    story.expect_stdout(told)?;
    ran(&story, 0, "")?;
    let story = run(&["cat"]).input("one\ntwo\n").hold_exits().run()?;
    story.expect_stdout("one\ntwo\n")?;
    ran(&story, 0, "")?;
    let story = run(&["/bin/sh", "-c", "echo oops >&2; exit 1"])
        .hold_exits()
        .run()?;
    ran(&story, 1, "oops\n")
}

fn step_7_run_when_interrupted() -> Verdict {
    let command = run(&["/bin/sh", "-c", "exit 42"]).hold_exits();
    each(interruptions(&command), |story| ran(story, 42, ""))
}

fn step_7_run_when_fork_fails() -> Verdict {
    fork_fails(&["run", "true"], 1)
}

fn step_7_run_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&["run"]])
}

fn run(command: &[&str]) -> Run {
    // Of a PATH of somebody's own one directory may be closed to the user, and then exec says EACCES.
    LAB.command(&[&["run"], command].concat())
        .env("PATH", "/usr/bin:/bin")
}

/// The program was run, by a child, and ended; main ended with `status`.
fn ran(story: &Told, status: i32, stderr: &str) -> Verdict {
    story.expect_exit(status)?;
    said(
        story,
        story.stderr() == stderr,
        format!("standard error is {stderr:?}"),
    )?;
    story.observed()?;
    story.demand(
        story.find("c1").is_some(),
        None,
        "main forks a child that runs the program",
        "main had no child: it became the program itself, or never ran it",
        "exec replaces the process that calls it: nobody is left to wait for the program, and to tell how it ended.",
    )?;
    story.expect_processes(&["main", "c1"])?;
    story.expect_reaped_by(C1, MAIN)?;
    sleeps_until_the_end_of(story, C1)?;
    let (at, inherited) = story.inheritance_of(C1).unzip();
    let surplus = inherited.unwrap_or_default().len();
    story.demand(
        surplus == 0,
        at,
        "the program gets descriptors 0, 1 and 2, and no other",
        format!("it got {surplus} more"),
        "What is open stays open through exec, unless it is close-on-exec: a pipe that a stranger holds never ends.",
    )
}

/// The program could not be run: told in one line, and by `status`; and the child that tried is gone.
fn not_run(run: Run, program: &str, status: i32) -> Verdict<Told> {
    let story = run.hold_exits().run()?;
    story.expect_exit(status)?;
    story.expect_stdout("")?;
    let stderr = story.stderr();
    let fits = stderr.lines().count() == 1 && stderr.starts_with(&format!("wait: {program}: "));
    said(
        &story,
        fits,
        format!("one line on standard error: `wait: {program}: REASON`"),
    )?;
    story.expect_all_reaped()?;
    let at = |who| story.waits(who).map(|(at, ..)| at).next();
    let waits = (1..story.processes.len()).find_map(|who| Some((at(who)?, who)));
    let name = waits.map_or("", |(_, who)| story.name(who));
    story.demand(
        waits.is_none(),
        waits.map(|(at, _)| at),
        "the child whose exec failed ends there",
        format!("{name} went on as if it were the parent, to a wait of its own"),
        "exec returns only when it failed, and then there are two processes in the parent's code.",
    )?;
    Ok(story)
}

fn said(story: &Story, fits: bool, expected: String) -> Verdict {
    let stderr = story.stderr();
    let happened = if stderr.is_empty() {
        "it said nothing".to_owned()
    } else {
        format!("it said {stderr:?}")
    };
    let why = "The status alone does not tell what happened: 137 may be a signal, or the program's own code.";
    story.demand(fits, None, expected, happened, why)
}

// Shared by all steps.

/// Judges runs that are made at the same time, one after the other: most of them sleep.
fn each(runs: Vec<Run>, mut judge: impl FnMut(&Told) -> Verdict) -> Verdict {
    let all: Vec<_> = runs.into_iter().map(|run| thread::spawn(|| run.run())).collect();
    let all: Vec<_> = all.into_iter().map(|run| run.join()).collect();
    all.into_iter()
        .try_for_each(|run| judge(&run.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?))
}

/// The same run, with signals that interrupt what it sleeps in: its first wait; waits again and again; all else.
fn interruptions(run: &Run) -> Vec<Run> {
    let often = |run: Run, family| {
        [1, 2, 4, 6]
            .into_iter()
            .fold(run, |run, nth| run.interrupt(family, nth))
    };
    let others = [Family::Poll, Family::Read, Family::SignalWait, Family::Sleep];
    vec![
        run.clone().interrupt(Family::Wait, 1),
        often(run.clone(), Family::Wait),
        others.into_iter().fold(run.clone(), often),
    ]
}

/// The kernel refuses the `nth` fork (`EAGAIN`, as at the limit of processes): told, and the children that there are
/// reaped, whatever interrupts that.
fn fork_fails(args: &[&str], nth: usize) -> Verdict {
    let run = LAB
        .command(args)
        .hold_exits()
        .fail(Family::Fork, nth, Errno::EAGAIN);
    for run in [run.clone(), run.interrupt(Family::Wait, 1)] {
        let story = run.run()?;
        story.expect_error_line(LAB.name())?;
        let names = (1..nth).map(|child| format!("c{child}"));
        story.expect_processes(&["main".to_owned()].into_iter().chain(names).collect::<Vec<_>>())?;
    }
    Ok(())
}

fn disk_full(args: &[&str]) -> Verdict {
    let story = LAB.command(args).hold_exits().disk_full().run()?;
    story.expect_error_line(LAB.name())
}

/// Main's children were these: child I exited with code I, and main reaped it. Lines come one by one.
fn children(story: &Story, codes: &[i32]) -> Verdict {
    let endings: Vec<Ending> = codes.iter().map(|&code| Ending::Exited(code)).collect();
    ends(story, &endings)
}

fn ends(story: &Story, endings: &[Ending]) -> Verdict {
    let names = (1..=endings.len()).map(|child| format!("c{child}"));
    story.expect_processes(&["main".to_owned()].into_iter().chain(names).collect::<Vec<_>>())?;
    for (child, &ending) in (1..).zip(endings) {
        let told = |ending| match ending {
            Ending::Exited(code) => format!("exits with {code}"),
            Ending::Killed(signal) => format!("is killed by {}", grader::signal_name(signal)),
        };
        let name = story.name(child);
        let end = story.end_of(child);
        let happened = end.map_or_else(
            || "it never ended".to_owned(),
            |(_, ending)| format!("it {}", told(ending)),
        );
        let why = "The parent's line is about this end: the two must be the same.";
        let expected = format!("{name} {}", told(ending));
        story.demand(
            end.is_some_and(|(_, e)| e == ending),
            end.map(|(at, _)| at),
            expected,
            happened,
            why,
        )?;
        story.expect_reaped_by(child, MAIN)?;
    }
    story.expect_prompt_lines()
}

/// The wait by which main reaped the child.
fn reaping(story: &Story, child: Proc) -> Option<(usize, &Call, &Wait)> {
    let reaps = |wait: &Wait| wait.child == Some(child) && !wait.nowait;
    let told = story.end_of(child).map_or(usize::MAX, |(end, _)| end);
    story.waits(MAIN).find(|(at, _, wait)| *at > told && reaps(wait))
}

/// Main wrote this line, when a wait had told it of the child's end; answers when it wrote.
fn line_after_the_wait(story: &Story, child: Proc, line: &str) -> Verdict<usize> {
    let wrote = story.expect_line_by(line, MAIN)?;
    let (end, _) = story.end_of(child).unwrap_or((usize::MAX, Ending::Exited(0)));
    let told = story
        .waits(MAIN)
        .find(|(at, _, wait)| *at > end && wait.child == Some(child));
    let name = story.name(child);
    story.expect_before(
        told.map_or(usize::MAX, |(at, ..)| at),
        wrote,
        &format!("main writes its line when a wait has told it how {name} ended"),
        "it wrote first, and waited afterwards",
        "Before the wait has returned the parent cannot know how its child ended, nor whether it has.",
    )?;
    Ok(wrote)
}

/// At the moment when the witness let the child go to its end, main slept in a call that this end could wake.
fn sleeps_until_the_end_of(story: &Story, child: Proc) -> Verdict {
    let Some((at, release)) = story.release_of(child) else {
        return Ok(()); // killed too hard to be held
    };
    let mains: Vec<_> = release
        .asleep
        .iter()
        .filter(|sleeper| sleeper.who == MAIN)
        .collect();
    let name = story.name(child);
    let happened = match mains[..] {
        [] => "main had come to its own end by then".to_owned(),
        [first, ..] => format!(
            "main slept for a time, in {}, to look again afterwards",
            first.call
        ),
    };
    story.demand(
        mains.iter().any(|sleeper| sleeper.blocking == Blocking::Until),
        Some(at),
        format!("main sleeps in the kernel until {name} ends"),
        happened,
        "The kernel wakes a parent that waits at the moment when its child ends: no look is early, late or in vain.",
    )
}

/// The child sleeps for a time before it ends, as the step asks.
fn naps(story: &Story, child: Proc) -> Verdict {
    let timed = |call: &Call| call.blocking == Blocking::Timed || call.family == Family::SignalWait;
    let name = story.name(child);
    story.demand(
        story.calls(child).any(|(_, call)| timed(call)),
        story.end_of(child).map(|(at, _)| at),
        format!("{name} sleeps for a time before it ends"),
        "it ended at once",
        "The children take different times, so that the order of their ends is not the order of their births.",
    )
}

/// The children sleep for 300, 100 and 200 ms.
fn three_lengths(story: &Story) -> Verdict {
    let why = "Only if each sleeps as long as the step says do they end in another order than that of their births.";
    for (child, millis) in (1..).zip([300, 100, 200]) {
        let expected = format!("{} sleeps for {millis} ms", story.name(child));
        sleeps_for(story, child, 0..usize::MAX, millis, &expected, why)?;
    }
    Ok(())
}

/// For so long it asked the kernel to let it sleep, in one piece or in several. What a clock would say plays no part.
fn sleeps_for(
    story: &Story,
    who: Proc,
    between: Range<usize>,
    millis: u64,
    expected: &str,
    why: &str,
) -> Verdict {
    const MILLISECOND: u64 = 1_000_000;
    let naps = story.naps(who, between).unwrap_or_default();
    let length = |call: &Call| call.nanoseconds.unwrap_or(0);
    let pieces: u64 = naps.iter().map(|(_, call)| call.times as u64).sum();
    let total: u64 = naps
        .iter()
        .map(|(_, call)| length(call) * call.times as u64)
        .sum();
    // No whole number of milliseconds: the rest up to a moment, which is the shorter the slower the machine is. Calls that
    // know only whole ones may be given such a rest, rounded up.
    let is_rest = |call: &Call| {
        matches!(call.name.as_str(), "poll" | "epoll_wait" | "epoll_pwait") || length(call) % MILLISECOND != 0
    };
    let fits = if naps.iter().any(|(_, call)| is_rest(call)) {
        total <= (millis + pieces) * MILLISECOND
    } else {
        naps.is_empty() || total == millis * MILLISECOND
    };
    let happened = format!("it asked to sleep for {} ms", total.div_ceil(MILLISECOND));
    story.demand(fits, naps.first().map(|&(at, _)| at), expected, happened, why)
}

/// The name under which the manual has a wait.
fn manual_name(call: &Call) -> &str {
    if call.name == "wait4" {
        "waitpid"
    } else {
        &call.name
    }
}
