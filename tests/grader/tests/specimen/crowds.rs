//! Many processes.

use crate::sys::{end_after, fork, nothing, on, pause_for, said, shared_counter, sleep_for_good, told};
use nix::{
    sys::{
        signal::{SaFlags, SigHandler, SigSet, Signal, kill},
        wait::{WaitPidFlag, wait, waitpid},
    },
    unistd::{ForkResult, close, pipe, read, setsid},
};
use std::{os::fd::AsRawFd, sync::atomic::Ordering, time::Duration};

/// All children end at the same moment, beside a parent that waits for them.
pub fn race(number: usize) -> u8 {
    let (go, release) = pipe().expect("a pipe");
    for _ in 0..number {
        fork(|| {
            // Its own copy of the other end would keep the pipe open.
            let _ = close(release.as_raw_fd());
            read(&go, &mut [0]).map_or(1, |_| 0)
        })
        .expect("a child");
    }
    close(release).expect("an end to close");
    let reaped = (0..number).filter(|_| wait().is_ok()).count();
    said(reaped);
    told("wait", wait())
}

/// Parent and child print three lines each, and nothing says who is first.
pub fn steps() -> u8 {
    let lines = |who: &str| (1..=3).map(|i| said(format!("{who} {i}"))).max().unwrap_or(1);
    let child = fork(|| lines("child"));
    lines("parent");
    told("wait", child.and_then(|child| waitpid(child, None)))
}

/// The second child cannot end before the first has.
pub fn chain() -> u8 {
    let (end, held) = pipe().expect("a pipe");
    fork(|| 0).expect("a child");
    fork(|| {
        let _ = close(held.as_raw_fd());
        read(&end, &mut [0]).map_or(1, |_| 0)
    })
    .expect("a child");
    close(held).expect("an end to close");
    told("wait", wait());
    told("wait", wait())
}

/// Reaps whoever has ended each time that `SIGCHLD` is delivered. With `waiting`, one more child waits for the first delivery.
pub fn collect(number: usize, waiting: bool) -> u8 {
    on(Signal::SIGCHLD, SigHandler::Handler(nothing), SaFlags::empty()).expect("a handler");
    let set: SigSet = [Signal::SIGCHLD].into_iter().collect();
    set.thread_block().expect("SIGCHLD blocked");
    let (go, release) = pipe().expect("a pipe");
    if waiting {
        fork(|| {
            let _ = close(release.as_raw_fd());
            read(&go, &mut [0]).map_or(1, |_| 0)
        })
        .expect("a child");
    }
    for i in 0..number {
        fork(|| {
            pause_for(30 * i as u64);
            0
        })
        .expect("a child");
    }
    let mut releases = vec![release];
    let mut left = number + usize::from(waiting);
    while left > 0 {
        let _ = SigSet::empty().suspend();
        let ended = std::iter::from_fn(|| {
            waitpid(None, Some(WaitPidFlag::WNOHANG))
                .ok()
                .filter(|s| s.pid().is_some())
        });
        let ended = ended.count();
        left -= ended;
        said(format!("reaped {ended}"));
        releases.clear(); // closes it
    }
    0
}

/// Children that fork and wait without end are killed at a hundred different moments, many of them within a fork.
pub fn slain() -> u8 {
    for i in 0..100 {
        let child = fork(|| {
            end_after(20);
            loop {
                if let Ok(child) = fork(|| 0) {
                    let _ = waitpid(child, None);
                }
            }
        })
        .expect("a child");
        std::thread::sleep(Duration::from_micros(30 * i));
        kill(child, Signal::SIGKILL).expect("a child to kill");
        waitpid(child, None).expect("a child to reap");
    }
    said("slain")
}

/// More than the witness allows, and no more than any machine bears.
const MOST: u32 = 1000;

/// Every process forks until there are too many; they stay for five seconds, if they are let.
pub fn bomb(counter: &str, session: bool) -> u8 {
    let born = shared_counter(counter);
    end_after(5);
    while born.load(Ordering::Relaxed) < MOST {
        // SAFETY: the specimen has one thread.
        match unsafe { nix::unistd::fork() } {
            Ok(ForkResult::Child) => {
                born.fetch_add(1, Ordering::Relaxed);
                end_after(5); // an alarm is not inherited
                if session {
                    let _ = setsid();
                }
            }
            Ok(ForkResult::Parent { .. }) => {}
            Err(_) => break,
        }
    }
    sleep_for_good()
}
