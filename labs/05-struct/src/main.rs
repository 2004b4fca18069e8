//! Lab 5, struct: values as bytes, in the language of Python's `struct` module.
//!
//! This file is the list of the steps, and what they share; it is complete. What a format means stands in `format.rs` and
//! `order.rs`, how values become bytes in `pack.rs`, how bytes become values in `unpack.rs`, how records come over a
//! connection in `records.rs`, and how bad input is told in `refuse.rs`.

mod format;
mod hex;
mod order;
mod pack;
mod records;
mod refuse;
mod unpack;
mod value;
mod wire;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};

use format::Format;
use refuse::Bad;

const USAGE: &str = "usage: lab-struct calcsize FMT | pack FMT VALUE… | unpack FMT HEX | \
    recv ADDR FMT | send ADDR FMT VALUE… (ADDR: 127.0.0.1:7000, [::1]:0)";

/// The most bytes that a record may have, except where only its size is asked for.
const LIMIT: usize = 1 << 20;

/// Why a run failed.
pub enum Error {
    /// It was not asked for as the usage says; nothing has happened yet.
    Usage(String),
    /// It was, but with a format or with values that mean nothing; nothing has happened yet.
    Bad(Bad),
    /// The named call failed.
    Call(&'static str, Errno),
}

pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    /// Tells it on stderr, and returns the exit status that goes with it.
    fn tell(&self) -> u8 {
        let (line, status) = match self {
            Error::Usage(what) => (format!("struct: {what}; {USAGE}\n"), 2),
            Error::Bad(bad) => (format!("struct: {}\n", bad.in_a_line()), 2),
            Error::Call(call, errno) => (format!("struct: {call}: {}\n", reason(*errno)), 1),
        };
        complain(&line);
        status
    }
}

impl From<Bad> for Error {
    fn from(bad: Bad) -> Error {
        Error::Bad(bad)
    }
}

/// Writes to stderr. If that cannot be written to either, nobody is left to be told.
pub fn complain(line: &str) {
    let _ = io::stderr().write_all(line.as_bytes());
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

/// Prints a line at once. Unlike `println!` it does not panic when the disk is full.
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
    // An argument is bytes, and not always text.
    let words: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
    match *words {
        [b"--help"] => say(USAGE),
        [b"calcsize", format] => say(Format::parse(format)?.size),
        [b"pack", format, ref values @ ..] => say(hex::encode(&packed(&bounded(format)?, values)?)),
        [b"unpack", format, hex] => unpack(&bounded(format)?, hex),
        [b"recv", addr, format] => wire::recv(address(addr)?, &record(format)?),
        [b"send", addr, format, ref values @ ..] => {
            let (addr, bytes) = (address(addr)?, packed(&record(format)?, values)?);
            wire::send(addr, &bytes)
        }
        [] => Err(Error::Usage("which step?".to_owned())),
        [step, ..] => Err(Error::Usage(format!(
            "no such step, or not so: {}",
            refuse::shown(step)
        ))),
    }
}

/// The bytes of a record with these values.
fn packed(format: &Format, texts: &[&[u8]]) -> Result<Vec<u8>> {
    let values = value::parse_all(format, texts)?;
    let mut record = vec![0; format.size];
    pack::pack(format, &values, &mut record)?;
    Ok(record)
}

/// Prints the values of a record that is given in hex.
fn unpack(format: &Format, hex: &[u8]) -> Result {
    let record = hex::decode(hex)?;
    if record.len() != format.size {
        return Err(Bad::Length {
            wanted: format.size,
            got: record.len(),
        }
        .into());
    }
    say(value::tuple(unpack::unpack(format, &record)))
}

/// A format whose records are not too large to be made.
fn bounded(format: &[u8]) -> Result<Format> {
    match Format::parse(format)? {
        format if format.size > LIMIT => Err(Bad::TooLarge(format.size).into()),
        format => Ok(format),
    }
}

/// A format whose records can be sent: of no bytes nobody knows how many there were.
fn record(format: &[u8]) -> Result<Format> {
    match bounded(format)? {
        format if format.size == 0 => Err(Bad::NoBytes.into()),
        format => Ok(format),
    }
}

/// The address and port that `text` stands for. Names are not looked up: that would block.
fn address(text: &[u8]) -> Result<SocketAddr> {
    let address = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    address.ok_or_else(|| Error::Usage(format!("{} is no IP:PORT", refuse::shown(text))))
}
