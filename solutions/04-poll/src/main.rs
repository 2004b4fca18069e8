//! Lab 4, poll and epoll: one process, many conversations.
//!
//! This file is the list of the steps, and what they share; it is complete. Each step is a file of its own, but for
//! steps 5 and 6: they belong to every server, and are solved once, in `conn.rs` and `server.rs`.

mod conn;
mod edge;
mod epoll;
mod http;
mod listener;
mod models;
mod page;
mod poll;
mod request;
mod select;
mod server;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};

use models::Model;

const USAGE: &str = "usage: lab-poll read blocking | read nonblocking | read timeout 0..60000 | \
    select ADDR | poll ADDR | epoll ADDR | edge ADDR | http ADDR (ADDR: 127.0.0.1:7000, [::1]:0)";

/// Why a run failed.
pub enum Error {
    /// It was not asked for as the usage says; nothing has happened yet.
    Usage(String),
    /// The named call failed.
    Call(&'static str, Errno),
}

pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    /// Tells it on stderr, and returns the exit status that goes with it.
    fn tell(&self) -> u8 {
        let (line, status) = match self {
            Error::Usage(what) => (format!("poll: {what}; {USAGE}\n"), 2),
            Error::Call(call, errno) => (format!("poll: {call}: {}\n", reason(*errno)), 1),
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
/// (It waits where stdout is a pipe that nobody empties: a server that must not would log through a buffer.)
pub fn say(line: impl Display) -> Result {
    let line = format!("{line}\n");
    io::stdout().write_all(line.as_bytes()).named("write")
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
        ["--help"] => say(USAGE),
        ["read", "blocking"] => models::run(Model::Blocking),
        ["read", "nonblocking"] => models::run(Model::Nonblocking),
        ["read", "timeout", ms] => models::run(Model::Timeout(milliseconds(ms)?)),
        ["select", addr] => select::run(address(addr)?),
        ["poll", addr] => poll::run(address(addr)?),
        ["epoll", addr] => epoll::run(address(addr)?),
        ["edge", addr] => edge::run(address(addr)?),
        ["http", addr] => http::run(address(addr)?),
        [] => Err(Error::Usage("which step?".to_owned())),
        _ => Err(Error::Usage(format!("no such step: {words:?}"))),
    }
}

/// The number of milliseconds, from 0 to 60000, that `text` stands for.
fn milliseconds(text: &str) -> Result<u16> {
    let number = text.parse().ok().filter(|number| *number <= 60_000);
    number.ok_or_else(|| Error::Usage(format!("{text:?} is no number from 0 to 60000")))
}

/// The address and port that `text` stands for. Names are not looked up: that would block.
fn address(text: &str) -> Result<SocketAddr> {
    text.parse()
        .map_err(|_| Error::Usage(format!("{text:?} is no IP:PORT")))
}
