//! A process that is started once and forks a witness for each run: to start a test binary anew takes longer than most
//! runs, to fork a small process with one thread does not.

use nix::{
    cmsg_space,
    errno::Errno,
    libc,
    sys::{
        signal::{SigHandler, Signal, signal},
        socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg},
    },
    unistd::{ForkResult, dup2_stdin, dup2_stdout, fork},
};
use std::{
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    process::ExitCode,
};

/// Asks the nursery behind `socket` for a witness that reads its orders from one descriptor and answers to the other.
///
/// # Errors
/// Those of `sendmsg(2)`; `EPIPE` when the nursery is gone.
pub fn ask(socket: &OwnedFd, orders: &OwnedFd, answers: &OwnedFd) -> io::Result<()> {
    let both = [orders.as_raw_fd(), answers.as_raw_fd()];
    let message = [IoSlice::new(b"w")];
    let rights = [ControlMessage::ScmRights(&both)];
    sendmsg::<()>(
        socket.as_raw_fd(),
        &message,
        &rights,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    Ok(())
}

/// The body of the nursery, whose standard input is the socket; it ends when nobody can ask any more.
pub fn main() -> ExitCode {
    // SAFETY: no handler is installed. Ignored, so that the kernel reaps the witnesses: nobody asks how they ended.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) };
    for turn in 0.. {
        let Some((orders, answers)) = next() else { break };
        // SAFETY: the nursery has one thread.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                let taken = dup2_stdin(&orders).and_then(|()| dup2_stdout(&answers));
                drop((orders, answers));
                // SAFETY: no handler is installed. A witness waits for its children.
                let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
                return if taken.is_ok() {
                    super::witness(turn)
                } else {
                    ExitCode::FAILURE
                };
            }
            Ok(ForkResult::Parent { .. }) => {}
            Err(errno) => eprintln!("witness: fork: {}", super::start::reason(errno)), // the test sees its pipe end
        }
    }
    ExitCode::SUCCESS
}

/// The descriptors for the next witness; `None` when the test is gone.
fn next() -> Option<(OwnedFd, OwnedFd)> {
    let mut word = [0];
    let mut buffer = [IoSliceMut::new(&mut word)];
    let mut space = cmsg_space!([i32; 2]);
    let message = loop {
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        match recvmsg::<()>(libc::STDIN_FILENO, &mut buffer, Some(&mut space), flags) {
            Err(Errno::EINTR) => {}
            other => break other.ok()?,
        }
    };
    let mut both = message.cmsgs().ok()?.filter_map(|control| match control {
        ControlMessageOwned::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let [orders, answers] = both.next()?[..] else {
        return None;
    };
    // SAFETY: the kernel has just made both descriptors for this process, and nobody else knows of them.
    Some(unsafe { (OwnedFd::from_raw_fd(orders), OwnedFd::from_raw_fd(answers)) })
}
