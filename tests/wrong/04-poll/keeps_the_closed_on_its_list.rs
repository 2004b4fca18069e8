//! Refused by step 2 (poll). Replaces src/poll.rs.
//! The list of descriptors is kept from turn to turn, and nobody takes off it who has been closed: POLLNVAL, at once
//! and always.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::poll::{PollFd, PollFlags, poll};

use crate::conn::Wants;
use crate::server::{Event, Server};
use crate::{Named, Result, retry, say};

pub fn run(addr: SocketAddr) -> Result {
    let mut server: Server = Server::start(addr)?;
    let mut list = BTreeMap::new();
    while server.turn(&wait(&server, &mut list)?)? {}
    say("bye")
}

/// Sleeps until somebody is ready; returns who.
fn wait(server: &Server, list: &mut BTreeMap<RawFd, Wants>) -> Result<Vec<Event>> {
    // Anew each time, since the clients and what they want change. As long as need be: no FD_SETSIZE here.
    list.extend(server.watched().map(|(fd, wants)| (fd.as_raw_fd(), wants)));
    let entry = |(fd, wants): (&RawFd, &Wants)| {
        // SAFETY: of all that have ever been open, some are no longer: that is the mistake.
        PollFd::new(unsafe { BorrowedFd::borrow_raw(*fd) }, flags(*wants))
    };
    let mut fds: Vec<PollFd> = list.iter().map(entry).collect();
    retry(|| poll(&mut fds, server.timeout())).named("poll")?;
    Ok(fds.iter().filter_map(event).collect())
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
