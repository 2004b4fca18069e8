//! Refused by step 2 (poll). Replaces src/poll.rs.
//! A process for each client, as in lab 2: the classic server. Each costs a fork, and a memory of its own in which
//! it knows nobody else: this room will never be a chat room.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::process;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::socket::{MsgFlags, send};
use nix::unistd::{ForkResult, fork, read};

use crate::listener::{Listener, signals};
use crate::{Named, Result, retry, say};

pub fn run(addr: SocketAddr) -> Result {
    // SAFETY: to ignore a signal runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.named("signal")?;
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
            // SAFETY: this program has one thread.
            if let ForkResult::Child = unsafe { fork() }.named("fork")? {
                SigSet::all().thread_unblock().named("sigprocmask")?;
                let (mut buffer, mut written) = ([0; 4096], 0);
                while let Ok(n @ 1..) = retry(|| read(&socket, &mut buffer)) {
                    let sent = send(socket.as_raw_fd(), &buffer[..n], MsgFlags::MSG_NOSIGNAL);
                    written += sent.unwrap_or(0);
                }
                drop(socket);
                say(format_args!("close {peer} {written}"))?;
                process::exit(0);
            }
        }
    }
}
