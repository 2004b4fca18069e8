//! Right for step 6 (all). Replaces src/all.rs.
//! The oldest call of them all, wait(2), without a look at any status.

use std::ptr::null_mut;

use nix::errno::Errno;
use nix::libc;

use crate::spawn::spawn;
use crate::{Error, Result, say};

pub fn run(count: u8) -> Result {
    (1..=count).try_for_each(|code| spawn(|| code.into()).map(drop))?;
    let mut reaped = 0;
    loop {
        // SAFETY: wait allows a null pointer, for a caller that does not want the status.
        match Errno::result(unsafe { libc::wait(null_mut()) }) {
            Ok(_) => reaped += 1,
            Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => break,
            Err(errno) => return Err(Error::Call("wait", errno)),
        }
    }
    say(format_args!("reaped {reaped}"))
}
