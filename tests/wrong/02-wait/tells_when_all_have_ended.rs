//! Refused by step 3 (first). Replaces src/first.rs.
//! Reaps whoever is next, and keeps the statuses in a list, which is printed when all three have ended. The order is
//! right, but the first line comes as late as the last.

use nix::unistd::Pid;

use crate::one::{exit_code, wait_for};
use crate::spawn::three;
use crate::{Named, Result, say};

pub fn run() -> Result {
    in_order_of_end(&three()?)
}

fn in_order_of_end(children: &[Pid]) -> Result {
    let mut ended = Vec::new();
    while ended.len() < children.len() {
        let status = wait_for(None, None).named("waitpid")?;
        if let Some(index) = children.iter().position(|&child| status.pid() == Some(child)) {
            ended.push((index + 1, exit_code(status)?));
        }
    }
    ended
        .into_iter()
        .try_for_each(|(number, code)| say(format_args!("child {number} exited with {code}")))
}
