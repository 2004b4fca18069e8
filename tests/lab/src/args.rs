//! What the command was asked for.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::{Result, Trouble};

/// What `--help` says.
pub const HELP: &str = "\
cargo lab                      the labs, their steps, and how far you are
cargo lab LAB                  builds a lab and runs its steps, up to the first that fails
cargo lab LAB --all            runs all its steps, whatever fails
cargo lab LAB --step N         runs step N only
cargo lab LAB --program FILE   judges another executable, in whatever language it was written
cargo lab hint LAB [--step N]  the next hint for the first step that has not passed, or for step N
cargo lab story LAB ARG…       runs the lab's program once, and tells its story (first ARG --json: as JSON)
cargo lab bench 4 [--quick]     measures your servers of lab 4: is epoll more efficient than select and poll?
cargo lab bench 6 [--quick]     measures Unix sockets, loopback TCP and pipes
cargo lab doctor               what this machine offers, and what to do about what is missing

LAB is a number, a name, or both: 3, zombie, 03-zombie.
Exit: 0 all steps passed, 1 a step failed or did not compile, 2 wrong usage.
";

/// What to do.
pub enum Request {
    Help,
    Version,
    Overview,
    Doctor,
    Judge(Order),
    Hint { lab: String, step: Option<u32> },
    Story { lab: String, args: Vec<String> },
    Bench { lab: String, quick: bool },
}

/// Which lab to judge, how much of it, and whose program.
#[derive(Default)]
pub struct Order {
    pub lab: String,
    pub all: bool,
    pub step: Option<u32>,
    pub program: Option<PathBuf>,
}

/// The words and the options of a command line, before anybody asked what they mean together.
#[derive(Default)]
struct Given {
    words: Vec<String>,
    all: bool,
    step: Option<u32>,
    program: Option<PathBuf>,
    quick: bool,
    /// What stands behind `story LAB` belongs to the lab's program, whatever it looks like.
    rest: Vec<String>,
}

/// Reads the command line, without the program's own name.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Request> {
    let mut given = Given::default();
    let mut args = args;
    while let Some(arg) = args.next() {
        let Ok(arg) = arg.into_string() else {
            return usage("an argument that is not UTF-8");
        };
        if matches!(&given.words[..], [story, _] if story == "story") {
            given.rest.push(arg);
            continue;
        }
        let (option, glued) = match arg.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(OsString::from(value))),
            _ => (arg.as_str(), None),
        };
        match option {
            "-h" | "--help" if glued.is_none() => return Ok(Request::Help),
            "-V" | "--version" if glued.is_none() => return Ok(Request::Version),
            "--all" if glued.is_none() => given.all = true,
            "--quick" if glued.is_none() => given.quick = true,
            "--step" => given.step = Some(step(glued.or_else(|| args.next()))?),
            "--program" => given.program = Some(program(glued.or_else(|| args.next()))?),
            _ if arg.starts_with('-') => return usage(format!("unknown option `{arg}`")),
            _ => given.words.push(arg),
        }
    }
    request(given)
}

/// What the words and the options ask for together.
fn request(given: Given) -> Result<Request> {
    let Given {
        words,
        all,
        step,
        program,
        quick,
        rest,
    } = given;
    let any = all || step.is_some() || program.is_some();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if quick && words.first() != Some(&"bench") {
        return usage("`--quick` is for `bench`");
    }
    match *words {
        [] if any => usage("which lab? its number or name is missing"),
        [] => Ok(Request::Overview),
        ["help"] => Ok(Request::Help),
        ["doctor"] if any => usage("`doctor` takes no option"),
        ["doctor"] => Ok(Request::Doctor),
        ["story"] => usage("`story` of which lab? its number or name is missing"),
        ["story", _] if any => usage("`story LAB` comes before what is for the lab's program"),
        ["story", lab] => Ok(Request::Story {
            lab: lab.into(),
            args: rest,
        }),
        ["bench"] => usage("`bench` of which lab? its number or name is missing"),
        ["bench", _] if any => usage("`bench` takes no option but `--quick`"),
        ["bench", lab] => Ok(Request::Bench {
            lab: lab.into(),
            quick,
        }),
        ["hint"] => usage("`hint` of which lab? its number or name is missing"),
        ["hint", _] if all || program.is_some() => usage("`hint` takes no option but `--step N`"),
        ["hint", lab] => Ok(Request::Hint {
            lab: lab.into(),
            step,
        }),
        [_] if all && step.is_some() => usage("`--all` and `--step` exclude each other"),
        [lab] => Ok(Request::Judge(Order {
            lab: lab.into(),
            all,
            step,
            program,
        })),
        ["hint" | "bench", _, surplus, ..] | [_, surplus, ..] => {
            usage(format!("surplus argument `{surplus}`"))
        }
    }
}

fn step(value: Option<OsString>) -> Result<u32> {
    let Some(value) = value else {
        return usage("`--step` needs a number");
    };
    match value.to_str().and_then(|digits| digits.parse().ok()) {
        Some(number) => Ok(number),
        None => usage(format!("`--step` needs a number, not `{}`", value.display())),
    }
}

fn program(value: Option<OsString>) -> Result<PathBuf> {
    match value {
        Some(file) if !file.is_empty() => Ok(file.into()),
        _ => usage("`--program` needs a file"),
    }
}

/// Wrong usage, in a line that says what is wrong.
pub fn usage<T>(line: impl Into<String>) -> Result<T> {
    Err(Trouble::Usage(line.into()))
}
