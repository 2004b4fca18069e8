//! Sleeping: for descriptors and signals alike, in one call, so that nothing comes between a look and a sleep. This
//! file is complete; lab 4 taught it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::{Named, Result, retry};

/// A descriptor, and what is waited for. None: nothing is.
pub type Watched<'a> = Option<(BorrowedFd<'a>, PollFlags)>;

/// To be read.
pub fn input(fd: &impl AsFd) -> Watched<'_> {
    Some((fd.as_fd(), PollFlags::POLLIN))
}

/// To be written to.
pub fn output(fd: &impl AsFd) -> Watched<'_> {
    Some((fd.as_fd(), PollFlags::POLLOUT))
}

/// Sleeps until one of these is ready, has ended or is broken; says of each whether it is so. None is: the time is
/// over.
pub fn wait<const N: usize>(fds: [Watched<'_>; N], until: Option<Instant>) -> Result<[bool; N]> {
    let watched = fds.iter().flatten();
    let mut polled: Vec<PollFd> = watched.map(|(fd, flags)| PollFd::new(*fd, *flags)).collect();
    retry(|| poll(&mut polled, timeout(until))).named("poll")?;
    let mut ready = polled.iter().map(|fd| fd.any().unwrap_or(true));
    Ok(fds.map(|fd| fd.is_some() && ready.next() == Some(true)))
}

/// How long is left, in milliseconds, rounded up: to wake too early would be to go round in circles.
fn timeout(until: Option<Instant>) -> PollTimeout {
    let Some(until) = until else {
        return PollTimeout::NONE;
    };
    let left = until.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
}

/// A descriptor that becomes readable when one of these signals comes. Blocked, they wait there until they are asked
/// for. And SIGPIPE is blocked, which would end us before we have left properly: the write that finds no reader
/// fails as well.
pub fn signals(ends: &[Signal]) -> Result<SignalFd> {
    let ends: SigSet = ends.iter().copied().collect();
    let blocked = ends | SigSet::from(Signal::SIGPIPE);
    blocked.thread_block().named("sigprocmask")?;
    SignalFd::with_flags(&ends, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).named("signalfd")
}
