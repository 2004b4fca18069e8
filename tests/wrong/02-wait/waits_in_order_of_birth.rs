//! Refused by step 3 (first). Replaces src/first.rs.
//! Step 2 again: whoever ends first, the parent asks for child 1 first. The lines come in order of birth, and
//! the children that have ended stay zombies meanwhile.

use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::three;
use crate::{Named, Result, say};

pub fn run() -> Result {
    in_order_of_end(&three()?)
}

fn in_order_of_end(children: &[Pid]) -> Result {
    for (number, &child) in (1..).zip(children) {
        let status = wait_for(child, None).named("waitpid")?;
        say(format_args!("child {number} exited with {}", exit_code(status)?))?;
    }
    Ok(())
}
