//! Lab 1, fork: the steps, what each wants of a program, and how the kernel proves it.
//!
//! A run is observed: every process, every end, every write. `c1` is main's first child. `hold_exits` holds each process
//! at its exit until all others sleep, so that nothing here depends on who is faster.

use grader::{Errno, Family, Lab, MAIN, Proc, Story, Told, Verdict, both, checks, lab};
use std::process::ExitCode;

const LAB: Lab = lab!();

fn main() -> ExitCode {
    LAB.main(checks![
        step_1_twice,
        step_1_twice_when_fork_fails,
        step_1_twice_when_the_disk_is_full,
        step_1_twice_when_nobody_reads,
        step_1_twice_wrong_usage,
        step_2_pids,
        step_2_pids_when_fork_fails,
        step_3_memory,
        step_3_memory_when_interrupted,
        step_3_memory_when_fork_fails,
        step_4_flush,
        step_4_flush_when_fork_fails,
        step_5_exit,
        step_5_exit_status,
        step_5_exit_wrong_usage,
        step_6_family,
        step_6_family_of_64,
        step_6_family_of_none,
        step_6_family_when_interrupted,
        step_6_family_when_a_fork_fails,
        step_6_family_wrong_usage,
    ])
}

const C1: Proc = 1;

// Step 1, twice. You call fork once, and two processes return from it. What was printed before is printed once, by the
// one process that there was; what comes after is printed by both, and nobody knows who is first.

fn step_1_twice() -> Verdict {
    let story = LAB.command(&["twice"]).hold_exits().run()?;
    story.expect_exit(0)?;
    story.expect_lines_in_any_order(&["before", "child: after", "parent: after"])?;
    parent_and_child(&story)?;
    let before = story.expect_line_by("before", MAIN)?;
    story.expect_before(
        before,
        story.processes[C1].born,
        "main writes \"before\" before it forks",
        "it was written when there were two processes already",
        "Only what happens before the fork happens once by itself.",
    )?;
    story.expect_line_by("child: after", C1)?;
    story.expect_line_by("parent: after", MAIN)?;
    LAB.snapshot("twice", &story);
    Ok(())
}

fn step_1_twice_when_fork_fails() -> Verdict {
    fork_fails(&["twice"])
}

fn step_1_twice_when_the_disk_is_full() -> Verdict {
    let story = LAB.command(&["twice"]).hold_exits().disk_full().run()?;
    story.expect_error_line(LAB.name())
}

fn step_1_twice_when_nobody_reads() -> Verdict {
    let story = LAB.command(&["twice"]).hold_exits().run()?;
    story.expect_lines_in_any_order(&["before", "child: after", "parent: after"])?;
    let story = LAB.command(&["twice"]).hold_exits().reader_gone().run()?;
    story.expect_end_without_reader()
}

fn step_1_twice_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&[], &["thrice"], &["twice", "again"]])?;
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

// Step 2, pids. fork returns the child's id to the parent, and 0 to the child, which asks getpid and getppid for the
// two. The ids must be the kernel's own.

fn step_2_pids() -> Verdict {
    let story = LAB.command(&["pids"]).hold_exits().run()?;
    story.expect_exit(0)?;
    parent_and_child(&story)?;
    let (parent, child) = (story.pid(MAIN), story.pid(C1));
    let childs = format!("child: pid {child}, parent {parent}");
    let parents = format!("parent: pid {parent}, child {child}");
    story.expect_lines_in_any_order(&[&childs, &parents])?;
    story.expect_line_by(&childs, C1)?;
    story.expect_line_by(&parents, MAIN)?;
    LAB.snapshot("pids", &story);
    Ok(())
}

fn step_2_pids_when_fork_fails() -> Verdict {
    fork_fails(&["pids"])
}

// Step 3, memory. The child changes a variable, and the parent's stays as it was: there are two of them since the fork.
// The parent's line proves that only if it is written when the child has ended.

fn step_3_memory() -> Verdict {
    memory(&LAB.command(&["memory"]).hold_exits().run()?)?;
    let story = LAB.command(&["memory"]).release(&["main", "c1"]).run()?;
    memory(&story)?;
    LAB.snapshot_with_output("memory", &story);
    Ok(())
}

fn step_3_memory_when_interrupted() -> Verdict {
    memory(
        &LAB.command(&["memory"])
            .hold_exits()
            .interrupt(Family::Wait, 1)
            .run()?,
    )
}

fn step_3_memory_when_fork_fails() -> Verdict {
    fork_fails(&["memory"])
}

fn memory(story: &Told) -> Verdict {
    story.expect_exit(0)?;
    let lines = story.expect_lines(&["child: a = 10000", "parent: a = 1"]);
    both(child_before_parent(story), lines)
}

fn child_before_parent(story: &Story) -> Verdict {
    parent_and_child(story)?;
    story.expect_line_by("child: a = 10000", C1)?;
    let parents = story.expect_line_by("parent: a = 1", MAIN)?;
    after_the_end(story, C1, parents)
}

// Step 4, flush. A buffer is memory, and fork copies it: what is in it at the fork is printed twice. So it is emptied
// before.

fn step_4_flush() -> Verdict {
    let story = LAB.command(&["flush"]).hold_exits().run()?;
    story.expect_exit(0)?;
    both(flush(&story), story.expect_stdout("once child\nparent\n"))?;
    LAB.snapshot_with_output("flush", &story);
    Ok(())
}

fn flush(story: &Story) -> Verdict {
    parent_and_child(story)?;
    once(story)?;
    let writes = |who, text: &str| {
        story
            .writes(who, "stdout")
            .find(|(_, written)| written.contains(text))
    };
    let why = "Each process has a copy of the buffer; who prints from it matters as much as what.";
    story.demand(
        writes(C1, "child").is_some(),
        None,
        "c1 writes \"child\"",
        "it did not",
        why,
    )?;
    let parents = writes(MAIN, "parent").map(|(at, _)| at);
    story.demand(
        parents.is_some(),
        None,
        "main writes \"parent\"",
        "it did not",
        why,
    )?;
    after_the_end(story, C1, parents.unwrap_or(0))
}

/// `once ` left the program by one write of main's, before there was another process.
fn once(story: &Story) -> Verdict {
    let of = |who| {
        story
            .writes(who, "stdout")
            .filter(|(_, text)| text.contains("once"))
            .map(move |(at, _)| (at, who))
    };
    let writers: Vec<_> = (0..story.processes.len()).flat_map(of).collect();
    let (at, happened) = match writers[..] {
        [(at, MAIN)] if at < story.processes[C1].born => return Ok(()),
        [(at, MAIN)] => (
            at,
            "main wrote it after the fork, from the buffer that the child had a copy of".to_owned(),
        ),
        [(at, who)] => (
            at,
            format!("{} wrote it, from its copy of the buffer", story.name(who)),
        ),
        [.., (at, _)] => (at, format!("it was written {} times", writers.len())),
        [] => (0, "nobody wrote it".to_owned()),
    };
    let why =
        "What is in a buffer at the fork is in both processes afterwards; only what has been written is out.";
    Err(story.refusal(
        Some(at),
        "main writes \"once \" before it forks, by one write",
        happened,
        why,
    ))
}

fn step_4_flush_when_fork_fails() -> Verdict {
    let story = LAB
        .command(&["flush"])
        .hold_exits()
        .fail(Family::Fork, 1, Errno::EAGAIN)
        .run()?;
    story.expect_error_line(LAB.name())?;
    story.expect_processes(&["main"])
}

// Step 5, exit. Three ways to leave: `return` drops what main holds and flushes the buffers, `exit` flushes and drops
// nothing, `_exit` does neither. The status goes to the parent in any case.

fn step_5_exit() -> Verdict {
    for (how, output) in [
        ("return", "buffered dropped"),
        ("exit", "buffered"),
        ("_exit", ""),
    ] {
        let story = LAB.command(&["exit", how, "0"]).run()?;
        story.expect_exit(0)?;
        story.expect_stdout(output)?;
        story.expect_processes(&["main"])?;
        LAB.snapshot_with_output(&format!("exit_{how}"), &story);
    }
    Ok(())
}

fn step_5_exit_status() -> Verdict {
    for (how, code) in [
        ("return", 7),
        ("exit", 8),
        ("_exit", 9),
        ("return", 255),
        ("exit", 255),
        ("_exit", 255),
    ] {
        let story = LAB.command(&["exit", how, &code.to_string()]).run()?;
        story.expect_exit(code)?;
    }
    Ok(())
}

fn step_5_exit_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[
        &["exit", "return"],
        &["exit", "return", "256"],
        &["exit", "slowly", "0"],
        &["exit", "return", "0", "0"],
    ])
}

// Step 6, family. One parent, many children: a child that runs on into the parent's loop forks too, and there are 2^N.

fn step_6_family() -> Verdict {
    let story = LAB.command(&["family", "3"]).hold_exits().run()?;
    family(&story, 3)?;
    family(
        &LAB.command(&["family", "3"]).release(&["c3", "c1", "c2"]).run()?,
        3,
    )?;
    LAB.snapshot("family_3", &story);
    Ok(())
}

fn step_6_family_of_64() -> Verdict {
    family(&LAB.command(&["family", "64"]).run()?, 64)
}

fn step_6_family_of_none() -> Verdict {
    family(&LAB.command(&["family", "0"]).run()?, 0)
}

fn step_6_family_when_interrupted() -> Verdict {
    let run = LAB.command(&["family", "2"]).hold_exits();
    family(
        &run.interrupt(Family::Wait, 1).interrupt(Family::Wait, 3).run()?,
        2,
    )
}

fn family(story: &Told, n: usize) -> Verdict {
    story.expect_exit(0)?;
    let childs: Vec<String> = (1..=n)
        .map(|i| format!("child {i}: pid {}", story.pid(i)))
        .collect();
    let parents = format!("parent: {n} children");
    let names: Vec<String> = std::iter::once("main".to_owned())
        .chain((1..=n).map(|i| format!("c{i}")))
        .collect();
    story.expect_processes(&names)?;
    let all: Vec<&str> = childs
        .iter()
        .map(String::as_str)
        .chain([parents.as_str()])
        .collect();
    story.expect_lines_in_any_order(&all)?;
    for (i, line) in childs.iter().enumerate() {
        story.expect_line_by(line, i + 1)?;
    }
    story.expect_all_reaped()?;
    story.expect_prompt_lines()?;
    let last = story.expect_line_by(&parents, MAIN)?;
    (1..=n).try_for_each(|child| after_the_end(story, child, last))
}

fn step_6_family_when_a_fork_fails() -> Verdict {
    fork_fails(&["family", "5"])?;
    let story = LAB
        .command(&["family", "5"])
        .hold_exits()
        .fail(Family::Fork, 3, Errno::EAGAIN)
        .run()?;
    story.expect_error_line(LAB.name())?;
    story.expect_processes(&["main", "c1", "c2"])
}

fn step_6_family_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[
        &["family"],
        &["family", "65"],
        &["family", "many"],
        &["family", "2", "2"],
    ])
}

/// The run was main and one child, which main reaped; each wrote its own lines, one at a time.
fn parent_and_child(story: &Story) -> Verdict {
    story.expect_processes(&["main", "c1"])?;
    story.expect_reaped_by(C1, MAIN)?;
    story.expect_prompt_lines()
}

/// What main wrote at event `line` it wrote when the child had ended.
fn after_the_end(story: &Story, child: Proc, line: usize) -> Verdict {
    let (end, _) = story
        .end_of(child)
        .unwrap_or((usize::MAX, grader::Ending::Exited(0)));
    let name = story.name(child);
    story.expect_before(
        end,
        line,
        &format!("main writes its line when {name} has ended"),
        &format!("it was written while {name} was still there"),
        "Wait for what you know, not for a while: only a wait tells a parent that its child has ended.",
    )
}

/// The kernel refuses the first fork (`EAGAIN`, as at the limit of processes): told, and nothing half done.
fn fork_fails(args: &[&str]) -> Verdict {
    let story = LAB
        .command(args)
        .hold_exits()
        .fail(Family::Fork, 1, Errno::EAGAIN)
        .run()?;
    story.expect_error_line(LAB.name())?;
    story.expect_processes(&["main"])
}
