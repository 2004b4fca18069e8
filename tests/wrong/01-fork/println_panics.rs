//! Refused by step 1 (twice). Replaces src/main.rs.
//! `println!`, as everywhere; it panics when it cannot write, and with a full disk the program ends in a backtrace.

mod exit;
mod family;
mod flush;
mod memory;
mod pids;
mod twice;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::WaitStatus;

const USAGE: &str =
    "usage: lab-fork twice | pids | memory | flush | exit return|exit|_exit 0..255 | family 0..64";

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
            Error::Usage(what) => (format!("fork: {what}; {USAGE}\n"), 2),
            Error::Call(call, errno) => (format!("fork: {call}: {}\n", reason(*errno)), 1),
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
    println!("{line}");
    Ok(())
}

/// Ends a child. `_exit`, because what is in the buffers and what waits to be dropped belong to the parent.
pub fn leave(done: Result) -> ! {
    let status = done.map_or_else(|error| error.tell(), |()| 0);
    // SAFETY: `_exit` takes no pointer and runs no code of this process.
    unsafe { libc::_exit(status.into()) }
}

/// Waits until a child has ended, and reaps it. Any child: no step has one that it did not make. (Lab 2 explains this.)
pub fn wait() -> Result {
    loop {
        match nix::sys::wait::wait() {
            Ok(WaitStatus::Exited(_, 0)) => return Ok(()),
            Ok(_) => return Err(Error::Child),
            // A signal woke us before a child ended: wait on.
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::Call("wait", errno)),
        }
    }
}

/// Waits until no child is left. Fails if one of them failed, but not before all are reaped. (Lab 2 explains this.)
pub fn reap_all() -> Result {
    let mut all = Ok(());
    loop {
        match wait() {
            Ok(()) => {}
            Err(Error::Call(_, Errno::ECHILD)) => return all,
            Err(Error::Child) => all = Err(Error::Child),
            Err(error) => return Err(error),
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let args: Vec<&str> = args.iter().map(|arg| arg.as_ref()).collect();
    run(&args).unwrap_or_else(|error| {
        if !matches!(error, Error::Usage(_)) {
            // No child outlives a failure. What failed first is what is told.
            let _ = reap_all();
        }
        ExitCode::from(error.tell())
    })
}

/// Runs the step that the arguments ask for.
fn run(args: &[&str]) -> Result<ExitCode> {
    // Rust ignores SIGPIPE, and children inherit that: a program whose reader has gone away would work on.
    // SAFETY: the default action is no handler, so no code of ours runs at an unexpected moment.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.named("signal")?;
    let mut code = ExitCode::SUCCESS;
    match *args {
        ["--help"] => say(USAGE)?,
        ["twice"] => twice::run()?,
        ["pids"] => pids::run()?,
        ["memory"] => memory::run()?,
        ["flush"] => flush::run()?,
        ["exit", how, status] => code = exit::run(exit::how(how)?, number(status, u8::MAX)?)?,
        ["family", n] => family::run(number(n, 64)?)?,
        [] => return Err(Error::Usage("which step?".to_owned())),
        _ => return Err(Error::Usage(format!("no such step: {args:?}"))),
    }
    // Rust flushes at the end too, but tells nobody when that fails.
    io::stdout().flush().named("write")?;
    Ok(code)
}

/// The number from 0 to `max` that `text` stands for.
fn number(text: &str, max: u8) -> Result<u8> {
    let number = text.parse().ok().filter(|number| *number <= max);
    number.ok_or_else(|| Error::Usage(format!("{text:?} is no number from 0 to {max}")))
}
