//! Refused by step 7 (run). Replaces src/run.rs.
//! The parent does the talking, and has the child's errno through a pipe that is not close-on-exec. The program that
//! is run gets its end too: it holds a descriptor that it knows nothing of, and the parent's read ends only with it.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::libc::{self, WEXITSTATUS, WIFEXITED, WTERMSIG};
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, Pid, execvp, fork, pipe};

use crate::spawn::exit;
use crate::{Named, Result, complain, reason};

pub fn run(command: &[CString]) -> Result<ExitCode> {
    let (ours, theirs) = pipe().named("pipe")?;
    // SAFETY: this program never starts a thread, so no thread that the child lacks can hold a lock.
    let child = match unsafe { fork() }.named("fork")? {
        ForkResult::Child => exec(command, theirs.into()),
        ForkResult::Parent { child } => child,
    };
    drop(theirs);
    let mut bytes = Vec::new();
    File::from(ours).read_to_end(&mut bytes).named("read")?;
    let status = status_of(child)?;
    let program = command[0].to_string_lossy();
    if let Ok(errno) = bytes.try_into() {
        let errno = Errno::from_raw(i32::from_ne_bytes(errno));
        complain(format_args!("{program}: {}", reason(errno)));
        return Ok(ExitCode::from(if errno == Errno::ENOENT { 127 } else { 126 }));
    }
    if WIFEXITED(status) {
        return Ok(ExitCode::from(WEXITSTATUS(status) as u8));
    }
    let death = WTERMSIG(status);
    match Signal::try_from(death) {
        Ok(signal) => complain(format_args!("{program}: killed by {signal}")),
        Err(_) => complain(format_args!("{program}: killed by signal {death}")),
    }
    Ok(ExitCode::from(128 + death as u8))
}

fn exec(command: &[CString], mut theirs: File) -> ! {
    let Err(errno) = execvp(&command[0], command);
    let _ = theirs.write_all(&(errno as i32).to_ne_bytes());
    exit(126)
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
