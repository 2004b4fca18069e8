//! Refused by step 4 (nohang). Replaces src/nohang.rs.
//! A blocking wait that a timer interrupts every 100 ms: EINTR stands for "nothing yet". The output is right,
//! but the parent is stuck in waitpid in place of doing something else, and a signal that comes between two
//! waits is a look lost.

use std::ptr::null_mut;

use nix::errno::Errno;
use nix::libc::{ITIMER_REAL, itimerval, timeval};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::one::exit_code;
use crate::spawn::{nap, spawn};
use crate::{Named, Result, say};

unsafe extern "C" {
    fn setitimer(which: i32, new: *const itimerval, old: *mut itimerval) -> i32;
}

pub fn run() -> Result {
    look_for(spawn(|| nap(500, 7))?)
}

fn look_for(child: Pid) -> Result {
    extern "C" fn wake(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(wake), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing, which is allowed everywhere.
    unsafe { sigaction(Signal::SIGALRM, &action) }.named("sigaction")?;
    let every = timeval {
        tv_sec: 0,
        tv_usec: 100_000,
    };
    let timer = itimerval {
        it_interval: every,
        it_value: every,
    };
    // SAFETY: `timer` outlives the call; a null pointer says that the old timer is not wanted.
    unsafe { setitimer(ITIMER_REAL, &timer, null_mut()) };
    say("working")?;
    loop {
        match waitpid(child, None) {
            Err(Errno::EINTR) => say("working")?,
            result => {
                let code = exit_code(result.named("waitpid")?)?;
                return say(format_args!("child exited with {code}"));
            }
        }
    }
}
