//! Right for step 2 (talk). Replaces src/send.rs.
//! With the standard library alone: `UnixStream`, and lines from a BufReader. (Rust's `write` on a stream
//! asks for no SIGPIPE.)

use std::io::{self, BufRead, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::{Named, Result};

pub fn run(path: &Path) -> Result {
    let mut receiver = UnixStream::connect(path).named("connect")?;
    let mut input = io::stdin().lock();
    loop {
        let mut line = Vec::new();
        // It makes the call again itself where a signal has interrupted it.
        let n = input.read_until(b'\n', &mut line).named("read")?;
        if n == 0 || line == b"\n" {
            return Ok(());
        }
        receiver.write_all(&line).named("write")?;
    }
}

pub fn connect(path: &Path) -> Result<OwnedFd> {
    UnixStream::connect(path).named("connect").map(OwnedFd::from)
}

pub fn send(socket: &OwnedFd, bytes: &[u8]) -> Result {
    let mut stream = UnixStream::from(socket.try_clone().named("dup")?);
    stream.write_all(bytes).named("write")
}
