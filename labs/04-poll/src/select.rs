//! The worked example: an echo server on select(2). This file is complete.
//!
//! A set is a bit for each descriptor from 0 to 1,023 (FD_SETSIZE), so that no descriptor beyond can be waited for.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::select::{FD_SETSIZE, FdSet, select};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::server::{Event, Server};
use crate::{Error, Named, Result, say};

pub fn run(addr: SocketAddr) -> Result {
    stay_below_setsize()?;
    let mut server: Server = Server::start(addr)?;
    while server.turn(&wait(&server)?)? {}
    say("bye")
}

/// Has the kernel give out no descriptor that fits into no set: at the limit clients wait, as at any other (EMFILE).
fn stay_below_setsize() -> Result {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).named("getrlimit")?;
    setrlimit(Resource::RLIMIT_NOFILE, soft.min(FD_SETSIZE as u64), hard).named("setrlimit")
}

// ANCHOR: wait
/// Sleeps until somebody is ready; returns who.
fn wait(server: &Server) -> Result<Vec<Event>> {
    loop {
        // Anew each time: select(2) leaves nothing in a set but what is ready.
        let (mut read, mut write) = (FdSet::new(), FdSet::new());
        for (fd, wants) in server.watched() {
            if wants.read {
                read.insert(fd);
            }
            if wants.write {
                write.insert(fd);
            }
        }
        let mut timeout = server.timeout().map(|ms| TimeVal::milliseconds(ms.into()));
        // A connection that is broken is reported in both sets; the third one is for urgent data, which is not for us.
        match select(None, &mut read, &mut write, None, timeout.as_mut()) {
            Ok(_) => {
                return Ok(server
                    .watched()
                    .filter_map(|(fd, _)| event(fd, &read, &write))
                    .collect());
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::Call("select", errno)),
        }
    }
}
// ANCHOR_END: wait

/// What the kernel has left of this descriptor in the sets, if it is anything.
fn event(fd: BorrowedFd<'_>, read: &FdSet, write: &FdSet) -> Option<Event> {
    let (readable, writable) = (read.contains(fd), write.contains(fd));
    (readable || writable).then(|| Event {
        fd: fd.as_raw_fd(),
        readable,
        writable,
    })
}
