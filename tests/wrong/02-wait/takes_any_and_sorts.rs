//! Refused by step 2 (order). Replaces src/order.rs.
//! Waits for any child, three times, keeps the codes, and prints them in order of birth afterwards. The
//! output is right; but nobody was waited for by its pid, and the first line comes only after the last child.

use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::three;
use crate::{Named, Result, say};

pub fn run() -> Result {
    in_order_of_birth(&three()?)
}

fn in_order_of_birth(children: &[Pid]) -> Result {
    let mut codes = vec![0; children.len()];
    for _ in children {
        let status = wait_for(None, None).named("waitpid")?;
        if let Some(index) = children.iter().position(|&child| status.pid() == Some(child)) {
            codes[index] = exit_code(status)?;
        }
    }
    for (number, code) in (1..).zip(codes) {
        say(format_args!("child {number} exited with {code}"))?;
    }
    Ok(())
}
