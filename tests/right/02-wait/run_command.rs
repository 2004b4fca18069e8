//! Right for step 7 (run). Replaces src/run.rs.
//! The everyday answer: `std::process::Command`, which forks, execs and waits.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::{Named, Result, complain, reason};

pub fn run(command: &[CString]) -> Result<ExitCode> {
    let mut words = command.iter().map(|word| OsStr::from_bytes(word.as_bytes()));
    let program = words.next().unwrap_or_default();
    let mut child = match Command::new(program).args(words).spawn() {
        Ok(child) => child,
        Err(error) => return refused(program, Errno::try_from(error).unwrap_or(Errno::EINVAL)),
    };
    let status = child.wait().named("waitpid")?;
    let Some(death) = status.signal() else {
        return Ok(ExitCode::from(status.code().unwrap_or(1) as u8));
    };
    let name = Signal::try_from(death).map_or(format!("signal {death}"), |signal| signal.to_string());
    complain(format_args!("{}: killed by {name}", program.display()));
    Ok(ExitCode::from(128 + death as u8))
}

/// `Command` does not tell whether its fork or its exec failed; these errors are almost always fork's.
fn refused(program: &OsStr, errno: Errno) -> Result<ExitCode> {
    if matches!(errno, Errno::EAGAIN | Errno::ENOMEM) {
        return Err(errno).named("fork");
    }
    complain(format_args!("{}: {}", program.display(), reason(errno)));
    Ok(ExitCode::from(if errno == Errno::ENOENT { 127 } else { 126 }))
}
