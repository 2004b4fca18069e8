//! Refused by step 7 (run). Replaces src/run.rs.
//! The child whose exec failed returns from `run` like its parent: up to main, where it ends as a second
//! parent would, through everything that main does at its end. The statuses are right by luck.

use std::borrow::Cow;
use std::ffi::CString;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc::{self, WEXITSTATUS, WIFSIGNALED, WTERMSIG};
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, Pid, execvp, fork};

use crate::{Named, Result, complain, reason};

pub fn run(command: &[CString]) -> Result<ExitCode> {
    // SAFETY: this program never starts a thread, so no thread that the child lacks can hold a lock.
    let child = match unsafe { fork() }.named("fork")? {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let code = if exec(command) == Errno::ENOENT { 127 } else { 126 };
            // "Wait for the child": there is none.
            let _ = nix::sys::wait::wait();
            return Ok(ExitCode::from(code));
        }
    };
    let status = status_of(child)?;
    if !WIFSIGNALED(status) {
        return Ok(ExitCode::from(WEXITSTATUS(status) as u8));
    }
    let death = WTERMSIG(status);
    let how = format!("killed by {}", signal_name(death));
    complain(format_args!("{}: {how}", name(command)));
    Ok(ExitCode::from(128 + death as u8))
}

fn exec(command: &[CString]) -> Errno {
    let Err(errno) = execvp(&command[0], command);
    complain(format_args!("{}: {}", name(command), reason(errno)));
    errno
}

fn status_of(child: Pid) -> Result<i32> {
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call, which writes nothing else.
        match Errno::result(unsafe { libc::waitpid(child.as_raw(), &mut status, 0) }) {
            Err(Errno::EINTR) => {}
            result => return result.named("waitpid").map(|_| status),
        }
    }
}

fn name(command: &[CString]) -> Cow<'_, str> {
    command[0].to_string_lossy()
}

fn signal_name(signal: i32) -> String {
    Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |known| known.to_string())
}
