//! What does not end by itself, or not soon: an alarm ends it where the witness should have.

use crate::sys::{call, end_after, exit, fork, nothing, on, pause_for, said, sleep_for_good, told};
use nix::{
    libc,
    sys::{
        signal::{SaFlags, SigHandler, Signal, raise},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::{close, getppid, pipe, read, setsid, write},
};
use std::{
    fs::{self, File, Permissions},
    hint::black_box,
    io::Write,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    sync::atomic::AtomicU32,
};

const SECONDS: u32 = 60;

/// Reads from a pipe whose other end it holds itself.
pub fn hang() -> u8 {
    let (from, _to) = pipe().expect("a pipe");
    told("read", read(&from, &mut [0]))
}

/// The child waits for its parent's word, the parent for its child's end.
pub fn hang_of_two() -> u8 {
    let (from, to) = pipe().expect("a pipe");
    let child = fork(|| {
        let _ = close(to.as_raw_fd());
        told("read", read(&from, &mut [0]))
    });
    told("wait", waitpid(child.expect("a child"), None))
}

/// Stopped, and nobody is there to continue it.
pub fn stopped() -> u8 {
    told("raise", raise(Signal::SIGSTOP))
}

/// The same of a child, whose end is waited for.
pub fn stopped_child() -> u8 {
    told("wait", fork(stopped).and_then(|child| waitpid(child, None)))
}

pub fn spin() -> u8 {
    end_after(SECONDS);
    let mut n = 0u64;
    while black_box(n) < u64::MAX {
        n += 1;
    }
    0
}

pub fn spin_nohang() -> u8 {
    let child = fork(|| sleep_for_good()).expect("a child");
    end_after(SECONDS);
    while waitpid(child, Some(WaitPidFlag::WNOHANG)).is_ok() {}
    0
}

pub fn spin_yield() -> u8 {
    end_after(SECONDS);
    while call(libc::SYS_sched_yield, [0; 3]).is_ok() {}
    0
}

pub fn spin_getppid() -> u8 {
    end_after(SECONDS);
    while getppid().as_raw() != 1 {}
    0
}

/// Each call brings something about, and all are the same.
pub fn spin_write() -> u8 {
    end_after(SECONDS);
    let mut nowhere = File::options().write(true).open("/dev/null").expect("nothing");
    while nowhere.write(b"x").is_ok() {}
    0
}

/// 64 MiB on standard output.
pub fn flood() -> u8 {
    let block = [b'x'; 65536];
    let mut stdout = std::io::stdout().lock();
    u8::from((0..1024).any(|_| stdout.write_all(&block).is_err()))
}

/// Calls enough, every one different from the last, to fill any story.
pub fn chatter() -> u8 {
    for i in 0..300_000 {
        let path = format!("{i:0>200}\0");
        let _ = call(
            libc::SYS_openat,
            [libc::AT_FDCWD as usize, path.as_ptr() as usize, 0],
        );
        if i % 1000 == 0 {
            pause_for(1); // so as not to look busy
        }
    }
    0
}

/// 100 MiB in a file, 4 KiB at a time.
pub fn scribble() -> u8 {
    let mut file = File::create("scribble").expect("a file");
    let wrote = (0..25_600u32).all(|i| {
        if i % 1000 == 0 {
            pause_for(1); // so as not to look busy where the disk is slow
        }
        let block = [i as u8; 4096];
        file.write_all(&block).is_ok()
    });
    u8::from(!wrote)
}

/// The daemon's way to live on: two forks, a session of its own, and no word to anybody.
pub fn daemon() -> u8 {
    let child = fork(|| {
        let _ = setsid();
        fork(|| sleep_for_good()).map_or(1, |_| 0)
    });
    told("wait", waitpid(child.expect("a child"), None))
}

/// An orphan that sleeps, and wakes, and sleeps again, deaf to `SIGTERM`.
pub fn ticking() -> u8 {
    on(Signal::SIGTERM, SigHandler::SigIgn, SaFlags::empty()).expect("a disposition");
    let child = fork(|| {
        end_after(SECONDS);
        loop {
            pause_for(1000);
        }
    });
    told("fork", child)
}

/// Sleeps, and wakes, and sleeps again.
pub fn tick() -> u8 {
    end_after(SECONDS);
    loop {
        pause_for(10);
    }
}

/// Ends, but not soon.
pub fn slowly() -> u8 {
    pause_for(3000);
    0
}

/// Leaves directories that let nobody in: one with something in it, and the one that it runs in.
pub fn locked() -> u8 {
    let nobody = || Permissions::from_mode(0o000);
    let done = fs::create_dir_all("locked/inner")
        .and_then(|()| fs::write("locked/inner/file", "x"))
        .and_then(|()| fs::set_permissions("locked/inner", nobody()))
        .and_then(|()| fs::set_permissions("locked", nobody()))
        .and_then(|()| fs::set_permissions(".", nobody()));
    u8::from(done.is_err())
}

/// A child that no tracer is told of. Calls that stop for the witness fail there; to sleep on a futex is none of them.
pub fn escape() -> u8 {
    let flags = (libc::CLONE_UNTRACED | libc::SIGCHLD) as usize;
    match call(libc::SYS_clone, [flags, 0, 0]) {
        Ok(0) => stay_unheard(),
        result => told("clone", result),
    }
}

/// Says who its parent is through a FIFO, which all three keep open as long as they live; `SIGTERM` and `SIGINT` change
/// nothing. One is in a session of its own, and one makes no call that the witness hears of.
pub fn stay(fifo: &str) -> u8 {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        on(signal, SigHandler::Handler(nothing), SaFlags::empty()).expect("a handler");
    }
    let mut fifo = File::options().write(true).open(fifo).expect("a FIFO");
    let (from, to) = pipe().expect("a pipe");
    fork(|| {
        let _ = setsid();
        let _ = fork(|| {
            end_after(SECONDS);
            let _ = write(&to, b".");
            stay_unheard()
        });
        stay_here()
    })
    .expect("a child");
    let _ = read(&from, &mut [0]); // all three are there
    let _ = fifo.write_all(format!("{}\n", getppid()).as_bytes());
    stay_here()
}

fn stay_here() -> ! {
    let _ = said("here");
    for _ in 0..SECONDS * 100 {
        pause_for(10);
    }
    exit(0)
}

/// Sleeps on a futex: no call of interest.
fn stay_unheard() -> ! {
    let word = AtomicU32::new(0);
    loop {
        let _ = call(
            libc::SYS_futex,
            [word.as_ptr() as usize, libc::FUTEX_WAIT as usize, 0],
        );
    }
}
