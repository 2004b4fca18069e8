//! Step 3, epoll: the echo server on epoll(7), level-triggered. The kernel keeps the list.
#![expect(unused, reason = "delete this line when every TODO is done")]

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
    // TODO 3: the loop. One turn:
    //   sleep in `epoll.wait` until somebody is ready, for as long as `server.timeout()` says; tell `server.woken` how many
    //   for the `event` made of each entry of the batch:
    //     a signal: `bye`, and the loop ends
    //     the listener: somebody waits to be let in (`accept`). After all others, or a new client might get the number
    //       of a connection that was closed a moment ago
    //     anybody else: `server.serve`. A client that it returns waits for something else than before: `change`
    //   the listener's own interest: when `server.accepting()` is not what `listening` says any more: `change`
    //   -> each client gets back what it has sent, and while nobody sends, the server sleeps
    todo!("step 3: wait for events, and do for each what is to be done")
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
