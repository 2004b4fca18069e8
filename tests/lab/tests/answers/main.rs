//! The checks, checked: every wrong answer is refused by the step it is about, every other right answer passes, a stub
//! is told where to begin, `true` passes nothing, and observation changes no output.
//!
//! `tests/wrong/NN-NAME/MISTAKE.patch` and `tests/right/NN-NAME/NAME.patch` change files of a reference solution, and
//! `MISTAKE.rs` replaces one where a patch would be as long as the file; their first line says which, and what is to become
//! of it. `whole.c` is a lab as a whole, in C. With `--sources` it only writes the sources of all answers, below
//! `target/answers`, and prints the files in which they differ from the solution.

mod answer;
mod build;
mod changed;
mod untraced;

use answer::{Answer, Lab, Verdict, labs};
use build::Built;
use libtest_mimic::{Arguments, Failed, Trial};
use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
    process::{Command, ExitCode},
    sync::OnceLock,
};

/// Trials at a time: a trial waits for programs that sleep.
const AT_A_TIME: usize = 4;
/// What is said where there is no C compiler.
const NO_CC: &str = "not checked: there is no `cc` on this machine";

static BUILT: OnceLock<Result<Built, String>> = OnceLock::new();

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--sources") {
        return print_sources();
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(AT_A_TIME));
    let refused = refused();
    if let Some(why) = &refused {
        eprintln!(
            "answers: not checked, and so ignored, is what has to be observed: {why}; cargo lab doctor says more"
        );
    }
    let blind = refused.is_some();
    let mut trials = Vec::new();
    for lab in labs() {
        for answer in lab.answers() {
            let trial = Trial::test(answer.title(), move || judge(&answer));
            trials.push(trial.with_ignored_flag(blind));
        }
        for (kind, test, observes) in [
            ("stub", stub as fn(&Lab) -> Result<(), Failed>, false),
            ("record", record, false),
            ("true", passes_nothing, true),
            ("enough", enough, false),
            ("untraced", untraced::same, true),
        ] {
            let lab = lab.clone();
            let trial = Trial::test(format!("{kind} {}", lab.slug), move || test(&lab));
            trials.push(trial.with_ignored_flag(blind && observes));
        }
    }
    trials.push(Trial::test("readme", readme));
    trials.push(Trial::test("refused", refusals_are_known));
    trials.push(Trial::test("spoilt", changed::spoilt_patches));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Prints the changed files: for `rustfmt --check`, and for whoever wants to read an answer as a whole.
fn print_sources() -> ExitCode {
    let (changed, why) = match build::lay_out(&labs()) {
        Ok(sources) => (sources.changed, sources.unfit.into_values().collect()),
        Err(why) => (Vec::new(), vec![why]),
    };
    for path in changed {
        println!("{}", path.display());
    }
    for why in &why {
        eprintln!("{why}");
    }
    ExitCode::from(u8::from(!why.is_empty()))
}

/// Why nothing can be observed on this machine, as the command's doctor finds out; `None` where it can.
fn refused() -> Option<String> {
    let doctor = Command::new(env!("CARGO_BIN_EXE_lab"))
        .arg("doctor")
        .output()
        .ok()?;
    missing(&String::from_utf8_lossy(&doctor.stdout))
}

/// The finding that keeps the grader from observing.
fn missing(findings: &str) -> Option<String> {
    let missing = findings
        .lines()
        .filter_map(|line| line.trim().strip_prefix("MISSING"));
    let mut words = missing.filter_map(|line| line.trim().split_once(' '));
    let (about, found) = words.find(|(about, _)| ["ptrace", "seccomp"].contains(about))?;
    Some(format!("{about} {}", found.trim()))
}

/// What the doctor says of a machine that refuses `ptrace` is understood.
fn refusals_are_known() -> Result<(), Failed> {
    let good = "  ok       ptrace     a child was traced\n  MISSING  files      at most 4\n";
    let bad = "  MISSING  ptrace     refused: Operation not permitted\n                        use another\n";
    if missing(good).is_none() && missing(bad).as_deref() == Some("ptrace refused: Operation not permitted") {
        Ok(())
    } else {
        Err(format!("{:?} and {:?}", missing(good), missing(bad)).into())
    }
}

/// Everything is built once, when the first trial needs it.
fn built() -> Result<&'static Built, Failed> {
    BUILT
        .get_or_init(|| build::build(&labs()))
        .as_ref()
        .map_err(Failed::from)
}

/// Runs the solution's checks with another program.
fn steps(lab: &Lab, program: &Path, arguments: &[&str]) -> Result<(bool, String), Failed> {
    let mut command = Command::new(&built()?.checks[&lab.package("solution")]);
    command.arg("--steps").args(arguments).env("LAB_PROGRAM", program);
    output(&mut command)
}

/// The same for the steps up to this one.
fn some_steps(lab: &Lab, program: &Path, last: usize) -> Result<(bool, String), Failed> {
    let (mut all, mut texts) = (true, String::new());
    for step in 1..=last {
        let (passed, text) = steps(lab, program, &["--all", "--step", &step.to_string()])?;
        all &= passed;
        texts += &text;
    }
    Ok((all, texts))
}

/// Whether it succeeded, and what it printed.
pub fn output(command: &mut Command) -> Result<(bool, String), Failed> {
    let output = command.env("NO_COLOR", "1").output()?;
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), text))
}

fn judge(answer: &Answer) -> Result<(), Failed> {
    if let Some(why) = built()?.unfit.get(&answer.title()) {
        return Err(why.into());
    }
    let Some(program) = built()?.programs.get(&answer.title()) else {
        eprintln!("{}: {NO_CC}", answer.title());
        return Ok(());
    };
    let number = answer.step.to_string();
    let one = ["--all", "--step", number.as_str()];
    let arguments = if answer.step == 0 { &one[..1] } else { &one[..] };
    let (passed, text) = match answer.up_to {
        Some(last) => some_steps(&answer.lab, program, last)?,
        None => steps(&answer.lab, program, arguments)?,
    };
    match answer.verdict {
        Verdict::Right if passed => Ok(()),
        Verdict::Right => Err(format!("a right answer is refused:\n{text}").into()),
        Verdict::Wrong if answer.step == 0 => refused_everywhere(&text),
        // Some need root to be found out. A step is marked so when a check of it could not be made.
        Verdict::Wrong if passed && text.starts_with("  – ") => {
            eprintln!("{}: {text}", answer.title());
            Ok(())
        }
        Verdict::Wrong if passed => Err(format!("a wrong answer passes:\n{text}").into()),
        Verdict::Wrong => {
            keep(answer, &text);
            Ok(())
        }
    }
}

fn refused_everywhere(text: &str) -> Result<(), Failed> {
    let passed: Vec<&str> = text.lines().filter(|line| line.starts_with("  ✓")).collect();
    if passed.is_empty() && text.contains("  ✗ 1 ") {
        Ok(())
    } else {
        Err(format!("passes {passed:?}:\n{text}").into())
    }
}

/// The message is kept, less the story: in that the order of unsynchronised events is free.
fn keep(answer: &Answer, text: &str) {
    let told = |line: &&str| {
        let words = [
            "  ✗ ",
            "  given  ",
            "  expected  ",
            "  happened  ",
            "  why  ",
            "  check  ",
        ];
        words.iter().any(|word| line.starts_with(word))
    };
    let message: String = text.lines().filter(told).map(settled).collect();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(answer.lab.root.join("tests/snapshots/wrong"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(&answer.mistake);
    settings.bind(|| insta::assert_snapshot!(format!("{}__{}", answer.lab.name, answer.name), message));
}

/// Ports, the checks' own addresses, the numbers of sockets, and how much a kernel's buffers take are others in each run.
fn settled(line: &str) -> String {
    let mut settled = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        settled += before;
        if let Some((address, what)) = loopback(from) {
            settled += if *address.ip() == Ipv4Addr::LOCALHOST {
                "127.0.0.1:N"
            } else {
                "127.N.N.N:N"
            };
            rest = what;
            continue;
        }
        let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let what = &from[end..];
        let of_buffers = end > 6 && what.starts_with(" bytes") || what.starts_with(" KiB had");
        settled += match of_buffers || before.ends_with(":[") {
            true => "N",
            false => &from[..end],
        };
        rest = what;
    }
    settled + rest + "\n"
}

/// The loopback address with a port that this begins with, and what comes behind it.
fn loopback(text: &str) -> Option<(SocketAddrV4, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
    let address = text[..end.unwrap_or(text.len())].trim_end_matches(['.', ':']);
    let parsed: SocketAddrV4 = address.parse().ok()?;
    parsed
        .ip()
        .is_loopback()
        .then_some((parsed, &text[address.len()..]))
}

/// A fresh stub stops at step 1, and every step of it is a gap of its own.
fn stub(lab: &Lab) -> Result<(), Failed> {
    let checks = &built()?.checks[&lab.package("lab")];
    let (passed, text) = output(Command::new(checks).arg("--steps").env_remove("LAB_PROGRAM"))?;
    if passed || !text.contains("  ○ 1 ") || !text.contains("next      step 1,") {
        return Err(format!("the stub does not stop at step 1:\n{text}").into());
    }
    let (_, text) = output(
        Command::new(checks)
            .args(["--steps", "--all"])
            .env_remove("LAB_PROGRAM"),
    )?;
    let done: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("  ✓") || line.starts_with("  ✗"))
        .collect();
    let undone = text.lines().filter(|line| line.starts_with("  ○")).count();
    if done.is_empty() && undone == lab.steps().len() {
        Ok(())
    } else {
        Err(format!("not undone: {done:?}:\n{text}").into())
    }
}

/// A run that stops early leaves what was known of the steps that it did not come to.
fn record(lab: &Lab) -> Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let file = place.path().join("progress/record");
    let checks = &built()?.checks[&lab.package("lab")];
    let mut run = Command::new(checks);
    run.arg("--steps")
        .env_remove("LAB_PROGRAM")
        .env("LAB_PROGRESS", &file);
    let recorded = |run: &mut Command| output(run).and_then(|_| Ok(std::fs::read_to_string(&file)?));
    let first = recorded(&mut run)?;
    std::fs::write(&file, "1 passed\n2 passed\n10 failed\n")?;
    let second = recorded(&mut run)?;
    let one = recorded(run.args(["--step", "2"]))?;
    let expected = [
        "1 undone\n",
        "1 undone\n2 passed\n10 failed\n",
        "1 undone\n2 undone\n10 failed\n",
    ];
    if [&first, &second, &one] == expected {
        Ok(())
    } else {
        Err(format!("{first:?}, {second:?}, {one:?}; expected {expected:?}").into())
    }
}

/// Every single check fails on a program that does nothing and succeeds.
fn passes_nothing(lab: &Lab) -> Result<(), Failed> {
    let mut command = Command::new(&built()?.checks[&lab.package("solution")]);
    let (_, text) = output(command.env("LAB_PROGRAM", "/bin/true"))?;
    if text.contains(" 0 passed;") && !text.contains(" 0 failed;") {
        Ok(())
    } else {
        Err(text.into())
    }
}

/// Eight wrong answers a lab and two right ones a step, at the least; the syllabus is the same everywhere.
fn enough(lab: &Lab) -> Result<(), Failed> {
    let answers = lab.answers();
    let wrong = answers
        .iter()
        .filter(|answer| answer.verdict == Verdict::Wrong && answer.step > 0)
        .count();
    if wrong < 8 {
        return Err(format!("{wrong} wrong answers; there should be 8 or more").into());
    }
    let mut names: Vec<String> = answers.iter().map(Answer::title).collect();
    names.sort();
    if let Some(twice) = names.windows(2).find(|two| two[0] == two[1]) {
        return Err(format!("two files are called {}", twice[0]).into());
    }
    for (number, step) in lab.steps() {
        let of_it = |verdict| {
            let mut own = answers.iter().filter(move |answer| answer.verdict == verdict);
            move || {
                own.by_ref()
                    .filter(|answer| {
                        answer.step == number
                            || answer.step == 0 && answer.up_to.is_none_or(|last| number <= last)
                    })
                    .count()
            }
        };
        let (mut right, mut wrong) = (of_it(Verdict::Right), of_it(Verdict::Wrong));
        let (right, wrong) = (right(), wrong());
        if right < 2 || wrong < 4 {
            return Err(format!(
                "step {number} ({step}) has {right} other right answers and {wrong} wrong ones"
            )
            .into());
        }
    }
    for answer in &answers {
        let named = lab
            .steps()
            .iter()
            .any(|(number, step)| *number == answer.step && *step == answer.step_name);
        if answer.step > 0 && !named {
            return Err(format!(
                "{}: there is no step {} ({})",
                answer.title(),
                answer.step,
                answer.step_name
            )
            .into());
        }
    }
    same_steps_everywhere(lab)
}

/// The failing step that the README shows is what `middle_never_reaped` gets.
fn readme() -> Result<(), Failed> {
    let root = labs().first().ok_or("there are no labs")?.root.clone();
    let readme = std::fs::read_to_string(root.join("README.md"))?;
    let kept = std::fs::read_to_string(root.join("tests/snapshots/wrong/zombie__middle_never_reaped.snap"))?;
    let missing = kept
        .lines()
        .skip_while(|line| *line != "---")
        .skip(1)
        .skip_while(|line| *line != "---")
        .skip(1);
    let missing: Vec<&str> = missing.filter(|line| !readme.contains(line.trim_end())).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("the README does not show {missing:#?}").into())
    }
}

/// The hints, the checks and the chapter tell of the same steps.
fn same_steps_everywhere(lab: &Lab) -> Result<(), Failed> {
    let mut list = Command::new(&built()?.checks[&lab.package("solution")]);
    let (_, checks) = output(list.arg("--list"))?;
    let chapter = std::fs::read_to_string(lab.root.join(format!("book/src/{}.md", lab.slug)))?;
    for (number, step) in lab.steps() {
        let check = format!("step_{number}_{}", step.trim_start_matches('_'));
        let is_it = |line: &str| {
            line.strip_prefix(&check)
                .is_some_and(|rest| rest.starts_with(['_', ':']))
        };
        if !checks.lines().any(is_it) {
            return Err(format!("no check is called {check}").into());
        }
        if !chapter.contains(&format!("## Step {number}: {step}")) {
            return Err(format!("the chapter has no heading \"Step {number}: {step}\"").into());
        }
    }
    Ok(())
}
