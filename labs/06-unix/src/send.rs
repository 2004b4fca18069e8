//! Step 2, talk: the sender. This file is complete.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, socket};
use nix::unistd::read;

use crate::{Named, Result, retry};

/// How much one read takes at most.
const BUFFER: usize = 64 * 1024;

pub fn run(path: &Path) -> Result {
    let receiver = connect(path)?;
    let stdin = io::stdin();
    let mut buffer = vec![0; BUFFER];
    let mut at_start = true;
    loop {
        let n = retry(|| read(&stdin, &mut buffer)).named("read")?;
        for piece in buffer[..n].split_inclusive(|byte| *byte == b'\n') {
            // An empty line is the end. (What has been read after it is lost: a pipe takes nothing back.)
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

/// Connects to who listens at this path.
pub fn connect(path: &Path) -> Result<OwnedFd> {
    let addr = UnixAddr::new(path).named("connect")?;
    let socket = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .named("socket")?;
    // It waits while the receiver's backlog is full. Interrupted, nothing has happened, unlike with TCP.
    retry(|| socket::connect(socket.as_raw_fd(), &addr)).named("connect")?;
    Ok(socket)
}

/// Sends all of it. `MSG_NOSIGNAL`: that the other side has gone is told by EPIPE then, and not by SIGPIPE.
pub fn send(socket: &OwnedFd, mut bytes: &[u8]) -> Result {
    while !bytes.is_empty() {
        let n = retry(|| socket::send(socket.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL)).named("send")?;
        bytes = &bytes[n..];
    }
    Ok(())
}
