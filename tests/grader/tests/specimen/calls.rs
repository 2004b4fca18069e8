//! Single calls: what they answer when a signal comes, when they are refused, and how often they are made.

use crate::sys::{call, exit, fork, on, pause_for, said, told};
use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        signal::{SaFlags, SigHandler, Signal},
        wait::{WaitPidFlag, wait, waitpid},
    },
    unistd::{Pid, pipe, read, write},
};
use std::{
    ffi::CString,
    io::{self, BufRead, Read},
    os::{fd::AsFd, unix::net::UnixStream},
    time::Duration,
};

/// Two lines in three writes.
pub fn pieces() -> u8 {
    for piece in ["one\ntw", "o", "\n"] {
        if write(io::stdout(), piece.as_bytes()) != Ok(piece.len()) {
            return 1;
        }
    }
    0
}

/// Every byte there is, twice over: what is no text, and no JSON.
pub fn bytes() -> u8 {
    let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    u8::from(write(io::stdout(), &all) != Ok(all.len()))
}

/// Closes its standard output and lives on.
pub fn unheard() -> u8 {
    said("heard");
    // SAFETY: takes no pointer; nothing here owns descriptor 1.
    unsafe { libc::close(libc::STDOUT_FILENO) };
    told("wait", fork(|| 0).and_then(|child| waitpid(child, None)));
    9
}

/// A line for each line that comes.
pub fn echo() -> u8 {
    let lines = io::stdin().lock().lines().map_while(Result::ok);
    for line in lines {
        said(format!("you said {line}"));
    }
    said("the end")
}

/// A call that is none of the witness's business, as often as anybody makes one.
pub fn quick() -> u8 {
    for _ in 0..100_000 {
        let _ = call(libc::SYS_getpid, [0; 3]);
    }
    0
}

/// A real-time signal is delivered to its handler: the witness lets it through as any other.
pub fn realtime() -> u8 {
    extern "C" fn handler(signal: libc::c_int) {
        let digit = [b'0' + (signal - libc::SIGRTMIN()) as u8, b'\n'];
        let _ = write(io::stdout(), &digit);
    }
    for number in [0, 3] {
        // SAFETY: the handler only writes; `signal` and `raise` take no other pointer.
        unsafe {
            libc::signal(
                libc::SIGRTMIN() + number,
                handler as *const () as libc::sighandler_t,
            );
            libc::raise(libc::SIGRTMIN() + number);
        }
    }
    0
}

/// Reads a byte, and says what came of it; at `SIGUSR1` a handler runs and, with `restart`, the call goes on. Without, it is
/// made once more.
pub fn handler(restart: bool) -> u8 {
    extern "C" fn handler(_: libc::c_int) {
        let _ = write(io::stdout(), b"handler\n");
    }
    let flags = if restart {
        SaFlags::SA_RESTART
    } else {
        SaFlags::empty()
    };
    on(Signal::SIGUSR1, SigHandler::Handler(handler), flags).expect("a handler");
    let result = read(io::stdin(), &mut [0]);
    if result == Err(Errno::EINTR) {
        // At once: what is printed between the two would set them apart.
        let again = read(io::stdin(), &mut [0]);
        told("read", result);
        return told("again", again);
    }
    told("read", result)
}

fn child_that_ends_meanwhile() -> Pid {
    fork(|| {
        pause_for(100);
        0
    })
    .expect("a child")
}

/// A child's end interrupts nothing as long as `SIGCHLD` has no handler.
pub fn epoll() -> u8 {
    let (from, _to) = pipe().expect("a pipe");
    let epoll = Epoll::new(EpollCreateFlags::empty()).expect("an epoll instance");
    epoll
        .add(&from, EpollEvent::new(EpollFlags::EPOLLIN, 0))
        .expect("a place in it");
    let child = child_that_ends_meanwhile();
    let answer = epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::from(400u16));
    said(format!("epoll_wait: {answer:?}"));
    told("wait", waitpid(child, None))
}

pub fn recv() -> u8 {
    let (mut here, _there) = UnixStream::pair().expect("two sockets");
    here.set_read_timeout(Some(Duration::from_millis(400)))
        .expect("a timeout");
    let child = child_that_ends_meanwhile();
    let answer = here.read(&mut [0]).map_err(|error| error.kind());
    said(format!("recv: {answer:?}"));
    told("wait", waitpid(child, None))
}

/// The timeout belongs to the socket, whoever set it.
pub fn recv_inherited(waits: bool) -> u8 {
    let (mut here, _there) = UnixStream::pair().expect("two sockets");
    here.set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a timeout");
    let child = fork(|| {
        let answer = here.read(&mut [0]).map_err(|error| error.kind());
        said(format!("recv: {answer:?}"))
    });
    if waits {
        told("wait", child.and_then(|child| waitpid(child, None)))
    } else {
        told("fork", child)
    }
}

/// Three children, one after the other, each by this way, and a thread before each.
pub fn forks(way: &str) -> u8 {
    for _ in 0..3 {
        let _ = std::thread::spawn(|| 0).join();
        let child = match way {
            "fork" => fork(|| 0).map(drop),
            "call" => raw(libc::SYS_fork, [0; 3]),
            "clone" => raw(libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0]),
            _ => {
                // `struct clone_args`, of which the exit signal is the fifth word.
                let args = [0, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];
                raw(libc::SYS_clone3, [args.as_ptr() as usize, size_of_val(&args), 0])
            }
        };
        told(way, child);
        if child.is_ok() {
            let _ = wait();
        }
    }
    0
}

fn raw(number: libc::c_long, args: [usize; 3]) -> nix::Result<()> {
    if call(number, args)? == 0 { exit(0) } else { Ok(()) }
}

/// A call of each family that may sleep, none of which does for long.
pub fn blocks() -> u8 {
    let (from, to) = pipe().expect("a pipe");
    let byte = || write(&to, b".").map(|_| ());
    let child = fork(|| 0).expect("a child");
    told("wait", waitpid(child, None));
    told("sleep", sleep());
    told("write", byte());
    let ready = &mut [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
    told("poll", poll(ready, PollTimeout::NONE));
    told("read", read(&from, &mut [0]));
    told("read", byte().and_then(|()| read(&from, &mut [0])));
    let child = fork(|| told("child's sleep", sleep()));
    told("wait", waitpid(child.expect("a child"), None))
}

fn sleep() -> nix::Result<()> {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 1,
    };
    // SAFETY: `time` outlives the call; a null pointer is allowed for what is left of it.
    Errno::result(unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) }).map(drop)
}

/// Asks for its child now and then, and at last waits for it.
pub fn polls() -> u8 {
    let (from, to) = pipe().expect("a pipe");
    let child = fork(|| read(&from, &mut [0]).map_or(1, |_| 0)).expect("a child");
    for _ in 0..3 {
        told("ask", waitpid(child, Some(WaitPidFlag::WNOHANG)));
    }
    let _ = write(&to, b".");
    while let Err(errno) = waitpid(child, None) {
        told::<()>("wait", Err(errno));
    }
    0
}

/// Tries to become that program.
pub fn exec(path: &str) -> u8 {
    let path = CString::new(path).unwrap_or_default();
    told("exec", nix::unistd::execv(&path, &[&path]))
}

/// Becomes the specimen again, with other arguments.
pub fn become_specimen(args: &[&str]) -> u8 {
    let argv = ["specimen"]
        .iter()
        .chain(args)
        .map(|arg| CString::new(*arg).unwrap_or_default());
    let argv: Vec<CString> = argv.collect();
    told("exec", nix::unistd::execv(c"/proc/self/exe", &argv))
}

/// Lines on standard output, one write each; stops at the first that fails.
pub fn writes(number: usize) -> u8 {
    for i in 1..=number {
        match write(io::stdout(), format!("line {i}\n").as_bytes()) {
            Ok(_) => {}
            Err(Errno::EPIPE) => return 1,
            Err(errno) => {
                eprintln!("write: {errno:?}");
                return 1;
            }
        }
    }
    0
}
