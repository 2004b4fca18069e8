//! Right for step 2 (zombie). Replaces src/zombie.rs.
//! The same two waits through a pidfd of the child (`P_PIDFD`), and the state from `/proc/C/status`, where it has a
//! line of its own.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::{Error, Named, Result, leave, reap, retry, say};

pub fn run() -> Result {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => leave(Ok(())),
        ForkResult::Parent { child } => {
            let shown = show_zombie(child);
            if shown.is_err() {
                let _ = kill(child, Signal::SIGKILL);
                let _ = reap(child);
            }
            shown
        }
    }
}

fn show_zombie(child: Pid) -> Result {
    // The child is not reaped yet, so the number is surely still its own.
    // SAFETY: the call takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.as_raw(), 0) };
    let fd = Errno::result(fd).named("pidfd_open")?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    let life = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };

    wait(life.as_fd(), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)?;
    match state(child)? {
        Some(letter) => say(format_args!("child {child} is {letter}"))?,
        None => return Err(Error::Call("open", Errno::ENOENT)),
    }
    wait(life.as_fd(), WaitPidFlag::WEXITED)?;
    match state(child)? {
        Some(letter) => say(format_args!("child {child} is {letter}")),
        None => say(format_args!("child {child} is gone")),
    }
}

fn wait(life: BorrowedFd, flags: WaitPidFlag) -> Result {
    retry(|| waitid(Id::PIDFd(life), flags)).named("waitid").map(drop)
}

fn state(pid: Pid) -> Result<Option<char>> {
    match fs::read_to_string(format!("/proc/{pid}/status")) {
        Ok(status) => {
            let line = status.lines().find_map(|line| line.strip_prefix("State:"));
            Ok(line.and_then(|state| state.trim_start().chars().next()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).named("open"),
    }
}
