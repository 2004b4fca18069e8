//! Refused by step 6 (all). Replaces src/main.rs.
//! When a step fails, the error is told and the program exits: the children that had been made by then are
//! not waited for.

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
use nix::sys::wait::WaitStatus;

use status::How;

const USAGE: &str = "usage: lab-wait one 0..255 | order | first | nohang | status exit 0..255 | \
                     status kill SIGNAL | status stop | all 0..64 | run PROGRAM [ARG...]";

pub enum Error {
    Usage(String),
    Call(&'static str, Errno),
    Child(WaitStatus),
}

pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    pub fn tell(&self) -> u8 {
        match self {
            Error::Usage(what) => complain(format_args!("{what}; {USAGE}")),
            Error::Call(call, errno) => complain(format_args!("{call}: {}", reason(*errno))),
            Error::Child(status) => complain(format_args!("child: {status:?}")),
        }
        if matches!(self, Error::Usage(_)) { 2 } else { 1 }
    }
}

pub fn reason(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

pub trait Named<T> {
    fn named(self, call: &'static str) -> Result<T>;
}

impl<T, E: Into<io::Error>> Named<T> for std::result::Result<T, E> {
    fn named(self, call: &'static str) -> Result<T> {
        // A write that takes nothing has no errno of its own: call it an input/output error.
        self.map_err(|error| Error::Call(call, Errno::try_from(error.into()).unwrap_or(Errno::EIO)))
    }
}

pub fn say(line: impl Display) -> Result {
    let line = format!("{line}\n");
    io::stdout().write_all(line.as_bytes()).named("write")
}

pub fn complain(line: impl Display) {
    let line = format!("wait: {line}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    run(args).unwrap_or_else(|error| {
        let code = error.tell();
        ExitCode::from(code)
    })
}

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

fn number(text: &str, max: u8) -> Result<u8> {
    let number = text.parse().ok().filter(|number| *number <= max);
    number.ok_or_else(|| Error::Usage(format!("{text:?} is no number from 0 to {max}")))
}

fn death(name: &str) -> Result<Signal> {
    use Signal::{SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};
    let spares = [
        SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH,
    ];
    let full = format!("SIG{}", name.strip_prefix("SIG").unwrap_or(name));
    let signal = full.parse().ok().filter(|signal| !spares.contains(signal));
    signal.ok_or_else(|| Error::Usage(format!("{name:?} is no signal that kills by default")))
}

fn command(args: Vec<OsString>) -> Result<Vec<CString>> {
    let strings = args.into_iter().skip(1).map(|arg| CString::new(arg.into_vec()));
    strings.collect::<std::result::Result<_, _>>().named("execve")
}
