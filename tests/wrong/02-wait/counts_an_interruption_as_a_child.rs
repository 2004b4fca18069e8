//! Refused by step 3 (first). Replaces src/first.rs.
//! Three children, three waits. A wait that a signal interrupts is counted too, and then the last child is
//! neither told of nor reaped.

use nix::errno::Errno;
use nix::sys::wait::wait;
use nix::unistd::Pid;

use crate::one::exit_code;
use crate::spawn::three;
use crate::{Named, Result, say};

pub fn run() -> Result {
    in_order_of_end(&three()?)
}

fn in_order_of_end(children: &[Pid]) -> Result {
    for _ in children {
        let status = match wait() {
            Err(Errno::EINTR) => continue,
            result => result.named("wait")?,
        };
        if let Some(index) = children.iter().position(|&child| status.pid() == Some(child)) {
            say(format_args!(
                "child {} exited with {}",
                index + 1,
                exit_code(status)?
            ))?;
        }
    }
    Ok(())
}
