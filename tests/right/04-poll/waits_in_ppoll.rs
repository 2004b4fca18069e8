//! Right for step 2 (poll). Replaces src/poll.rs.
//! `ppoll`, on a list of its own that covers every descriptor up to the highest; who is not waited for stands there
//! as -1.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;
use nix::poll::PollFlags;
use nix::sys::time::{TimeSpec, TimeValLike};

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
    let mut fds: Vec<libc::pollfd> = Vec::new();
    for (fd, wants) in server.watched() {
        let at = fd.as_raw_fd() as usize;
        let none = libc::pollfd {
            fd: -1,
            events: 0,
            revents: 0,
        };
        fds.resize(fds.len().max(at + 1), none);
        if wants.read || wants.write {
            (fds[at].fd, fds[at].events) = (at as i32, flags(wants).bits());
        }
    }
    let (time, length) = (
        server.timeout().map(|ms| TimeSpec::milliseconds(ms.into())),
        fds.len() as u64,
    );
    let time = time
        .as_ref()
        .map_or(std::ptr::null(), |time| std::ptr::from_ref(time).cast());
    // SAFETY: the kernel writes into the list only, and reads the time if there is one; both outlive the call.
    let call = || Errno::result(unsafe { libc::ppoll(fds.as_mut_ptr(), length, time, std::ptr::null()) });
    retry(call).named("ppoll")?;
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
fn event(entry: &libc::pollfd) -> Option<Event> {
    let got = PollFlags::from_bits_retain(entry.revents);
    if entry.fd < 0 || got.is_empty() {
        return None;
    }
    let broken = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    Some(Event {
        fd: entry.fd,
        readable: got.intersects(PollFlags::POLLIN | broken),
        writable: got.intersects(PollFlags::POLLOUT | broken),
    })
}
