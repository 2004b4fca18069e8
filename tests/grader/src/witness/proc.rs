//! What `/proc` tells of a process (`proc_pid_status(5)`, `proc_pid_fd(5)`, `proc_pid_fdinfo(5)`).

use std::{fs, os::fd::RawFd};

/// The lines of `/proc/PID/status` that the witness goes by.
pub struct Status {
    /// `R`, `S`, `D`, `T`, `t`, `Z` or `X`.
    pub state: char,
    /// The process that this thread belongs to.
    pub tgid: i32,
    /// The parent, as `getppid(2)` answers.
    pub ppid: i32,
    /// How often it gave up the processor by itself, so far.
    pub switches: u64,
    pending: u64,
    blocked: u64,
    ignored: u64,
    caught: u64,
}

impl Status {
    /// Reads it; `None` when there is no such process any more.
    pub fn read(tid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
        let mut status = Self {
            state: '?',
            tgid: 0,
            ppid: 0,
            switches: 0,
            pending: 0,
            blocked: 0,
            ignored: 0,
            caught: 0,
        };
        let mask = |hex: &str| u64::from_str_radix(hex, 16).unwrap_or(0);
        for (key, value) in text.lines().filter_map(|line| line.split_once(":\t")) {
            match key {
                "State" => status.state = value.chars().next()?,
                "Tgid" => status.tgid = value.parse().ok()?,
                "PPid" => status.ppid = value.parse().ok()?,
                "SigPnd" | "ShdPnd" => status.pending |= mask(value),
                "SigBlk" => status.blocked = mask(value),
                "SigIgn" => status.ignored = mask(value),
                "SigCgt" => status.caught = mask(value),
                "voluntary_ctxt_switches" => status.switches = value.parse().ok()?,
                _ => {}
            }
        }
        Some(status)
    }

    /// It has asked that this signal be ignored.
    pub fn is_told_to_ignore(&self, signal: i32) -> bool {
        self.ignored & bit(signal) != 0
    }

    /// It has a handler for this signal.
    pub fn catches(&self, signal: i32) -> bool {
        self.caught & bit(signal) != 0
    }

    /// Nothing would happen to it through this signal, were it not traced.
    pub fn ignores(&self, signal: i32) -> bool {
        bit(signal) & (self.ignored | (IGNORED_BY_DEFAULT & !self.caught)) != 0
    }

    /// Signals are pending, and untraced not one of them would have been noticed.
    pub fn only_ignored_pending(&self) -> bool {
        let pending = self.pending & !self.blocked;
        pending != 0 && pending & !(self.ignored | IGNORED_BY_DEFAULT & !self.caught) == 0
    }
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// `signal(7)`: default action "Ign", and `SIGCONT`, which only continues what is stopped.
const IGNORED_BY_DEFAULT: u64 = {
    use nix::libc::{SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
    1 << (SIGCHLD - 1) | 1 << (SIGCONT - 1) | 1 << (SIGURG - 1) | 1 << (SIGWINCH - 1)
};

/// Processor time used so far, user and system, in clock ticks (10 ms each where `CLK_TCK` is 100, as on Linux).
pub fn ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11); // `utime` and `stime` are fields 14 and 15
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Nanoseconds on a processor, and waiting for one while runnable (`Documentation/scheduler/sched-stats.rst`).
pub fn schedstat(pid: i32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    let mut fields = text.split_whitespace();
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The number and the arguments of the call in which a sleeping thread is; `None` when it is in none.
pub fn current_call(tid: i32) -> Option<(i64, [u64; 6])> {
    let text = fs::read_to_string(format!("/proc/{tid}/syscall")).ok()?;
    let mut fields = text.split_whitespace();
    let nr = fields.next()?.parse().ok().filter(|&nr| nr >= 0)?;
    let mut args = [0; 6];
    for (arg, field) in args.iter_mut().zip(fields) {
        *arg = u64::from_str_radix(field.trim_start_matches("0x"), 16).ok()?;
    }
    Some((nr, args))
}

/// The thread is not on a processor and not waiting for one. `/proc/PID/syscall` says `running` of every other: the
/// kernel makes sure before it answers (`task_current_syscall` and `wait_task_inactive` in its source). A kernel
/// without that file cannot be asked, and then the state has to do.
pub fn is_off_queue(tid: i32) -> bool {
    fs::read_to_string(format!("/proc/{tid}/syscall")).is_ok_and(|text| !text.starts_with("running"))
        || !fs::exists("/proc/self/syscall").unwrap_or(true)
}

/// What descriptor `fd` of a process is: a path, `pipe:[7]`, `socket:[7]`, `anon_inode:[eventpoll]`, `pidfd 42`.
pub fn descriptor(pid: i32, fd: RawFd) -> Option<String> {
    let link = fs::read_link(format!("/proc/{pid}/fd/{fd}"))
        .ok()?
        .to_string_lossy()
        .into_owned();
    if !link.contains("pidfd") {
        return Some(link);
    }
    let of = fdinfo(pid, fd, "Pid:")
        .into_iter()
        .next()
        .unwrap_or_else(|| "?".to_owned());
    Some(format!("pidfd {of}"))
}

/// Its open descriptors, in order.
pub fn descriptors(pid: i32) -> Vec<RawFd> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut all: Vec<RawFd> = numbers.collect();
    all.sort_unstable();
    all
}

/// How large a core file it may leave: its soft limit, in words.
pub fn core_limit(pid: i32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"))?;
    line.split_whitespace().next().map(str::to_owned)
}

/// The file status flags and the access mode of a descriptor.
pub fn flags(pid: i32, fd: RawFd) -> Option<i32> {
    let flags = fdinfo(pid, fd, "flags:").into_iter().next()?;
    i32::from_str_radix(&flags, 8).ok()
}

/// The descriptor is in non-blocking mode.
pub fn is_nonblocking(pid: i32, fd: RawFd) -> bool {
    flags(pid, fd).is_some_and(|flags| flags & nix::libc::O_NONBLOCK != 0)
}

/// The descriptors that an epoll instance watches.
pub fn epoll_targets(pid: i32, fd: RawFd) -> Vec<RawFd> {
    let lines = fdinfo(pid, fd, "tfd:");
    let numbers = lines
        .iter()
        .filter_map(|rest| rest.split_whitespace().next()?.parse().ok());
    let mut all: Vec<RawFd> = numbers.collect();
    all.sort_unstable(); // the kernel's order is that of addresses
    all
}

fn fdinfo(pid: i32, fd: RawFd, key: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap_or_default();
    text.lines()
        .filter_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()))
        .collect()
}

/// Whether the process is still in the table, zombies included.
pub fn exists(pid: i32) -> bool {
    fs::exists(format!("/proc/{pid}")).unwrap_or(false)
}

/// All live descendants of `pid` that its children's lists tell of (`CONFIG_PROC_CHILDREN`).
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut all = Vec::new();
    for child in children(pid) {
        all.push(child);
        all.extend(descendants(child));
    }
    all
}

/// The children of all threads of `pid`.
pub fn children(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let lists = tasks
        .into_iter()
        .flatten()
        .flatten()
        .map(|task| fs::read_to_string(task.path().join("children")));
    let lists: Vec<String> = lists.map(Result::unwrap_or_default).collect();
    let pids = lists.iter().flat_map(|list| list.split_whitespace());
    pids.filter_map(|pid| pid.parse().ok()).collect()
}
