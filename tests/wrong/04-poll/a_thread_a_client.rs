//! Refused by step 2 (poll). Replaces src/poll.rs.
//! A thread for each client, which may then block as it likes. It works; a thread that sleeps costs a stack, and
//! what the threads know of each other they must share.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::thread;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::read;

use crate::listener::{Listener, signals};
use crate::{Named, Result, retry, say};

pub fn run(addr: SocketAddr) -> Result {
    let signals = signals()?;
    let listener = Listener::bind(addr)?;
    say(format_args!("listening on {}", listener.address()?))?;
    loop {
        let mut fds = [&signals.as_fd(), &listener.as_fd()].map(|fd| PollFd::new(*fd, PollFlags::POLLIN));
        retry(|| poll(&mut fds, PollTimeout::NONE)).named("poll")?;
        if fds[0].any() == Some(true) {
            return say("bye");
        }
        while let Ok((socket, peer)) = listener.accept() {
            say(format_args!("open {peer}"))?;
            fcntl(&socket, FcntlArg::F_SETFL(OFlag::empty())).named("fcntl")?;
            thread::spawn(move || {
                let (mut buffer, mut written) = ([0; 4096], 0);
                while let Ok(n @ 1..) = retry(|| read(&socket, &mut buffer)) {
                    let sent = send(socket.as_raw_fd(), &buffer[..n], MsgFlags::MSG_NOSIGNAL);
                    written += sent.unwrap_or(0);
                }
                drop(socket);
                say(format_args!("close {peer} {written}"))
            });
        }
    }
}
