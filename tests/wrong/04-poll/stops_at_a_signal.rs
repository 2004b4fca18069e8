//! Refused by step 3 (epoll). Replaces src/epoll.rs.
//! `epoll_wait` that is interrupted is taken for one that has failed.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::conn::Wants;
use crate::server::{ACCEPTS, Client, Event, Server};
use crate::{Named, Result, retry, say};

/// How many ready descriptors one call tells of; the others are told by the next.
const BATCH: usize = 1024;

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
    let mut batch = vec![EpollEvent::empty(); BATCH];
    loop {
        let n = epoll.wait(&mut batch, server.timeout()).named("epoll_wait")?;
        let mut waiting = false;
        for event in batch[..n].iter().map(event) {
            if server.is_signal(event.fd) {
                return say("bye");
            }
            waiting |= server.is_listener(event.fd);
            if let Some(client) = server.serve(event)? {
                change(&epoll, client.conn(), client.conn().wants())?;
            }
        }
        server.woken(n);
        // After the others: a new client may get the number of one that this batch told of and that has been closed.
        if waiting {
            accept(&epoll, &mut server)?;
        }
        if server.accepting() != listening {
            listening = server.accepting();
            change(&epoll, server.listener(), Wants::reading(listening))?;
        }
    }
}

/// Lets in who waits, and puts them on the list.
fn accept<C: Client>(epoll: &Epoll, server: &mut Server<C>) -> Result {
    for _ in 0..ACCEPTS {
        let Some(client) = server.accept()? else {
            break;
        };
        let conn = client.conn();
        if epoll.add(conn, interest(conn, conn.wants())).is_err() {
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
