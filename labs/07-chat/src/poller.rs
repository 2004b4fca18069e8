//! epoll(7), level-triggered: the kernel keeps the list of what is waited for. This file is complete; lab 4 taught it.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::{Named, Result, retry};

/// How many ready descriptors one call tells of; the others are told by the next.
const BATCH: usize = 1024;

pub struct Poller {
    epoll: Epoll,
    batch: Vec<EpollEvent>,
}

impl Poller {
    pub fn new() -> Result<Poller> {
        Ok(Poller {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).named("epoll_create1")?,
            batch: vec![EpollEvent::empty(); BATCH],
        })
    }

    /// Puts a descriptor on the list, to be read.
    pub fn watch(&self, fd: &impl AsFd) -> Result {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, fd.as_fd().as_raw_fd() as u64);
        self.epoll.add(fd, event).named("epoll_ctl")
    }

    /// What is waited for is something else from now on. (A connection that is broken is always told.)
    pub fn change(&self, fd: &impl AsFd, flags: EpollFlags) -> Result {
        let mut event = EpollEvent::new(flags, fd.as_fd().as_raw_fd() as u64);
        self.epoll.modify(fd, &mut event).named("epoll_ctl")
    }

    /// Sleeps until something is ready; returns how many are. The time is in milliseconds.
    pub fn wait(&mut self, timeout: Option<u16>) -> Result<usize> {
        retry(|| self.epoll.wait(&mut self.batch, timeout)).named("epoll_wait")
    }

    /// One of those that are ready, and for what.
    pub fn event(&self, at: usize) -> (RawFd, EpollFlags) {
        (self.batch[at].data() as RawFd, self.batch[at].events())
    }
}
