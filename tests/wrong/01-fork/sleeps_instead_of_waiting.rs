//! Refused by step 3 (memory). Replaces src/memory.rs.
//! The parent sleeps for "long enough" before it prints. On a busy machine it is not, and on an idle one it is too
//! long. The output is right nearly every time, and that is why such code is found in so many programs.

use std::thread;
use std::time::Duration;

use nix::unistd::{ForkResult, fork};

use crate::{Named, Result, leave, say, wait};

pub fn run() -> Result {
    let mut a = 1;
    // SAFETY: this program has one thread.
    match unsafe { fork() }.named("fork")? {
        ForkResult::Child => child(&mut a),
        ForkResult::Parent { .. } => {
            thread::sleep(Duration::from_millis(50));
            say(format_args!("parent: a = {a}"))?;
            wait()
        }
    }
}

fn child(a: &mut i32) -> ! {
    *a = 10_000;
    leave(say(format_args!("child: a = {a}")))
}
