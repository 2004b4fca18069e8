//! Right for step 2 (order). Replaces src/order.rs.
//! The C library's wait4, which also tells what the child used; the status word is taken apart by hand.

use std::mem::MaybeUninit;

use nix::errno::Errno;
use nix::libc::{WEXITSTATUS, WIFEXITED, wait4};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use crate::spawn::three;
use crate::{Error, Named, Result, say};

pub fn run() -> Result {
    let children = three()?;
    let mut number = 0;
    for child in children {
        number += 1;
        say(format!("child {number} exited with {}", code_of(child)?))?;
    }
    Ok(())
}

fn code_of(child: Pid) -> Result<i32> {
    let mut status = 0;
    let mut usage = MaybeUninit::uninit();
    // SAFETY: both places live longer than the call, which fills them and reads neither.
    while unsafe { wait4(child.as_raw(), &mut status, 0, usage.as_mut_ptr()) } < 0 {
        if Errno::last() != Errno::EINTR {
            return Err(Errno::last()).named("wait4");
        }
    }
    if WIFEXITED(status) {
        return Ok(WEXITSTATUS(status));
    }
    Err(Error::Child(WaitStatus::from_raw(child, status).named("wait4")?))
}
