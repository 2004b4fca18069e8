//! Right for step 3 (first). Replaces src/first.rs.
//! waitid(2) for any child: first a look that leaves the child a zombie (`WNOWAIT`), then its reaping, by its
//! pid.

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

use crate::one::exit_code;
use crate::spawn::three;
use crate::{Named, Result, say};

pub fn run() -> Result {
    let mut children: Vec<_> = three()?.into_iter().zip(1..).collect();
    while !children.is_empty() {
        let seen = wait(|| Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)?;
        let Some(pid) = seen.pid() else { continue };
        let status = wait(|| Id::Pid(pid), WaitPidFlag::WEXITED)?;
        if let Some(place) = children.iter().position(|child| child.0 == pid) {
            let (_, number) = children.swap_remove(place);
            say(format_args!("child {number} exited with {}", exit_code(status)?))?;
        }
    }
    Ok(())
}

/// `child` is a closure because an `Id` is used up by each call.
fn wait(child: impl Fn() -> Id<'static>, flags: WaitPidFlag) -> Result<WaitStatus> {
    loop {
        match waitid(child(), flags) {
            Err(Errno::EINTR) => continue,
            result => return result.named("waitid"),
        }
    }
}
