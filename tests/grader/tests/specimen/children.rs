//! Parents and children: every way of being born, of ending, and of being reaped or not.

use crate::sys::{call, exit, fork, nothing, on, pause_for, said, sleep_for_good, told};
use nix::{
    errno::Errno,
    libc,
    sys::{
        prctl,
        signal::{SaFlags, SigHandler, Signal, kill, raise},
        wait::{Id, WaitPidFlag, WaitStatus, wait as wait_for_any, waitid, waitpid},
    },
    unistd::{Pid, close, getpid, getppid, pipe, read, write},
};

pub fn wait() -> u8 {
    let child = fork(|| 3).expect("a child");
    match waitpid(child, None) {
        Ok(WaitStatus::Exited(_, status)) => said(status),
        other => said(format!("{other:?}")),
    }
}

/// The grandchild is orphaned while it lives, and asks until it knows.
pub fn double() -> u8 {
    let child = fork(|| {
        let parent = getpid();
        fork(|| {
            while getppid() == parent {
                pause_for(1);
            }
            said("orphan")
        })
        .map_or(1, |_| 0)
    });
    told("wait", waitpid(child.expect("a child"), None))
}

#[expect(
    deprecated,
    reason = "the child does nothing but end, which is what vfork is for"
)]
pub fn vfork() -> u8 {
    // SAFETY: the child calls `_exit` at once, and touches nothing of its parent's.
    match unsafe { libc::vfork() } {
        0 => exit(4),
        child => told("wait", waitpid(Pid::from_raw(child), None)),
    }
}

pub fn spawn() -> u8 {
    let this = c"/proc/self/exe";
    let argv = [
        c"specimen".as_ptr(),
        c"exit".as_ptr(),
        c"5".as_ptr(),
        std::ptr::null(),
    ];
    let mut child = 0;
    // SAFETY: every pointer outlives the call; `argv` ends in a null pointer, and so does the empty environment.
    let failed = unsafe {
        libc::posix_spawn(
            &raw mut child,
            this.as_ptr(),
            std::ptr::null(),
            std::ptr::null(),
            argv.as_ptr().cast(),
            [std::ptr::null_mut()].as_ptr(),
        )
    };
    match failed {
        0 => told("posix_spawn", waitpid(Pid::from_raw(child), None)),
        errno => told::<()>("posix_spawn", Err(Errno::from_raw(errno))),
    }
}

pub fn stop() -> u8 {
    let child = fork(|| raise(Signal::SIGSTOP).map_or(1, |()| 7)).expect("a child");
    let stopped = waitpid(child, Some(WaitPidFlag::WUNTRACED));
    said(format!(
        "stopped: {}",
        matches!(stopped, Ok(WaitStatus::Stopped(..)))
    ));
    kill(child, Signal::SIGCONT).expect("a child to continue");
    let continued = waitpid(child, Some(WaitPidFlag::WCONTINUED));
    said(format!("told of it: {}", continued.is_ok()));
    if matches!(continued, Ok(WaitStatus::Continued(_))) {
        told("wait", waitpid(child, None))
    } else {
        0
    }
}

pub fn ignored() -> u8 {
    on(Signal::SIGCHLD, SigHandler::SigIgn, SaFlags::empty()).expect("a disposition");
    fork(|| 0).expect("a child");
    told("wait", wait_for_any())
}

pub fn nocldwait() -> u8 {
    on(Signal::SIGCHLD, SigHandler::SigDfl, SaFlags::SA_NOCLDWAIT).expect("a disposition");
    fork(|| 0).expect("a child");
    told("wait", wait_for_any())
}

/// `exec` resets the flag: the program that follows has zombies again.
pub fn nocldwait_then_exec() -> u8 {
    on(Signal::SIGCHLD, SigHandler::SigDfl, SaFlags::SA_NOCLDWAIT).expect("a disposition");
    crate::calls::become_specimen(&["wait"])
}

pub fn nowait() -> u8 {
    let child = fork(|| 6).expect("a child");
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    told("look", waitid(Id::Pid(child), look));
    told("look", waitid(Id::Pid(child), look));
    told("take", waitid(Id::Pid(child), WaitPidFlag::WEXITED))
}

/// `waitid` need not be told where to put its answer.
pub fn null() -> u8 {
    let child = fork(|| 0).expect("a child").as_raw();
    // SAFETY: a null pointer is allowed for both answers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_PID,
            child,
            0usize,
            libc::WEXITED,
            0usize,
        )
    };
    told("waitid", Errno::result(result))
}

pub fn killed() -> u8 {
    let child = fork(|| sleep_for_good()).expect("a child");
    kill(child, Signal::SIGTERM).expect("a child to kill");
    told("wait", waitpid(child, None))
}

/// Makes sure that the child is a zombie, and ends without reaping it.
pub fn leak() -> u8 {
    let child = fork(|| 0).expect("a child");
    told(
        "look",
        waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT),
    )
}

pub fn orphan() -> u8 {
    let parent = getpid();
    let child = fork(|| {
        while getppid() == parent {
            pause_for(1);
        }
        said("orphan")
    });
    told("fork", child)
}

/// `CLONE_PARENT`: whom main makes is not its child but its sister, and main's parent's to reap.
pub fn sister() -> u8 {
    let flags = libc::CLONE_PARENT as usize;
    match call(libc::SYS_clone, [flags, 0, 0]) {
        Ok(0) => exit(0),
        Ok(_) => told("wait", wait_for_any()),
        Err(errno) => told::<()>("clone", Err(errno)),
    }
}

pub fn subreaper() -> u8 {
    prctl::set_child_subreaper(true).expect("to be a subreaper");
    fork(|| {
        let parent = getpid();
        fork(|| {
            while getppid() == parent {
                pause_for(1);
            }
            0
        })
        .map_or(1, |_| 0)
    })
    .expect("a child");
    told("wait", wait_for_any());
    told("wait", wait_for_any())
}

/// Ends by a signal that nobody sent but itself.
pub fn gone() -> u8 {
    raise(Signal::SIGKILL).map_or(1, |()| 0)
}

/// What the child printed before it wrote comes before what the parent prints after it has read.
pub fn relay() -> u8 {
    let (from, to) = pipe().expect("a pipe");
    let child = fork(|| {
        said("first");
        write(&to, b".").map_or(1, |_| 0)
    });
    close(to).expect("an end to close");
    read(&from, &mut [0]).expect("a byte");
    said("second");
    told("wait", waitpid(child.expect("a child"), None))
}

/// A child that sleeps in `pause`, and is ended there; then one whose sleep a handler interrupts.
pub fn asleep() -> u8 {
    on(Signal::SIGUSR1, SigHandler::Handler(nothing), SaFlags::empty()).expect("a handler");
    let child = fork(|| {
        nix::unistd::pause();
        said("woken");
        sleep_for_good()
    });
    told("wait", waitpid(child.expect("a child"), None))
}

/// A child ends, and its parent gets to know of it: by the kernel's word, by what comes before the end, or by a guess.
pub fn learns(way: &str) -> u8 {
    let (from, to) = pipe().expect("a pipe");
    let child = fork(|| 0).expect("a child");
    close(to).expect("an end to close");
    match way {
        "pidfd" => drop(poll(pidfd(child))),
        "pipe" => drop(read(&from, &mut [0])),
        "nap" => pause_for(50),
        "never" => return 0,
        _ => {}
    }
    told("wait", waitpid(child, None))
}

fn pidfd(pid: Pid) -> libc::c_int {
    let fd = call(libc::SYS_pidfd_open, [pid.as_raw() as usize, 0, 0]);
    fd.expect("a pidfd") as libc::c_int
}

fn poll(fd: libc::c_int) -> libc::c_int {
    let mut one = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `one` outlives the call.
    unsafe { libc::poll(&raw mut one, 1, -1) }
}
