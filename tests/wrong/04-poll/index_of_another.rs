//! Refused by step 3 (epoll). Replaces src/epoll.rs.
//! The event's data is a place in a list, and the list closes its gaps: after the first who leaves, events are taken
//! for those of others.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::conn::Wants;
use crate::server::{ACCEPTS, Client, Event, Server};
use crate::{Named, Result, retry, say};

/// How many ready descriptors one call tells of; the others are told by the next.
const BATCH: usize = 1024;

/// From here on the data is a place, and below a descriptor.
const PLACES: RawFd = 1 << 20;

pub fn run(addr: SocketAddr) -> Result {
    let server: Server = Server::start(addr)?;
    serve(server)
}

/// Serves until a signal comes. (Step 7 uses it, too, with clients of another kind.)
pub fn serve<C: Client>(mut server: Server<C>) -> Result {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).named("epoll_create1")?;
    for (fd, wants) in server.watched() {
        epoll.add(fd, interest(fd, wants)).named("epoll_ctl")?;
    }
    let mut listening = true;
    let mut places: Vec<RawFd> = Vec::new();
    let mut batch = vec![EpollEvent::empty(); BATCH];
    loop {
        let n = retry(|| epoll.wait(&mut batch, server.timeout())).named("epoll_wait")?;
        let mut waiting = false;
        for mut event in batch[..n].iter().map(event) {
            if event.fd >= PLACES {
                let Some(&fd) = places.get((event.fd - PLACES) as usize) else {
                    continue;
                };
                event.fd = fd;
            }
            if server.is_signal(event.fd) {
                return say("bye");
            }
            waiting |= server.is_listener(event.fd);
            server.serve(event)?;
            if server.client(event.fd).is_none() {
                places.retain(|fd| *fd != event.fd);
            }
        }
        server.woken(n);
        // After the others: a new client may get the number of one that this batch told of and that has been closed.
        if waiting {
            accept(&epoll, &mut server, &mut places)?;
        }
        if server.accepting() != listening {
            listening = server.accepting();
            change(&epoll, server.listener(), Wants::reading(listening))?;
        }
    }
}

/// Lets in who waits, and puts them on the list.
fn accept<C: Client>(epoll: &Epoll, server: &mut Server<C>, places: &mut Vec<RawFd>) -> Result {
    for _ in 0..ACCEPTS {
        let Some(client) = server.accept()? else {
            break;
        };
        let conn = client.conn();
        places.push(conn.as_fd().as_raw_fd());
        let data = PLACES as u64 + places.len() as u64 - 1;
        if epoll
            .add(conn, EpollEvent::new(EpollFlags::EPOLLIN, data))
            .is_err()
        {
            // No room on the list (max_user_watches): a client that nobody would hear must not wait for ever.
            let fd = conn.as_fd().as_raw_fd();
            server.close(fd)?;
        }
    }
    Ok(())
}

/// Changes what is waited for. (A descriptor that is closed leaves the list by itself.)
fn change(epoll: &Epoll, fd: impl AsFd, wants: Wants) -> Result {
    let mut interest = interest(&fd, wants);
    epoll.modify(fd, &mut interest).named("epoll_ctl")
}

/// What to ask the kernel for, and the descriptor itself as what it says then. EPOLLHUP and EPOLLERR come unasked.
fn interest(fd: impl AsFd, wants: Wants) -> EpollEvent {
    let mut flags = EpollFlags::empty();
    flags.set(EpollFlags::EPOLLIN, wants.read);
    flags.set(EpollFlags::EPOLLOUT, wants.write);
    EpollEvent::new(flags, fd.as_fd().as_raw_fd() as u64)
}

/// What the kernel has told.
fn event(told: &EpollEvent) -> Event {
    let got = told.events();
    let broken = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
    Event {
        fd: told.data() as RawFd,
        readable: got.intersects(EpollFlags::EPOLLIN | broken),
        writable: got.intersects(EpollFlags::EPOLLOUT | broken),
    }
}
