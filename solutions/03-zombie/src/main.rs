//! Lab 3, orphan and zombie: who is left behind.
//!
//! This file is the list of the steps, and what they share; it is complete. Each step is a file of its own.

mod daemon;
mod double;
mod handler;
mod ignore;
mod orphan;
mod pidfd;
mod zombie;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

const USAGE: &str =
    "usage: lab-zombie orphan | zombie | double | ignore 0..64 | handler 0..64 | daemon PIDFILE";

/// Why a run failed.
pub enum Error {
    /// It was not asked for as the usage says; nothing has happened yet.
    Usage(String),
    /// The named call failed.
    Call(&'static str, Errno),
    /// A child failed. It has said why itself, or a signal ended it.
    Child,
}

pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    /// Tells it on stderr, and returns the exit status that goes with it.
    fn tell(&self) -> u8 {
        let (line, status) = match self {
            Error::Usage(what) => (format!("zombie: {what}; {USAGE}\n"), 2),
            Error::Call(call, errno) => (format!("zombie: {call}: {}\n", reason(*errno)), 1),
            Error::Child => (String::new(), 1),
        };
        // If stderr cannot be written to either, nobody is left to be told.
        let _ = io::stderr().write_all(line.as_bytes());
        status
    }
}

/// The text of strerror(3): what `io::Error` shows, without its number.
fn reason(errno: Errno) -> String {
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

/// Ends a child. `_exit`, because what is in the buffers and what waits to be dropped belong to the parent.
pub fn leave(done: Result) -> ! {
    let status = done.map_or_else(|error| error.tell(), |()| 0);
    // SAFETY: `_exit` takes no pointer and runs no code of this process.
    unsafe { libc::_exit(status.into()) }
}

/// Makes a call again for as long as signals interrupt it.
pub fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Waits until this child has ended, and reaps it. (Lab 2 explains this.)
pub fn reap(child: Pid) -> Result<WaitStatus> {
    retry(|| waitpid(child, None)).named("waitpid")
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(error.tell()),
    }
}

/// Runs the step that the arguments ask for.
fn run(args: &[OsString]) -> Result {
    // Rust starts with SIGPIPE ignored, and children inherit that: a program whose reader has gone away would work on.
    // SAFETY: the default action is no handler, so no code of ours runs at an unexpected moment.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.named("signal")?;
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(|word| word.as_ref()).collect();
    match *words {
        ["--help"] => say(USAGE),
        ["orphan"] => orphan::run(),
        ["zombie"] => zombie::run(),
        ["double"] => double::run(),
        ["ignore", n] => ignore::run(number(n)?),
        ["handler", n] => handler::run(number(n)?),
        // The path itself, and not the word made of it: a path may be any bytes.
        ["daemon", path] if !path.is_empty() => daemon::run(Path::new(&args[1])),
        [] => Err(Error::Usage("which step?".to_owned())),
        _ => Err(Error::Usage(format!("no such step: {words:?}"))),
    }
}

/// The number of children, from 0 to 64, that `text` stands for.
fn number(text: &str) -> Result<usize> {
    let number = text.parse().ok().filter(|number| *number <= 64);
    number.ok_or_else(|| Error::Usage(format!("{text:?} is no number from 0 to 64")))
}
