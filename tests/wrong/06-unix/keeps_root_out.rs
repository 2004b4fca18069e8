//! Refused by step 5 (who). Replaces src/who.rs.
//! "Only its own user" is one comparison. Root is another user, and may do everything anyway: all it
//! achieves is that the administrator cannot talk to it.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Uid, geteuid};

use crate::{Named, Result, recv};

pub fn run(path: &Path) -> Result {
    recv::serve(path, greet)
}

fn greet(sender: &OwnedFd) -> Result<Option<Vec<u8>>> {
    let who = getsockopt(sender, sockopt::PeerCredentials).named("getsockopt")?;
    let uid = Uid::from_raw(who.uid());
    let may_talk = uid == geteuid();
    Ok(may_talk.then(|| format!("pid {} uid {uid}: ", who.pid()).into_bytes()))
}
