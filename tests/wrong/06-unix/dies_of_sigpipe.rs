//! Refused by step 2 (talk). Replaces src/send.rs.
//! The receiver has gone, and a plain `write` raises `SIGPIPE`: `send` is dead without a word, and its
//! shell says nothing either.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr, socket};
use nix::unistd::{read, write};

use crate::{Named, Result, retry};

const BUFFER: usize = 64 * 1024;

pub fn run(path: &Path) -> Result {
    let receiver = connect(path)?;
    let stdin = io::stdin();
    let mut buffer = vec![0; BUFFER];
    let mut at_start = true;
    loop {
        let n = retry(|| read(&stdin, &mut buffer)).named("read")?;
        for piece in buffer[..n].split_inclusive(|byte| *byte == b'\n') {
            if at_start && piece == b"\n" {
                return Ok(());
            }
            send(&receiver, piece)?;
            at_start = piece.ends_with(b"\n");
        }
        if n == 0 {
            return Ok(());
        }
    }
}

pub fn connect(path: &Path) -> Result<OwnedFd> {
    let addr = UnixAddr::new(path).named("connect")?;
    let socket = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .named("socket")?;
    retry(|| socket::connect(socket.as_raw_fd(), &addr)).named("connect")?;
    Ok(socket)
}

pub fn send(socket: &OwnedFd, mut bytes: &[u8]) -> Result {
    while !bytes.is_empty() {
        let n = retry(|| write(socket, bytes)).named("write")?;
        bytes = &bytes[n..];
    }
    Ok(())
}
