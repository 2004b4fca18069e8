//! The system calls that a story tells: their names, their families, and how each may block.

use nanoserde::{DeJson, SerJson};
use nix::libc;

/// What a call is for; faults are ordered by family, since a learner may take any member of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, SerJson, DeJson)]
pub enum Family {
    /// `fork`, `vfork`, `clone`, `clone3`: a new process (a new thread is not counted).
    Fork,
    /// `execve`, `execveat`.
    Exec,
    /// `wait4`, `waitid`: `waitpid` and all its kin end up in these two.
    Wait,
    /// `nanosleep`, `clock_nanosleep`.
    Sleep,
    /// `pause`, `rt_sigsuspend`, `rt_sigtimedwait`: until a signal comes.
    SignalWait,
    /// `poll`, `select`, `epoll_wait` and their kin.
    Poll,
    /// `read`, `recvfrom` and their kin.
    Read,
    /// `write`, `sendto` and their kin.
    Write,
    /// `accept`, `accept4`.
    Accept,
    /// `connect`.
    Connect,
    /// `bind`; never blocks.
    Bind,
    /// `flock`, and `fcntl` with a lock that waits.
    Lock,
    /// Makes, changes or removes a descriptor, a file or a signal's disposition; never blocks for long.
    Other,
}

/// How long a call may keep its caller asleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug, SerJson, DeJson)]
pub enum Blocking {
    /// It returns at once: `WNOHANG`, a timeout of zero, or a call that never sleeps.
    Never,
    /// For a given time at most.
    Timed,
    /// Until something happens.
    Until,
}

macro_rules! families {
    ($($family:ident: $($call:ident)*;)*) => {
        &[$($((libc::$call, stringify!($call), Family::$family),)*)*]
    };
}

/// Every call that stops for the witness: number, `SYS_` name, family.
const TABLE: &[(libc::c_long, &str, Family)] = families! {
    Fork: SYS_clone SYS_clone3;
    Exec: SYS_execve SYS_execveat;
    Wait: SYS_wait4 SYS_waitid;
    Sleep: SYS_nanosleep SYS_clock_nanosleep;
    SignalWait: SYS_rt_sigsuspend SYS_rt_sigtimedwait;
    Poll: SYS_ppoll SYS_pselect6 SYS_epoll_pwait SYS_epoll_pwait2;
    Read: SYS_read SYS_readv SYS_pread64 SYS_preadv SYS_preadv2 SYS_recvfrom SYS_recvmsg SYS_recvmmsg;
    Write: SYS_write SYS_writev SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_sendto SYS_sendmsg SYS_sendmmsg SYS_sendfile SYS_splice SYS_copy_file_range;
    Accept: SYS_accept SYS_accept4;
    Connect: SYS_connect;
    Bind: SYS_bind;
    Lock: SYS_flock;
    Other: SYS_openat SYS_openat2 SYS_close SYS_dup SYS_dup3 SYS_fcntl SYS_pipe2 SYS_socket SYS_socketpair SYS_listen
        SYS_unlinkat SYS_renameat SYS_renameat2 SYS_linkat SYS_truncate SYS_ftruncate SYS_setsockopt SYS_kill SYS_tkill SYS_tgkill
        SYS_pidfd_open SYS_pidfd_send_signal SYS_rt_sigaction SYS_rt_sigreturn SYS_signalfd4 SYS_setitimer
        SYS_timer_settime SYS_timerfd_settime SYS_prctl SYS_setsid SYS_chdir SYS_getppid SYS_sched_yield
        SYS_epoll_create1 SYS_epoll_ctl SYS_newfstatat SYS_faccessat SYS_faccessat2 SYS_statx SYS_restart_syscall;
};

/// The older calls that only x86_64 still has.
#[cfg(target_arch = "x86_64")]
const OLDER: &[(libc::c_long, &str, Family)] = families! {
    Fork: SYS_fork SYS_vfork;
    SignalWait: SYS_pause;
    Poll: SYS_poll SYS_select SYS_epoll_wait;
    Other: SYS_open SYS_creat SYS_dup2 SYS_pipe SYS_unlink SYS_rename SYS_link SYS_signalfd SYS_alarm SYS_stat SYS_lstat SYS_access
        SYS_epoll_create;
};
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[(libc::c_long, &str, Family)] = &[];

/// The numbers of all calls that stop for the witness.
pub fn numbers() -> Vec<i64> {
    TABLE.iter().chain(OLDER).map(|&(nr, ..)| nr).collect()
}

/// Name (as in the manual) and family of call number `nr`; a call outside the table is `call NR`.
pub fn describe(nr: i64) -> (String, Family) {
    match TABLE.iter().chain(OLDER).find(|entry| entry.0 == nr) {
        Some(&(_, name, family)) => (name.trim_start_matches("SYS_").to_owned(), family),
        None if nr == libc::SYS_futex => ("futex".to_owned(), Family::Other),
        None => (format!("call {nr}"), Family::Other),
    }
}

/// The number of the call of that name; −1 for a name that is not in the table.
pub fn number(name: &str) -> i64 {
    let is_it = |entry: &&(libc::c_long, &str, Family)| entry.1.trim_start_matches("SYS_") == name;
    TABLE.iter().chain(OLDER).find(is_it).map_or(-1, |entry| entry.0)
}
