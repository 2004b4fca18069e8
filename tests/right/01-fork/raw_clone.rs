//! Right for step 2 (pids). Replaces src/pids.rs.
//! The system call below fork: clone(2) with nothing shared, and `SIGCHLD` as the signal that tells of the end. The
//! parent asks waitid(2), and the child reads its ids from `/proc/self/stat`, where the kernel writes them down.

use std::{fs, io};

use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::{Error, Named, Result, leave, say};

pub fn run() -> Result {
    let none: libc::c_long = 0;
    // SAFETY: without CLONE_VM the child has its own copy of this stack, and this program has one thread.
    match unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::c_long::from(libc::SIGCHLD),
            none,
            none,
            none,
            none,
        )
    } {
        -1 => Err(io::Error::last_os_error()).named("clone"),
        0 => leave(child()),
        // A process id is an `int`; the register that brings it is wider.
        child => parent(Pid::from_raw(child as libc::pid_t)),
    }
}

/// What only the child does.
fn child() -> Result {
    let stat = fs::read_to_string("/proc/self/stat").named("read")?;
    // `pid (name) state ppid …`: the name may hold spaces and parentheses, so look for its end from the right.
    let pid = stat.split(' ').next();
    let ppid = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().nth(1));
    match (pid, ppid) {
        (Some(pid), Some(ppid)) => say(format_args!("child: pid {pid}, parent {ppid}")),
        _ => Err(Error::Call("read", Errno::EINVAL)),
    }
}

/// What only the parent does: its child is reaped even if the line cannot be written.
fn parent(child: Pid) -> Result {
    let said = say(format_args!("parent: pid {}, child {child}", std::process::id()));
    loop {
        match waitid(Id::Pid(child), WaitPidFlag::WEXITED) {
            Err(Errno::EINTR) => {}
            Ok(WaitStatus::Exited(_, 0)) => return said,
            Ok(_) => return said.and(Err(Error::Child)),
            Err(errno) => return Err(errno).named("waitid"),
        }
    }
}
