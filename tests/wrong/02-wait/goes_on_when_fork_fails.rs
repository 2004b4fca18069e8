//! Refused by step 6 (all). Replaces src/all.rs.
//! A fork that fails is passed over. With `all 5` and four children it prints `reaped 4` and exits 0: the
//! caller cannot know that the job was only half done.

use nix::errno::Errno;

use crate::one::wait_for;
use crate::spawn::spawn;
use crate::{Named, Result, say};

pub fn run(count: u8) -> Result {
    for code in 1..=count {
        let _ = spawn(|| i32::from(code));
    }
    say(format_args!("reaped {}", reap()?))
}

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
