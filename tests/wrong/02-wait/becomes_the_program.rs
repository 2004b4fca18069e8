//! Refused by step 7 (run). Replaces src/run.rs.
//! Without a fork the program's status is the caller's to see without any wait: main becomes the program.
//! Then nobody is left to say that it was killed, nor to make 137 of it: the caller sees a process killed by
//! a signal.

use std::borrow::Cow;
use std::ffi::CString;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc::{self, WEXITSTATUS, WIFSIGNALED, WTERMSIG};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, execvp};

use crate::spawn::spawn;
use crate::{Named, Result, complain, reason};

pub fn run(command: &[CString]) -> Result<ExitCode> {
    Ok(ExitCode::from(match exec(command) {
        Errno::ENOENT => 127,
        _ => 126,
    }))
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
