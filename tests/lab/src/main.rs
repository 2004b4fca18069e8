//! The `lab` command: finds the labs, builds the one that is asked for, and hands over to its checks.
//!
//! `cargo lab` is an alias of `cargo run --quiet --package lab --` (`.cargo/config.toml`). The command is thin on
//! purpose: it is between a saved edit and its verdict, so the judging and the printing of a verdict are left to
//! the lab's own test binary, which takes this process over.

#![warn(missing_docs)]

#[cfg(not(target_os = "linux"))]
compile_error!("forkroom needs Linux: book/src/introduction.md says what to do on macOS and Windows");

mod args;
mod bench;
mod build;
mod doctor;
mod hint;
mod judge;
mod labs;
mod overview;
mod paint;
mod progress;
mod syllabus;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use args::Request;
use labs::Kit;

/// Why the command could not do what it was asked for.
pub enum Trouble {
    /// It was called wrongly: exit 2.
    Usage(String),
    /// Something else was in the way: exit 1.
    Other(String),
}

/// What a part of the command comes to: by itself, how the command exits.
pub type Result<T = ExitCode> = std::result::Result<T, Trouble>;

/// Trouble with a file or a program, which it names.
pub fn trouble(what: impl Display, why: impl Display) -> Trouble {
    Trouble::Other(format!("{what}: {}", reason(why)))
}

/// An error in the words of the man page, without its number.
pub fn reason(why: impl Display) -> String {
    let text = why.to_string();
    text.split(" (os error ").next().unwrap_or_default().into()
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(Trouble::Usage(line)) => {
            warn(format_args!("lab: {line}; try: cargo lab --help\n"));
            ExitCode::from(2)
        }
        Err(Trouble::Other(line)) => {
            warn(format_args!("lab: {line}\n"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result {
    match args::parse(std::env::args_os().skip(1))? {
        Request::Help => say(args::HELP),
        Request::Version => say(concat!("forkroom ", env!("CARGO_PKG_VERSION"), "\n")),
        Request::Doctor => doctor::doctor(),
        Request::Overview => overview::overview(&Kit::find()?),
        Request::Judge(order) => judge::judge(&Kit::find()?, &order),
        Request::Story { lab, args } => judge::story(&Kit::find()?, &lab, &args),
        Request::Bench { lab, quick } => bench::bench(&Kit::find()?, &lab, quick),
        Request::Hint { lab, step } => hint::hint(&Kit::find()?, &lab, step),
    }
}

/// Writes to stdout. A reader that has gone away (`| head -1`) has seen what it wanted: no error, and no panic.
pub fn say(text: &str) -> Result {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(trouble("write", e)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Writes to stderr. Where that fails nobody is left to be told.
pub fn warn(text: impl Display) {
    let _ = write!(io::stderr(), "{text}");
}
