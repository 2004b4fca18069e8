//! Lab 6, Unix sockets: talking on one machine.
//!
//! This file is the list of the steps, and what they share; it is complete. Each step is a file of its own, but for
//! steps 3 and 4: the life of a socket file belongs to every receiver, and is solved once, in `listener.rs`.

mod kind;
mod listener;
mod pair;
mod pass;
mod recv;
mod send;
mod who;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};

const USAGE: &str =
    "usage: lab-unix kind PATH... | recv PATH | send PATH | who PATH | give PATH FILE | take PATH | pair";

/// Why a run ends before its work is done.
#[derive(Debug)]
pub enum Error {
    /// It was not asked for as the usage says; nothing has happened yet.
    Usage(String),
    /// The named call failed.
    Call(&'static str, Errno),
    /// A message came, and no descriptor with it.
    NoDescriptor,
    /// SIGINT or SIGTERM has come. That is no failure: `listener::during` tidies up, and is content.
    Signal,
    /// It has been told already, or whom it should be told has gone.
    Told,
}

pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    /// Tells it on stderr, and returns the exit status that goes with it.
    fn tell(&self) -> u8 {
        match self {
            Error::Usage(what) => {
                complain(&[what.as_bytes(), b"; ", USAGE.as_bytes()]);
                return 2;
            }
            Error::Call(call, errno) => complain(&[call.as_bytes(), b": ", reason(*errno).as_bytes()]),
            Error::NoDescriptor => complain(&[b"recvmsg: no descriptor"]),
            Error::Signal | Error::Told => {}
        }
        1
    }
}

/// Tells on stderr what is wrong. In bytes, since it may be a path.
pub fn complain(parts: &[&[u8]]) {
    let line = [b"unix: ", parts.concat().as_slice(), b"\n"].concat();
    // If stderr cannot be written to either, nobody is left to be told.
    let _ = io::stderr().write_all(&line);
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

/// Prints a line at once, by one write(2). In bytes: a path or a message need not be text.
pub fn say(parts: &[&[u8]]) -> Result {
    print(&[parts.concat().as_slice(), b"\n"].concat())
}

/// Prints these bytes at once. (It waits where stdout is a pipe that nobody empties, and hears no signal meanwhile: a
/// program that must not would keep them, as the servers of lab 4 keep what they owe.)
pub fn print(bytes: &[u8]) -> Result {
    let mut stdout = io::stdout();
    match stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .named("write")
    {
        // The reader has gone away. A receiver, which blocks SIGPIPE, gets to know it here.
        Err(Error::Call(_, Errno::EPIPE)) => Err(Error::Told),
        printed => printed,
    }
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

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(error.tell()),
    }
}

/// Runs the step that the arguments ask for.
fn run(args: &[OsString]) -> Result {
    // Rust starts with SIGPIPE ignored: a program whose reader has gone away would work on.
    // SAFETY: the default action is no handler, so no code of ours runs at an unexpected moment.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.named("signal")?;
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(|word| word.as_ref()).collect();
    match *words {
        ["--help"] => say(&[USAGE.as_bytes()]),
        ["kind", _, ..] => kind::run(&args[1..]),
        ["recv", _] => recv::run(path(&args[1])?),
        ["send", _] => send::run(path(&args[1])?),
        ["who", _] => who::run(path(&args[1])?),
        ["give", _, _] => pass::give(path(&args[1])?, path(&args[2])?),
        ["take", _] => pass::take(path(&args[1])?),
        ["pair"] => pair::run(),
        [] => Err(Error::Usage("which step?".to_owned())),
        _ => Err(Error::Usage(format!("no such step: {words:?}"))),
    }
}

/// The path itself, and not the word made of it: a path may be any bytes. Only none at all is no path: to bind(2) it
/// would mean "any name that is free, and none in the file system".
fn path(arg: &OsString) -> Result<&Path> {
    if arg.as_bytes().is_empty() {
        return Err(Error::Usage("an empty path".to_owned()));
    }
    Ok(Path::new(arg))
}
