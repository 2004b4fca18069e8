//! The `main` of a lab's test file: libtest's manners for `cargo test`, steps in order for `cargo lab`, the story of one
//! run for the curious, and the witness.

use crate::{
    lab::{Check, Lab},
    report::{Paint, Step, columns, message},
    run::{self, Run, WITNESS},
    story::Ending,
    verdict::{Refusal, Verdict},
    witness,
};
use libtest_mimic::{Arguments, Failed, Trial};
use nanoserde::SerJson;
use std::{
    collections::BTreeMap,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// Checks that run at a time in [`steps`]: most of their time they wait for a program that sleeps.
const AT_A_TIME: usize = 8;

impl Lab {
    /// The `main` of a test file.
    pub fn main(self, checks: &'static [Check]) -> ExitCode {
        if std::env::var_os(WITNESS).is_some() {
            return witness::nursery::main();
        }
        stay_small();
        let args: Vec<String> = std::env::args().skip(1).collect();
        match args.first().map(String::as_str) {
            Some("--steps") => steps(self, checks, &args[1..]),
            Some("--story") => story(&self.subject(), &args[1..]),
            Some("--output") => observed_output(&args[1..]),
            _ => libtest(self, checks),
        }
    }
}

/// Each check has a thread, and the C library an arena of memory for each thread, which keeps what a long story took. One
/// for all (`mallopt(3)`) is a third smaller with eight long stories at a time.
fn stay_small() {
    // SAFETY: no other thread is there yet.
    #[cfg(target_env = "gnu")]
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, 1)
    };
}

fn libtest(lab: Lab, checks: &'static [Check]) -> ExitCode {
    let trial = |&(name, check): &Check| {
        Trial::test(name, move || match outcome(check) {
            Ok(()) => Ok(()),
            Err(refusal @ Refusal::NotChecked(_)) => {
                eprint!("{name}: {}", message(&lab, name, &refusal, &Paint::none()));
                Ok(())
            }
            Err(refusal) => Err(Failed::from(format!(
                "\n{}",
                message(&lab, name, &refusal, &Paint::none())
            ))),
        })
    };
    libtest_mimic::run(&Arguments::from_args(), checks.iter().map(trial).collect()).exit_code()
}

/// A check that panics is a fault of the kit, except for a snapshot that differs.
fn outcome(check: fn() -> Verdict) -> Verdict {
    catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Refusal::Broken(format!(
            "the check panicked: {}",
            text.unwrap_or("without a word")
        )))
    })
}

/// `--story [--json] ARG…`: runs the program once and tells its story.
fn story(program: &Path, args: &[String]) -> ExitCode {
    let json = args.first().is_some_and(|arg| arg == "--json");
    let args: Vec<&str> = args.iter().skip(usize::from(json)).map(String::as_str).collect();
    match Run::new(program, &args).run() {
        Ok(told) if json => say(&(told.serialize_json() + "\n")),
        Ok(told) => say(&told.lanes(None, true, columns())),
        Err(Refusal::Undone { step, place, .. }) => {
            eprintln!("step {step} is not done: {place}");
            return ExitCode::FAILURE;
        }
        Err(refusal) => {
            eprintln!("{refusal:?}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// `--output PROGRAM ARG…`: runs the program observed; prints its exit status, and what it printed.
fn observed_output(args: &[String]) -> ExitCode {
    let Some((program, args)) = args.split_first() else {
        return ExitCode::from(2);
    };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match Run::new(Path::new(program), &args).run() {
        Ok(told) => {
            let status = match told.status {
                Some(Ending::Exited(code)) => Some(code),
                _ => None,
            };
            say(&format!("{status:?}\n{}", told.stdout()));
            ExitCode::SUCCESS
        }
        Err(refusal) => {
            eprintln!("{refusal:?}");
            ExitCode::FAILURE
        }
    }
}

/// Prints. A reader that has gone away (`| head -1`) has seen what it wanted: no panic.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// How a step as a whole came out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Passed,
    NotChecked,
    Undone,
    Failed,
}

/// `--steps [--all] [--step N]`: the steps in order, up to the first that fails.
fn steps(lab: Lab, checks: &'static [Check], args: &[String]) -> ExitCode {
    let all = args.iter().any(|arg| arg == "--all");
    let only = args
        .iter()
        .skip_while(|arg| *arg != "--step")
        .nth(1)
        .and_then(|number| number.parse::<usize>().ok());
    let wanted = |check: &&Check| only.is_none_or(|number| Step::of(check.0).number == number);
    let checks: Vec<Check> = checks.iter().filter(wanted).copied().collect();
    if checks.is_empty() {
        eprintln!("lab {} has no such step", lab.number());
        return ExitCode::from(2);
    }
    let paint = Paint::for_stdout();
    let mut verdicts = Verdicts::of(lab, &checks);
    let (mut record, mut failed, mut told_next) = (String::new(), false, false);
    let mut rest = &checks[..];
    while let Some(&(first, _)) = rest.first() {
        let step = Step::of(first);
        let (own, others) = rest.split_at(
            rest.iter()
                .take_while(|check| Step::of(check.0).number == step.number)
                .count(),
        );
        rest = others;
        let outcome = verdicts.of_step(checks.len() - rest.len() - own.len(), own);
        let (state, words) = judge(outcome);
        let (mark, said) = match state {
            State::Passed => (paint.green("✓"), "passed"),
            State::NotChecked => (paint.yellow("–"), "not-checked"),
            State::Undone => (paint.yellow("○"), "undone"),
            State::Failed => (paint.red("✗"), "failed"),
        };
        // Of several steps that are not done, one is next.
        let words = if state == State::Undone && told_next {
            String::new()
        } else {
            words
        };
        told_next |= state == State::Undone;
        say(&format!("  {mark} {} {}{words}\n", step.number, step.name));
        record += &format!("{} {said}\n", step.number);
        if matches!(state, State::Undone | State::Failed) {
            failed = true;
            if !all {
                break;
            }
        }
    }
    verdicts.call_off();
    keep(&record);
    let unchecked = record
        .lines()
        .filter(|line| line.ends_with("not-checked"))
        .count();
    if unchecked > 0 {
        say(&format!(
            "\n  {unchecked} steps could not be checked as a whole on this machine: cargo lab doctor says why.\n"
        ));
    } else if !failed && only.is_none() {
        say(&format!(
            "\n  Every step of lab {} passes.{}\n",
            lab.number(),
            afterwards(lab)
        ));
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Where to go from here, for a learner who has finished the lab.
fn afterwards(lab: Lab) -> String {
    if lab.is_foreign() || lab.is_reference() {
        return String::new();
    }
    let slug = lab.slug();
    let then = match lab.next() {
        Some(next) => format!("go on: cargo lab {next}"),
        None => format!("go further: the end of book/src/{slug}.md"),
    };
    format!(" Compare with ours: diff -ru labs/{slug}/src solutions/{slug}/src; then {then}")
}

/// How a check came out, and the words for it. The story that they were taken from is big, and gone by then.
type Judged = (State, String);

fn judged(lab: &Lab, name: &str, verdict: Verdict, paint: &Paint) -> Judged {
    let Err(refusal) = verdict else {
        return (State::Passed, String::new());
    };
    let words = message(lab, name, &refusal, paint);
    match refusal {
        Refusal::NotChecked(_) => (State::NotChecked, format!(" {}", words.trim_end())),
        Refusal::Undone { .. } => (State::Undone, format!("\n\n{words}")),
        Refusal::Failed(_) | Refusal::Broken(_) => (State::Failed, format!("\n\n{words}")),
    }
}

/// The step passed if every check of it did; else the words for the first that did not.
fn judge(outcome: Vec<Judged>) -> Judged {
    let first = |is_it: fn(State) -> bool| outcome.iter().position(|(state, _)| is_it(*state));
    let hard = first(|state| matches!(state, State::Failed | State::Undone));
    let decides = hard.or_else(|| first(|state| state == State::NotChecked));
    let decides = decides.and_then(|at| outcome.into_iter().nth(at));
    decides.unwrap_or((State::Passed, String::new()))
}

/// Keeps the record for the overview. What is known of the steps that this run has not judged stays as it is: a run stops
/// at the first step that fails, and a step that passed before is not undone by that.
fn keep(record: &str) {
    let Some(file) = std::env::var_os("LAB_PROGRESS") else {
        return;
    };
    let file = Path::new(&file);
    let number = |line: &str| line.split(' ').next()?.parse::<usize>().ok();
    let before = std::fs::read_to_string(file).unwrap_or_default();
    let lines = before.lines().chain(record.lines());
    let known: BTreeMap<usize, &str> = lines.filter_map(|line| Some((number(line)?, line))).collect();
    let text: String = known.values().flat_map(|line| [*line, "\n"]).collect();
    let kept = file
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(file, text));
    if let Err(error) = kept {
        eprintln!(
            "{}: {error}; the verdict stands, but the overview will not know it",
            file.display()
        );
    }
}

/// The checks at work, several at a time; whoever asks for a step gets it as soon as its checks are done.
struct Verdicts {
    workers: Vec<thread::JoinHandle<()>>,
    done: mpsc::Receiver<(usize, Judged)>,
    early: Vec<Option<Judged>>,
}

impl Verdicts {
    fn of(lab: Lab, checks: &[Check]) -> Self {
        let (report, done) = mpsc::channel();
        let next = Arc::new(AtomicUsize::new(0));
        let worker = |_| {
            let (checks, next, report) = (checks.to_vec(), Arc::clone(&next), report.clone());
            thread::spawn(move || {
                let paint = Paint::for_stdout();
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&(name, check)) = checks.get(i) else {
                        return;
                    };
                    let told = judged(&lab, name, outcome(check), &paint);
                    if report.send((i, told)).is_err() {
                        return;
                    }
                }
            })
        };
        let workers = (0..AT_A_TIME.min(checks.len())).map(worker).collect();
        drop(report);
        Self {
            workers,
            done,
            early: checks.iter().map(|_| None).collect(),
        }
    }

    /// The checks that nobody waits for any more are ended, and nothing of their programs is left.
    fn call_off(self) {
        drop(self.done);
        run::call_off();
        self.workers.into_iter().for_each(|worker| drop(worker.join()));
    }

    /// The verdicts of the checks `own`, the first of which is number `from`, up to the first refusal: that one decides,
    /// and nobody need wait for the rest.
    fn of_step(&mut self, from: usize, own: &[Check]) -> Vec<Judged> {
        let mut verdicts = Vec::new();
        for i in 0..own.len() {
            let told = self.of_check(from + i);
            let decides = matches!(told.0, State::Failed | State::Undone);
            verdicts.push(told);
            if decides {
                break;
            }
        }
        verdicts
    }

    fn of_check(&mut self, wanted: usize) -> Judged {
        loop {
            if let Some(told) = self.early[wanted].take() {
                return told;
            }
            match self.done.recv() {
                Ok((i, told)) => self.early[i] = Some(told),
                Err(_) => {
                    let lost = "\n\nthe check was lost: its thread is gone\n";
                    return (State::Failed, lost.to_owned());
                }
            }
        }
    }
}
