//! Refused by step 5 (who). Replaces src/who.rs.
//! A stranger is an error, and an error ends the program: anybody who may connect can put an end to it.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Uid, geteuid};

use crate::{Error, Named, Result, recv};

pub fn run(path: &Path) -> Result {
    recv::serve(path, greet)
}

fn greet(sender: &OwnedFd) -> Result<Option<Vec<u8>>> {
    let who = getsockopt(sender, sockopt::PeerCredentials).named("getsockopt")?;
    let uid = Uid::from_raw(who.uid());
    let may_talk = uid.is_root() || uid == geteuid();
    if !may_talk {
        return Err(Error::Call("getsockopt", Errno::EPERM));
    }
    Ok(may_talk.then(|| format!("pid {} uid {uid}: ", who.pid()).into_bytes()))
}
