//! Right for step 3 (memory). Replaces src/memory.rs.
//! The variable is a static, in place of one on the stack: not the stack is copied, nor the heap, but all of it.

use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, reap_all, say};

static A: AtomicI32 = AtomicI32::new(1);

pub fn run() -> Result {
    // SAFETY: this program has one thread, so no lock is held in the child by a thread that was not copied.
    if let ForkResult::Child = unsafe { fork() }.named("fork")? {
        A.store(10_000, Relaxed);
        leave(show("child"));
    }
    reap_all()?;
    show("parent")
}

/// Both processes run this code, each on its own copy.
fn show(who: &str) -> Result {
    say(format_args!("{who}: a = {}", A.load(Relaxed)))
}
