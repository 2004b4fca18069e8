//! A call at its entry: what it is about, and how long it may sleep.

use super::{memory, proc};
use crate::calls::{Blocking, Family, describe, number};
use nix::libc;
use std::os::fd::RawFd;

/// A call that has been entered and has not come back.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number.
    pub nr: i64,
    /// Its arguments.
    pub args: [u64; 6],
    /// Its name in the manual.
    pub name: String,
    /// What it is for.
    pub family: Family,
    /// How long it may sleep.
    pub blocking: Blocking,
    /// For how long it asks to sleep; see [`crate::Call::nanoseconds`].
    pub nanoseconds: Option<u64>,
    /// What it is about; see [`crate::Call::on`].
    pub on: Vec<String>,
    /// How many events there were when it was entered.
    pub since: usize,
    /// It makes a thread, not a process.
    pub thread: bool,
    /// The witness makes it fail.
    pub injected: bool,
    /// With what the kernel left it when a signal came (`ERESTARTSYS` and the like, negative).
    pub unfinished: i64,
}

impl Entry {
    /// Decodes the call that thread `tid` of process `pid` has just entered, or sleeps in.
    pub fn decode(tid: i32, nr: i64, args: [u64; 6], since: usize) -> Self {
        let (name, family) = describe(nr);
        let mut entry = Self {
            nr,
            args,
            name,
            family,
            blocking: Blocking::Never,
            nanoseconds: None,
            on: Vec::new(),
            since,
            thread: false,
            injected: false,
            unfinished: 0,
        };
        if nr == libc::SYS_fcntl && matches!(args[1] as i32, libc::F_SETLKW | libc::F_OFD_SETLKW) {
            entry.family = Family::Lock;
        }
        entry.thread = family == Family::Fork && entry.clone_flags(tid) & libc::CLONE_THREAD as u64 != 0;
        entry.on = entry.subject(tid);
        entry.nanoseconds = entry.length(tid);
        entry.blocking = entry.patience(tid);
        entry
    }

    fn clone_flags(&self, tid: i32) -> u64 {
        match self.name.as_str() {
            "clone" => self.args[0],
            "clone3" => memory::double_word(tid, self.args[0], 0).unwrap_or(0),
            _ => 0,
        }
    }

    fn patience(&self, tid: i32) -> Blocking {
        let [_, second, third, fourth, ..] = self.args;
        let unless = |flag: bool| if flag { Blocking::Never } else { Blocking::Until };
        match self.family {
            Family::Wait if self.name == "wait4" => unless(third as i32 & libc::WNOHANG != 0),
            Family::Wait => unless(fourth as i32 & libc::WNOHANG != 0),
            Family::Sleep => Blocking::Timed,
            Family::SignalWait | Family::Poll => at_most(self.nanoseconds),
            Family::Read | Family::Write | Family::Accept | Family::Connect => unless(!self.may_wait(tid)),
            Family::Lock if self.name == "flock" => unless(second as i32 & libc::LOCK_NB != 0),
            Family::Lock => Blocking::Until,
            Family::Fork => {
                unless(self.clone_flags(tid) & libc::CLONE_VFORK as u64 == 0 && self.name != "vfork")
            }
            Family::Other if self.name == "futex" => at_most(timespec(tid, fourth)),
            Family::Other if self.name == "restart_syscall" => Blocking::Timed,
            Family::Exec | Family::Bind | Family::Other => Blocking::Never,
        }
    }

    fn length(&self, tid: i32) -> Option<u64> {
        let [first, second, third, fourth, fifth, _] = self.args;
        let until_a_moment = second as i32 & libc::TIMER_ABSTIME != 0;
        match self.name.as_str() {
            "nanosleep" => timespec(tid, first),
            "clock_nanosleep" if until_a_moment => None, // what is left of it depends on how fast the machine is
            "clock_nanosleep" | "rt_sigtimedwait" | "ppoll" => timespec(tid, third),
            "epoll_pwait2" => timespec(tid, fourth),
            "pselect6" => timespec(tid, fifth),
            "select" => timeval(tid, fifth),
            "poll" => milliseconds(third),
            "epoll_wait" | "epoll_pwait" => milliseconds(fourth),
            _ => None,
        }
    }

    /// A pipe, a socket or the like, in blocking mode; a file on disk keeps nobody waiting.
    fn may_wait(&self, tid: i32) -> bool {
        let flags = match self.name.as_str() {
            "recvfrom" | "sendto" => self.args[3],
            "recvmsg" | "sendmsg" => self.args[2],
            _ => 0,
        };
        let is_terminal = |on: &String| on.starts_with("/dev/pts/") || on.starts_with("/dev/tty");
        let on_disk = |on: &String| on.starts_with('/') && !is_terminal(on);
        let on_disk = self.on.first().is_none_or(on_disk);
        !on_disk
            && flags as i32 & libc::MSG_DONTWAIT == 0
            && !proc::is_nonblocking(tid, self.args[0] as RawFd)
    }

    fn subject(&self, tid: i32) -> Vec<String> {
        let [first, second, third, ..] = self.args;
        let descriptors: Vec<RawFd> = match self.name.as_str() {
            "execve" | "open" | "creat" | "unlink" | "truncate" | "stat" | "lstat" | "access" | "chdir" => {
                return vec![memory::string(tid, first)];
            }
            "rename" | "link" => {
                return vec![memory::string(tid, first), memory::string(tid, second)];
            }
            "renameat" | "renameat2" | "linkat" => {
                return vec![memory::string(tid, second), memory::string(tid, self.args[3])];
            }
            "openat" | "openat2" | "unlinkat" | "newfstatat" | "faccessat" | "faccessat2" | "statx"
            | "execveat" => {
                return vec![memory::string(tid, second)];
            }
            "poll" | "ppoll" => polled(tid, first, second),
            "select" | "pselect6" => selected(tid, first, [second, third, self.args[3]]),
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => {
                let mut targets = proc::epoll_targets(tid, first as RawFd);
                targets.truncate(TOLD);
                targets
            }
            "waitid" if first == u64::from(libc::P_PIDFD) => vec![second as RawFd],
            "epoll_ctl" => vec![third as RawFd],
            "close" | "dup" | "dup2" | "dup3" | "fcntl" | "bind" | "listen" | "setsockopt" | "ftruncate" => {
                vec![first as RawFd]
            }
            _ if matches!(
                self.family,
                Family::Read | Family::Write | Family::Accept | Family::Connect | Family::Lock
            ) =>
            {
                vec![first as RawFd]
            }
            _ => return Vec::new(),
        };
        descriptors
            .into_iter()
            .filter_map(|fd| proc::descriptor(tid, fd))
            .collect()
    }

    /// Somebody's call that has just come back may have got what this one gives.
    pub fn gives_to(&self, taker: &Self) -> bool {
        let gives =
            matches!(self.family, Family::Write | Family::Connect | Family::Lock) || self.name == "close";
        let takes = matches!(
            taker.family,
            Family::Read | Family::Poll | Family::Accept | Family::Lock
        );
        let is_socket = |on: &String| on.starts_with("socket:"); // the other end of it has another number
        let meets = |on: &String| taker.on.contains(on) || is_socket(on) && taker.on.iter().any(is_socket);
        gives && takes && self.on.iter().any(meets)
    }

    /// A wait that is also told of stops, or of their ends.
    pub fn tells_of_stops(&self) -> bool {
        let options = if self.name == "wait4" {
            self.args[2]
        } else {
            self.args[3]
        };
        self.family == Family::Wait && options as i32 & (libc::WUNTRACED | libc::WCONTINUED) != 0
    }

    /// It sends a signal.
    pub fn is_kill(&self) -> bool {
        matches!(
            self.name.as_str(),
            "kill" | "tkill" | "tgkill" | "pidfd_send_signal"
        )
    }

    /// It is call number `nr`'s twin: the kernel takes it up again after a signal that changed nothing.
    pub fn is_restarted_by(&self, nr: i64) -> bool {
        nr == self.nr || nr == number("restart_syscall")
    }
}

/// So many descriptors of one call are told.
const TOLD: usize = 32;

/// The descriptors of an array of `count` `struct pollfd`s.
fn polled(tid: i32, array: u64, count: u64) -> Vec<RawFd> {
    let bytes = memory::bytes(tid, array, 8 * count.min(1024) as usize);
    let fds = bytes
        .chunks_exact(8)
        .map(|pollfd| i32::from_ne_bytes([pollfd[0], pollfd[1], pollfd[2], pollfd[3]]));
    fds.filter(|&fd| fd >= 0).take(TOLD).collect()
}

/// The descriptors below `count` that are in one of these `fd_set`s.
fn selected(tid: i32, count: u64, sets: [u64; 3]) -> Vec<RawFd> {
    let there = sets.iter().filter(|&&set| set != 0);
    let sets: Vec<Vec<u8>> = there.map(|&set| memory::bytes(tid, set, 128)).collect();
    let is_set = |fd: &usize| {
        sets.iter()
            .any(|set| set.get(fd / 8).is_some_and(|byte| byte >> (fd % 8) & 1 == 1))
    };
    let fds = (0..count.min(1024) as usize).filter(is_set);
    fds.take(TOLD).map(|fd| fd as RawFd).collect()
}

/// The patience of a call that sleeps for so long at most, or without an end.
fn at_most(nanoseconds: Option<u64>) -> Blocking {
    match nanoseconds {
        None => Blocking::Until,
        Some(0) => Blocking::Never,
        Some(_) => Blocking::Timed,
    }
}

/// A number of milliseconds; a negative one stands for no end.
fn milliseconds(arg: u64) -> Option<u64> {
    u64::try_from(arg as i32).ok().map(|ms| ms * 1_000_000)
}

/// A `timespec` behind a pointer that may be null.
fn timespec(tid: i32, address: u64) -> Option<u64> {
    length(tid, address, 1)
}

/// A `timeval` behind a pointer that may be null.
fn timeval(tid: i32, address: u64) -> Option<u64> {
    length(tid, address, 1_000)
}

/// Two 64-bit words, seconds and units of so many nanoseconds; null stands for no end.
fn length(tid: i32, address: u64, unit: u64) -> Option<u64> {
    let word = |i| memory::double_word(tid, address, i).unwrap_or(1);
    let length = || {
        word(0)
            .saturating_mul(1_000_000_000)
            .saturating_add(word(1).saturating_mul(unit))
    };
    (address != 0).then(length)
}
