//! Whatever a program does, the run ends, nobody of it is left, and the witness stays small.

mod common;

use common::{LAB, Mark, that};
use grader::{End, Family, MAIN, Refusal, Story, Verdict, checks};
use std::{
    fs::{self, File},
    io::Read,
    process::{Command, ExitCode, Stdio},
};

fn main() -> ExitCode {
    LAB.main(checks![
        a_quick_run_tells_how_it_ended,
        a_quick_run_has_limits,
        a_quick_run_leaves_nobody,
        a_quick_run_that_does_not_end_is_looked_at_again,
        a_quick_run_has_the_descriptors_of_any_other,
        a_fork_bomb_is_stopped,
        a_fork_bomb_of_sessions_is_stopped,
        more_processes_where_the_step_needs_them,
        a_hang_is_told_at_once,
        two_who_wait_for_each_other_hang,
        stopped_for_good_is_a_hang,
        a_hang_names_who_is_stopped,
        who_never_sleeps_is_busy,
        a_flood_is_cut,
        a_flood_is_not_cut_where_the_step_needs_it,
        a_long_story_is_cut,
        a_story_is_no_bigger_for_what_is_written_to_files,
        the_test_stays_small_too,
        a_daemon_is_left_behind,
        an_orphan_deaf_to_sigterm_is_killed,
        who_escapes_the_witness_is_killed,
        the_last_resort,
    ])
}

fn a_quick_run_tells_how_it_ended() -> Verdict {
    let story = LAB.quick(&[b"say", "a\u{e9}\n".as_bytes()])?;
    story.expect_exit(0)?;
    story.expect_stdout("a\u{e9}\n\n")?;
    that(
        &story,
        story.command[1..] == ["say", "$'a\\xc3\\xa9\\n'"],
        "a shell can read the command",
    )?;
    LAB.quick(&[b"exit", b"3"])?.expect_exit(3)
}

fn a_quick_run_has_limits() -> Verdict {
    match LAB.quick(&[b"flood"]) {
        Err(Refusal::Failed(failure)) => that(
            &failure.story,
            matches!(failure.story.end, End::TooMuch(_)),
            "a run that prints without end is ended",
        ),
        other => other.map(drop),
    }
}

/// The end of a quick run that is refused.
fn ended(args: &[&[u8]]) -> Verdict<End> {
    match LAB.quick(args) {
        Err(Refusal::Failed(failure)) => Ok(failure.story.end.clone()),
        other => panic!("it is refused: {:?}", other.map(|story| story.end)),
    }
}

/// Neither of a bomb of sessions nor of a daemon.
fn a_quick_run_leaves_nobody() -> Verdict {
    let place = tempfile::tempdir().expect("a directory");
    let counter = place.path().join("born");
    let counter = counter.to_str().expect("a path of text");
    let end = ended(&[b"bomb", b"setsid", counter.as_bytes()])?;
    assert!(matches!(end, End::TooMany(_)), "there were too many: {end:?}");
    let pids = fs::read_dir("/proc").expect("a list of processes").flatten();
    let commands = pids.map(|entry| fs::read(entry.path().join("cmdline")).unwrap_or_default());
    let left = commands
        .filter(|command| String::from_utf8_lossy(command).contains(counter))
        .count();
    assert_eq!(left, 0, "nobody is left");
    let end = ended(&[b"daemon"])?;
    assert!(matches!(end, End::LeftBehind(_)), "one was left behind: {end:?}");
    // And the witness is there for the next.
    LAB.quick(&[b"exit", b"3"])?.expect_exit(3)
}

/// No time ends the run that is judged.
fn a_quick_run_that_does_not_end_is_looked_at_again() -> Verdict {
    let end = ended(&[b"hang"])?;
    assert!(matches!(end, End::Hung(_)), "it hangs: {end:?}");
    let end = ended(&[b"spin", b"cpu"])?;
    assert!(matches!(end, End::Busy(MAIN)), "it is busy: {end:?}");
    // One that takes its time passes.
    let story = LAB.quick(&[b"slowly"])?;
    story.expect_exit(0)
}

fn a_quick_run_has_the_descriptors_of_any_other() -> Verdict {
    let story = LAB.quick(&[b"limits"])?;
    story.expect_stdout(&LAB.command(&["limits"]).run()?.stdout())
}

/// `VmHWM` of a process, in KiB: the most memory that it ever had.
fn peak(pid: i32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(usize::MAX)
}

fn is_small(story: &Story, pid: i32) -> Verdict {
    let peak = peak(pid);
    that(
        story,
        peak < 50 * 1024,
        &format!("less than 50 MiB at any time (it was {peak} KiB)"),
    )
}

fn nobody_is_left(story: &Story, mark: &Mark) -> Verdict {
    let left = mark.survivors();
    that(
        story,
        left.is_empty(),
        &format!("nobody is left (there was {left:?})"),
    )
}

fn is_stopped(args: &[&str]) -> Verdict {
    let (place, mark) = (tempfile::tempdir().expect("a directory"), Mark::new());
    let counter = place.path().join("born");
    let args: Vec<&str> = args.iter().copied().chain(counter.to_str()).collect();
    let story = mark.command(&args).run()?;
    nobody_is_left(&story, &mark)?;
    story.observed()?;
    that(
        &story,
        matches!(story.end, End::TooMany(alive) if alive == 66),
        "it is stopped at the first process too many",
    )?;
    // Nobody ends before the witness has had enough, so all who were born were alive at once; when the first too many was
    // born, each of the others may have been in the middle of a fork, but of one only.
    let born = story.processes.len();
    that(
        &story,
        born <= 2 * 66,
        &format!("nobody begins another fork after that (there were {born})"),
    )?;
    let mut ran = [0; 4];
    File::open(&counter)
        .and_then(|mut file| file.read_exact(&mut ran))
        .expect("the specimen's own count");
    let ran = u32::from_ne_bytes(ran) as usize;
    that(
        &story,
        ran < born,
        &format!("nobody is born whom the witness does not know (by its own count there were {ran})"),
    )
}

fn a_fork_bomb_is_stopped() -> Verdict {
    is_stopped(&["bomb"])
}

fn a_fork_bomb_of_sessions_is_stopped() -> Verdict {
    is_stopped(&["bomb", "setsid"])
}

fn more_processes_where_the_step_needs_them() -> Verdict {
    let story = LAB.command(&["race", "80"]).run()?;
    story.observed()?;
    that(
        &story,
        matches!(story.end, End::TooMany(_)),
        "80 children are too many",
    )?;
    LAB.command(&["race", "80"]).processes(80).run()?.expect_exit(0)
}

fn a_hang_is_told_at_once() -> Verdict {
    let mark = Mark::new();
    let story = mark.command(&["hang"]).run()?;
    nobody_is_left(&story, &mark)?;
    story.observed()?;
    let End::Hung(sleepers) = &story.end else {
        return that(&story, false, "main hangs");
    };
    let in_read = |on: &[String]| matches!(on, [on] if on.starts_with("pipe:"));
    let main = sleepers
        .iter()
        .any(|s| s.who == MAIN && s.family == Family::Read && in_read(&s.on));
    that(
        &story,
        main && sleepers.len() == 1,
        "main sleeps in a read from a pipe",
    )
}

fn two_who_wait_for_each_other_hang() -> Verdict {
    let mark = Mark::new();
    let story = mark.command(&["hang", "two"]).run()?;
    nobody_is_left(&story, &mark)?;
    story.observed()?;
    let End::Hung(sleepers) = &story.end else {
        return that(&story, false, "both hang");
    };
    let families: Vec<(usize, Family)> = sleepers.iter().map(|s| (s.who, s.family)).collect();
    that(&story, families.len() == 2, "there are two sleepers")?;
    that(
        &story,
        families.contains(&(MAIN, Family::Wait)) && families.contains(&(1, Family::Read)),
        "one in wait, one in read",
    )
}

fn stopped_for_good_is_a_hang() -> Verdict {
    let mark = Mark::new();
    let story = mark.command(&["hang", "stopped"]).run()?;
    nobody_is_left(&story, &mark)?;
    story.observed()?;
    that(
        &story,
        matches!(story.end, End::Hung(_)),
        "nobody will continue main",
    )
}

fn a_hang_names_who_is_stopped() -> Verdict {
    for (args, who) in [
        (&["hang", "stopped"][..], "main is stopped by SIGSTOP"),
        (&["hang", "child"], "main in waitpid, c1 is stopped by SIGSTOP"),
    ] {
        let story = LAB.command(args).run()?;
        story.observed()?;
        let Err(Refusal::Failed(failure)) = story.expect_over() else {
            return that(&story, false, "it hangs");
        };
        let told = failure.happened.ends_with(&format!("anybody: {who}"));
        assert!(told, "`{who}` in `{}`", failure.happened);
        assert!(
            failure.why.contains("SIGCONT"),
            "what would help: {}",
            failure.why
        );
        that(&story, failure.at.is_some(), "the moment is marked")?;
    }
    Ok(())
}

fn who_never_sleeps_is_busy() -> Verdict {
    for kind in ["cpu", "nohang", "yield", "getppid", "write"] {
        let mark = Mark::new();
        let story = mark.command(&["spin", kind]).run()?;
        nobody_is_left(&story, &mark)?;
        story.observed()?;
        that(
            &story,
            story.end == End::Busy(MAIN),
            &format!("main is busy ({kind})"),
        )?;
    }
    Ok(())
}

/// 64 MiB.
fn a_flood_is_cut() -> Verdict {
    let mark = Mark::new();
    let story = mark.command(&["flood"]).run()?;
    nobody_is_left(&story, &mark)?;
    is_small(&story, story.witness)?;
    that(
        &story,
        matches!(story.end, End::TooMuch(bytes) if bytes > 256 * 1024),
        "there was too much output",
    )?;
    let kept = story.stdout.len() == 256 * 1024 && story.stdout.iter().all(|&byte| byte == b'x');
    that(
        &story,
        kept,
        "what is kept of it is its beginning, up to the limit",
    )
}

fn a_flood_is_not_cut_where_the_step_needs_it() -> Verdict {
    let story = LAB.command(&["pieces"]).output(8).run()?;
    story.expect_exit(0)?;
    let story = LAB.command(&["pieces"]).output(7).run()?;
    that(&story, story.end == End::TooMuch(8), "a byte more is too much")
}

fn a_long_story_is_cut() -> Verdict {
    let mark = Mark::new();
    let story = mark.command(&["chatter"]).run()?;
    nobody_is_left(&story, &mark)?;
    is_small(&story, story.witness)?;
    that(
        &story,
        story.end == End::Busy(MAIN),
        "the run is ended when the story is too long",
    )
}

fn a_story_is_no_bigger_for_what_is_written_to_files() -> Verdict {
    let story = LAB.command(&["scribble"]).run()?;
    story.expect_exit(0)?;
    is_small(&story, story.witness)
}

/// The test's side of the longest story: as long as it cannot print what it has to say, it has all of it at once.
fn the_test_stays_small_too() -> Verdict {
    let this = std::env::current_exe().expect("a test has a file");
    let mut test = Command::new(this);
    let mut test = test
        .args(["--story", "chatter"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut stdout = test.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0]).expect("a story");
    let peak = peak(test.id().cast_signed());
    drop(stdout);
    let _ = test.wait();
    assert!(
        peak < 50 * 1024,
        "less than 50 MiB at any time (it was {peak} KiB)"
    );
    Ok(())
}

fn a_daemon_is_left_behind() -> Verdict {
    let mark = Mark::new();
    let story = mark.command(&["daemon"]).run()?;
    nobody_is_left(&story, &mark)?;
    story.observed()?;
    that(
        &story,
        story.end == End::LeftBehind(vec!["c1.1".to_owned()]),
        "the daemon was left behind",
    )
}

fn an_orphan_deaf_to_sigterm_is_killed() -> Verdict {
    let mark = Mark::new();
    let story = mark.command(&["ticking"]).run()?;
    nobody_is_left(&story, &mark)?;
    story.observed()?;
    that(
        &story,
        story.end == End::LeftBehind(vec!["c1".to_owned()]),
        "the orphan was left behind",
    )
}

fn who_escapes_the_witness_is_killed() -> Verdict {
    let mark = Mark::new();
    let story = mark.command(&["escape"]).run()?;
    nobody_is_left(&story, &mark)?;
    that(
        &story,
        matches!(&story.end, End::LeftBehind(names) if names.len() == 1),
        "somebody was left behind",
    )
}

fn the_last_resort() -> Verdict {
    let mark = Mark::new();
    let story = mark.command(&["tick"]).seconds(1).run()?;
    nobody_is_left(&story, &mark)?;
    that(
        &story,
        matches!(story.end, End::TimeLimit { .. }),
        "the time was up",
    )
}
