//! Step 2, poll: the echo server on poll(2).
#![expect(unused, reason = "delete this line when every TODO is done")]

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use nix::poll::{PollFd, PollFlags, poll};

use crate::conn::Wants;
use crate::server::{Event, Server};
use crate::{Named, Result, retry, say};

pub fn run(addr: SocketAddr) -> Result {
    let mut server: Server = Server::start(addr)?;
    while server.turn(&wait(&server)?)? {}
    say("bye")
}

/// Sleeps until somebody is ready; returns who.
fn wait(server: &Server) -> Result<Vec<Event>> {
    // TODO 2: what select.rs does with three sets, with a list.
    //   make a `PollFd` for everybody in `server.watched()`, with the `flags` for what it wants. Who wants nothing is left out:
    //     POLLHUP is reported even if nothing was asked for
    //   `poll` it, for as long as `server.timeout()` says. A signal that interrupts it changes nothing (`retry`).
    //   -> the `event` of everybody who has one
    todo!("step 2: sleep in poll until somebody is ready")
}

/// What to ask the kernel for. POLLHUP and POLLERR come unasked.
fn flags(wants: Wants) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::POLLIN, wants.read);
    flags.set(PollFlags::POLLOUT, wants.write);
    flags
}

/// What the kernel has answered, if it is anything.
fn event(fd: &PollFd) -> Option<Event> {
    let got = fd.revents().filter(|got| !got.is_empty())?;
    let broken = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    Some(Event {
        fd: fd.as_fd().as_raw_fd(),
        readable: got.intersects(PollFlags::POLLIN | broken),
        writable: got.intersects(PollFlags::POLLOUT | broken),
    })
}
