//! Lab 7, the chat room: all of it together.
//!
//! This file is the list of what can be run, and what all of it shares; it is complete. The steps are not programs
//! of their own here, but parts of one: `server.rs` and `client.rs` are the places to start reading.

mod addr;
mod announcer;
mod child;
mod client;
mod conn;
mod conns;
mod console;
mod door;
mod editor;
mod entry;
mod lines;
mod link;
mod listener;
mod notices;
mod poller;
mod receiver;
mod room;
mod server;
mod strangers;
mod stream;
mod terminal;
mod udp;
mod visit;
mod wait;
mod wire;

use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};

use notices::Reason;

const USAGE: &str =
    "usage: lab-chat server [--stream] [ADDR] | client [--stream] [ADDR] (ADDR: 127.0.0.1:8888, [::1]:0)";

/// Where the room is, if nothing else is said.
const ADDR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8888);

/// Why something did not come about.
#[derive(Debug)]
pub enum Error {
    /// It was not asked for as the usage says; nothing has happened yet.
    Usage(String),
    /// The named call failed.
    Call(&'static str, Errno),
    /// The server refuses what a peer has asked for. That is the peer's affair, and ends nothing.
    Refused(Reason),
    /// The server does not answer, or nobody is there.
    NoAnswer(SocketAddr),
    /// The server has closed the stream.
    HungUp(SocketAddr),
    /// The child that receives has failed, and says this of it.
    Receiver(String),
    /// Whom it should be told has gone.
    Told,
}

pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    /// Tells it on stderr, and returns the exit status that goes with it.
    fn tell(&self) -> u8 {
        if !matches!(self, Error::Told) {
            complain(self);
        }
        if let Error::Usage(_) = self { 2 } else { 1 }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(what) => write!(f, "{what}; {USAGE}"),
            Error::Call(call, errno) => write!(f, "{call}: {}", reason(*errno)),
            Error::Refused(reason) => reason.fmt(f),
            Error::NoAnswer(server) => write!(f, "no answer from {server}"),
            Error::HungUp(server) => write!(f, "{server} has hung up"),
            Error::Receiver(what) => f.write_str(what),
            Error::Told => Ok(()),
        }
    }
}

/// Tells on stderr what is wrong.
pub fn complain(what: impl Display) {
    // If stderr cannot be written to either, nobody is left to be told.
    let _ = io::stderr().write_all(format!("chat: {what}\n").as_bytes());
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

/// Prints a line at once, by one write(2).
pub fn say(line: impl Display) -> Result {
    print(format!("{line}\n").as_bytes())
}

/// Prints these bytes at once. (It waits where stdout is a pipe that nobody empties: a server that must not would log
/// through a buffer.)
pub fn print(bytes: &[u8]) -> Result {
    let mut stdout = io::stdout();
    match stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .named("write")
    {
        // The reader has gone away.
        Err(Error::Call(_, Errno::EPIPE)) => Err(Error::Told),
        printed => printed,
    }
}

/// Tells how many messages were lost, if any were.
pub fn say_lost(lost: u64) -> Result {
    match lost {
        0 => Ok(()),
        lost => say(format_args!("lost {lost}")),
    }
}

/// How many messages a socket has dropped since it was made, because there was no room for them: the kernel counts them
/// (SO_MEMINFO). One that does not tell is one that lost nothing, as far as we know.
pub fn drops(socket: &OwnedFd) -> u64 {
    const WORDS: usize = libc::SK_MEMINFO_DROPS as usize + 1;
    let mut words = [0_u32; WORDS];
    let mut len = size_of_val(&words) as libc::socklen_t;
    let (fd, at) = (socket.as_raw_fd(), words.as_mut_ptr().cast());
    // SAFETY: `at` and `len` are ours, and `len` says how much may be written to `at`.
    unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, at, &mut len) };
    words[WORDS - 1].into()
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

/// Runs what the arguments ask for.
fn run(args: &[OsString]) -> Result {
    // Rust starts with SIGPIPE ignored: a program whose reader has gone away would work on.
    // SAFETY: the default action is no handler, so no code of ours runs at an unexpected moment.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.named("signal")?;
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(|word| word.as_ref()).collect();
    match *words {
        ["--help"] => say(USAGE),
        ["server"] => server::run(ADDR),
        ["client"] => client::run(ADDR, false),
        ["server", "--stream"] => stream::run(ADDR),
        ["client", "--stream"] => client::run(ADDR, true),
        ["server", "--stream", addr] => stream::run(address(addr)?),
        ["client", "--stream", addr] => client::run(address(addr)?, true),
        ["server", addr] => server::run(address(addr)?),
        ["client", addr] => client::run(address(addr)?, false),
        [] => Err(Error::Usage("which step?".to_owned())),
        _ => Err(Error::Usage(format!("no such step: {words:?}"))),
    }
}

/// The address and port that `text` stands for. Names are not looked up: that would block.
fn address(text: &str) -> Result<SocketAddr> {
    text.parse()
        .map_err(|_| Error::Usage(format!("{text:?} is no IP:PORT")))
}
