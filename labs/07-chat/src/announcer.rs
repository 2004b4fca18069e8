//! Step 5, announce: a child reads standard input, so that the server never has to wait for it.
#![expect(unused, reason = "delete this line when every TODO is done")]

use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::unistd::read;

use crate::child::{self, Child, hand_over};
use crate::lines::Lines;
use crate::wait::{input, wait};
use crate::wire::{LONGEST, announcement};
use crate::{Named, Result, complain, retry};

/// How much one read takes at most.
const BUFFER: usize = 4096;

/// Starts the announcer.
pub fn start() -> Result<Child> {
    child::start(read_lines)
}

/// Reads standard input to its end, or until the server has ended.
fn read_lines(parent: OwnedFd) -> Result {
    let stdin = io::stdin();
    let mut lines = Lines::default();
    let mut buffer = [0; BUFFER];
    loop {
        // The parent sends nothing: what can be read there is only its end. It must not find us waiting for a line.
        let [_, orphaned] = wait([input(&stdin), input(&parent)], None)?;
        if orphaned {
            return Ok(());
        }
        match retry(|| read(&stdin, &mut buffer)) {
            Ok(0) => break,
            Ok(n) => lines.cut(&buffer[..n], |line| announce(&parent, line))?,
            // Who shares the open file may have been faster, or have set O_NONBLOCK.
            Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(errno).named("read"),
        }
    }
    // The last line may lack its newline.
    lines.rest().map_or(Ok(()), |line| announce(&parent, &line))
}

/// Hands one line over to the server, as the message that it will be: by the socket pair, since what came through the
/// public port could be anybody's.
fn announce(parent: &OwnedFd, line: &[u8]) -> Result {
    // TODO 5: we are the child, and have read a line. Hand it over to the server.
    //   `announcement` makes of a text the message that it will be, or None if that is too long: then `complain`
    //   what is no UTF-8 is made so (`String::from_utf8_lossy`)
    //   `hand_over` sends it through the socket pair. To send it to the server's own port would be easier, and then
    //     anybody could send the same
    //   -> for b"tea is ready": "admin: tea is ready\n" comes out of the other end of the pair
    todo!("step 5: hand a line over to the server")
}

/// Takes what the announcer hands over, as the message that it will be. None: it has ended, and is reaped.
pub fn take(announcer: &mut Option<Child>) -> Result<Option<String>> {
    let mut buffer = [0; LONGEST + 1];
    let len = match announcer {
        Some(announcer) => announcer.hear(&mut buffer)?,
        None => 0,
    };
    if len == 0 {
        *announcer = None;
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&buffer[..len]).into_owned()))
}
