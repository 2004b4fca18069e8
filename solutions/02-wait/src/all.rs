//! Step 6: reap until the kernel says that there is no child left.

use nix::errno::Errno;

use crate::one::wait_for;
use crate::spawn::spawn;
use crate::{Named, Result, say};

/// Forks `count` children that exit at once, with the codes 1 to `count`, and reaps all there are.
pub fn run(count: u8) -> Result {
    for code in 1..=count {
        spawn(|| i32::from(code))?;
    }
    say(format_args!("reaped {}", reap()?))
}

/// Waits for one child after the other until none is left, and returns how many there were.
fn reap() -> Result<usize> {
    let mut reaped = 0;
    loop {
        match wait_for(None, None) {
            Ok(_) => reaped += 1,
            Err(Errno::ECHILD) => return Ok(reaped),
            Err(errno) => return Err(errno).named("waitpid"),
        }
    }
}
