//! Step 7: run a program as a shell would, and end with its status.

#![expect(unused, reason = "delete this line when every TODO is done")]

use std::borrow::Cow;
use std::ffi::CString;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc::{self, WEXITSTATUS, WIFSIGNALED, WTERMSIG};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, execvp};

use crate::spawn::spawn;
use crate::{Named, Result, complain, reason};

/// Runs `command`, a program and its arguments, and returns what a shell would then show as `$?`.
///
/// One simplification: system(3) also ignores SIGINT and SIGQUIT while it waits, so as to outlive a Ctrl-C.
pub fn run(command: &[CString]) -> Result<ExitCode> {
    // TODO 7: `spawn` a child that does `exec(command)`. That returns only when it failed: then the child exits
    // with 127 for `Errno::ENOENT`, with 126 for any other error. Wait with `status_of` and return, as an
    // `ExitCode`,
    // - the code that the child exited with (`WEXITSTATUS`), or
    // - when a signal killed it (`WIFSIGNALED`), 128 + the signal's number (`WTERMSIG`), after `complain`ing.
    // `run sh -c 'exit 42'` exits with 42. `run sh -c 'kill $$'` exits with 143, and stderr has the line
    // `wait: sh: killed by SIGTERM`.
    todo!("step 7: run the program and return its status")
}

/// Turns this process into the program, which `execvp` looks for in PATH. Only a failure returns: told, and as
/// the reason.
fn exec(command: &[CString]) -> Errno {
    let Err(errno) = execvp(&command[0], command);
    complain(format_args!("{}: {}", name(command), reason(errno)));
    errno
}

/// Waits until `child` has ended, and returns its status as the kernel writes it: a number that `WIFSIGNALED`
/// and its like take apart.
///
/// nix's `waitpid` would not do here. It knows no real-time signals: when one of them has killed the child, it
/// returns `EINVAL`, although the child is reaped and its status gone.
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

/// The program, as it was typed.
fn name(command: &[CString]) -> Cow<'_, str> {
    command[0].to_string_lossy()
}

/// `SIGTERM` for 15. A real-time signal has a number only.
fn signal_name(signal: i32) -> String {
    Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |known| known.to_string())
}
