//! Refused by step 2 (poll). Replaces src/poll.rs.
//! Asks for POLLOUT always, so as not to forget it. A socket is writable nearly always: `poll` returns at once, for
//! ever.

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
    // Anew each time, since the clients and what they want change. As long as need be: no FD_SETSIZE here.
    let watched = server.watched().filter(|(_, wants)| wants.read || wants.write);
    let mut fds: Vec<PollFd> = watched.map(|(fd, wants)| PollFd::new(fd, flags(wants))).collect();
    retry(|| poll(&mut fds, server.timeout())).named("poll")?;
    Ok(fds.iter().filter_map(event).collect())
}

/// What to ask the kernel for. POLLHUP and POLLERR come unasked.
fn flags(wants: Wants) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::POLLIN, wants.read);
    flags.set(PollFlags::POLLOUT, true);
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
