//! Refused by step 3 (memory). Replaces src/memory.rs.
//! The variable lives in a mapping that parent and child share, so that the child's change is the parent's too: what
//! one does to have processes talk to each other, and the opposite of what a fork does to every other variable.

use std::{io, ptr};

use nix::libc::{self, MAP_ANONYMOUS, MAP_FAILED, MAP_SHARED, PROT_READ, PROT_WRITE};
use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    // SAFETY: a new mapping overlaps nothing of ours.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size_of::<i32>(),
            PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == MAP_FAILED {
        return Err(io::Error::last_os_error()).named("mmap");
    }
    let a: *mut i32 = page.cast();
    // SAFETY: `a` points to a mapping of this process that is never unmapped; the child ends before the parent reads.
    unsafe { a.write(1) };
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        // SAFETY: as above.
        ForkResult::Child => child(unsafe { &mut *a }),
        ForkResult::Parent { .. } => {
            wait()?;
            // SAFETY: as above.
            say(format_args!("parent: a = {}", unsafe { a.read_volatile() }))
        }
    }
}

fn child(a: &mut i32) -> ! {
    *a = 10_000;
    leave(say(format_args!("child: a = {a}")))
}
