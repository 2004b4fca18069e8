//! Refused by step 7 (run). Replaces src/run.rs.
//! Glues the words together and lets `sh -c` run them. The shell knows all the codes, but it takes the words
//! apart again, by its own rules: `$$`, `;` and spaces in an argument do not survive.

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
    let child = spawn(|| match exec(command) {
        Errno::ENOENT => 127,
        _ => 126,
    })?;
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
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let line = CString::new(words.join(" ")).unwrap_or_default();
    let Err(errno) = execvp(c"sh", &[c"sh", c"-c", &line]);
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
