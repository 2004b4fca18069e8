//! The calls of the specimen, with as little between it and the kernel as can be.

use nix::{
    errno::Errno,
    libc,
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
    unistd::{ForkResult, Pid},
};
use std::{fmt::Display, io::Write, sync::atomic::AtomicU32, time::Duration};

/// Prints a line by one `write(2)`; the exit status for "all is well".
pub fn said(line: impl Display) -> u8 {
    let line = format!("{line}\n");
    // SAFETY: pointer and length are those of `line`.
    let n = unsafe { libc::write(libc::STDOUT_FILENO, line.as_ptr().cast(), line.len()) };
    u8::from(n != line.len().cast_signed())
}

/// Prints what a call came to: the name of its errno, or `ok`.
pub fn told<T>(call: &str, result: nix::Result<T>) -> u8 {
    said(format!(
        "{call}: {}",
        result.map_or_else(|errno| format!("{errno:?}"), |_| "ok".to_owned())
    ))
}

/// Forks a child that runs `child` and exits with what that answers.
pub fn fork(child: impl FnOnce() -> u8) -> nix::Result<Pid> {
    // SAFETY: the specimen forks while it has one thread, or the child of a thread makes plain system calls only.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => exit(child()),
        ForkResult::Parent { child } => Ok(child),
    }
}

/// Ends the process, and nothing else.
pub fn exit(status: u8) -> ! {
    // SAFETY: takes no pointer.
    unsafe { libc::_exit(status.into()) }
}

/// A system call of three numbers, as it comes.
pub fn call(number: libc::c_long, args: [usize; 3]) -> nix::Result<libc::c_long> {
    // SAFETY: the callers pass numbers, or pointers that outlive the call.
    Errno::result(unsafe { libc::syscall(number, args[0], args[1], args[2], 0usize, 0usize, 0usize) })
}

/// What to do at a signal.
pub fn on(signal: Signal, handler: SigHandler, flags: SaFlags) -> nix::Result<SigAction> {
    // SAFETY: the handlers of the specimen do nothing at all.
    unsafe { sigaction(signal, &SigAction::new(handler, flags, SigSet::empty())) }
}

/// A handler that does nothing, but is one.
pub extern "C" fn nothing(_: libc::c_int) {}

/// Sleeps.
pub fn pause_for(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Sleeps until a signal ends it.
pub fn sleep_for_good() -> ! {
    loop {
        nix::unistd::pause();
    }
}

/// Whatever goes on for ever here does not go on for ever.
pub fn end_after(seconds: u32) {
    nix::unistd::alarm::set(seconds);
}

/// A counter in a file, shared by all who are forked from here on.
pub fn shared_counter(path: &str) -> &'static AtomicU32 {
    let mut file = std::fs::File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .expect("a file");
    file.write_all(&[0; 4]).expect("room for a number");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    // SAFETY: a new shared mapping of four bytes of a file; nothing else refers to it.
    let at = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            fd,
            0,
        )
    };
    assert_ne!(at, libc::MAP_FAILED, "a mapping");
    // SAFETY: the mapping is never undone, page-aligned, and used only as this atomic.
    unsafe { &*at.cast() }
}
