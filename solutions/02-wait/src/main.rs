//! Lab 2 · wait and waitpid: how a child ended.
//!
//! This file is the list of the steps, and what all of them share: how a line is printed and how an error is
//! told. Each step is a file of its own beside it; `spawn.rs` makes their children.

mod all;
mod first;
mod nohang;
mod one;
mod order;
mod run;
mod spawn;
mod status;

use std::ffi::{CString, OsString};
use std::fmt::Display;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::{WaitStatus, wait};

use status::How;

const USAGE: &str = "usage: lab-wait one 0..255 | order | first | nohang | status exit 0..255 | \
                     status kill SIGNAL | status stop | all 0..64 | run PROGRAM [ARG...]";

/// Why a run failed.
pub enum Error {
    /// It was not asked for as the usage says; nothing has happened yet.
    Usage(String),
    /// The named call failed.
    Call(&'static str, Errno),
    /// A child that should have exited ended in another way.
    Child(WaitStatus),
}

pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    /// Tells it on stderr, and returns the exit status that goes with it.
    pub fn tell(&self) -> u8 {
        match self {
            Error::Usage(what) => complain(format_args!("{what}; {USAGE}")),
            Error::Call(call, errno) => complain(format_args!("{call}: {}", reason(*errno))),
            Error::Child(status) => complain(format_args!("child: {status:?}")),
        }
        if matches!(self, Error::Usage(_)) { 2 } else { 1 }
    }
}

/// The text of strerror(3): what `io::Error` shows, without its number.
pub fn reason(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Adds to an error the name of the call that failed.
pub trait Named<T> {
    fn named(self, call: &'static str) -> Result<T>;
}

impl<T, E: Into<io::Error>> Named<T> for std::result::Result<T, E> {
    fn named(self, call: &'static str) -> Result<T> {
        // A write that takes nothing has no errno of its own: call it an input/output error.
        self.map_err(|error| Error::Call(call, Errno::try_from(error.into()).unwrap_or(Errno::EIO)))
    }
}

/// Prints a line at once, by one write(2). Unlike `println!` it does not panic when the disk is full.
pub fn say(line: impl Display) -> Result {
    let line = format!("{line}\n");
    io::stdout().write_all(line.as_bytes()).named("write")
}

/// Prints a line on stderr, by one write(2). If that fails, nobody is left to be told.
pub fn complain(line: impl Display) {
    let line = format!("wait: {line}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    run(args).unwrap_or_else(|error| {
        let code = error.tell();
        // No child outlives a failure. (Step 6 explains this line. EINVAL: nix has reaped a child, and has no name for
        // the signal that killed it.)
        while code == 1 && matches!(wait(), Ok(_) | Err(Errno::EINTR | Errno::EINVAL)) {}
        ExitCode::from(code)
    })
}

/// Runs the step that the arguments ask for.
fn run(args: Vec<OsString>) -> Result<ExitCode> {
    // Rust starts with SIGPIPE ignored, which passes to children and through exec: then neither this program
    // nor one that step 7 runs would end when its reader goes away.
    // SAFETY: the default action is no handler, so no code of ours runs at an unexpected moment.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.named("signal")?;
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(|word| word.as_ref()).collect();
    match *words {
        ["--help"] => say(USAGE)?,
        ["one", code] => one::run(number(code, u8::MAX)?)?,
        ["order"] => order::run()?,
        ["first"] => first::run()?,
        ["nohang"] => nohang::run()?,
        ["status", "exit", code] => status::run(How::Exit(number(code, u8::MAX)?))?,
        ["status", "kill", name] => status::run(How::Kill(death(name)?))?,
        ["status", "stop"] => status::run(How::Stop)?,
        ["all", n] => all::run(number(n, 64)?)?,
        ["run", _, ..] => return run::run(&command(args)?),
        [] => return Err(Error::Usage("which step?".to_owned())),
        _ => {
            return Err(Error::Usage(format!(
                "no such step: {}",
                words.join(" ").escape_debug()
            )));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The number from 0 to `max` that `text` stands for.
fn number(text: &str, max: u8) -> Result<u8> {
    let number = text.parse().ok().filter(|number| *number <= max);
    number.ok_or_else(|| Error::Usage(format!("{text:?} is no number from 0 to {max}")))
}

/// The standard signal of that name, with or without `SIG`, if its default action is to kill.
fn death(name: &str) -> Result<Signal> {
    use Signal::{SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};
    let spares = [
        SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH,
    ];
    let full = format!("SIG{}", name.strip_prefix("SIG").unwrap_or(name));
    let signal = full.parse().ok().filter(|signal| !spares.contains(signal));
    signal.ok_or_else(|| Error::Usage(format!("{name:?} is no signal that kills by default")))
}

/// What `run` is to run, as execvp wants it: a program and its arguments, in the bytes they were given in.
fn command(args: Vec<OsString>) -> Result<Vec<CString>> {
    let strings = args.into_iter().skip(1).map(|arg| CString::new(arg.into_vec()));
    strings.collect::<std::result::Result<_, _>>().named("execve")
}
