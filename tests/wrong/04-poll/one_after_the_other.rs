//! Refused by step 2 (poll). Replaces src/poll.rs.
//! Serves the first client until it leaves, and then the next. With one client it cannot be told from the real
//! thing.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::read;

use crate::listener::{Listener, signals};
use crate::{Named, Result, retry, say};

pub fn run(addr: SocketAddr) -> Result {
    let signals = signals()?;
    let listener = Listener::bind(addr)?;
    say(format_args!("listening on {}", listener.address()?))?;
    while ready(signals.as_fd(), listener.as_fd())? {
        let Ok((socket, peer)) = listener.accept() else {
            continue;
        };
        say(format_args!("open {peer}"))?;
        let (mut buffer, mut written) = ([0; 65_536], 0);
        loop {
            if !ready(signals.as_fd(), socket.as_fd())? {
                return say("bye");
            }
            match retry(|| read(&socket, &mut buffer)) {
                Ok(n @ 1..) => {
                    let sent = send(socket.as_raw_fd(), &buffer[..n], MsgFlags::MSG_NOSIGNAL);
                    written += sent.unwrap_or(0);
                }
                _ => break,
            }
        }
        drop(socket);
        say(format_args!("close {peer} {written}"))?;
    }
    say("bye")
}

/// Sleeps until the descriptor is ready; false: a signal has come.
fn ready(signals: BorrowedFd<'_>, fd: BorrowedFd<'_>) -> Result<bool> {
    let mut fds = [signals, fd].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    retry(|| poll(&mut fds, PollTimeout::NONE)).named("poll")?;
    Ok(fds[0].any() == Some(false))
}
