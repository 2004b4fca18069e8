//! Starts the program: seized before its first instruction, with the signals, descriptors and limits that every lab
//! is promised.

use super::{
    channel::{Channel, Stream},
    filter,
};
use crate::{
    calls,
    plan::{Plan, Stdout},
};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl, open},
    libc,
    sys::{
        ptrace::{self, Options},
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigSet, SigmaskHow, sigprocmask},
        stat::Mode,
        wait::waitpid,
    },
    unistd::{
        ForkResult, Gid, Pid, Uid, dup2_stderr, dup2_stdin, dup2_stdout, execve, fork, pipe2, read, setgid,
        setgroups, setsid, setuid, write,
    },
};
use std::{
    ffi::{CString, OsString},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::ffi::OsStringExt,
    },
    path::Path,
    process::Command,
};

/// What became of the start.
pub enum Started {
    /// It runs, and every one of its stops comes to the witness. From the descriptor [`said`] reads why exec failed.
    Observed(Pid, OwnedFd),
    /// It runs, but `ptrace` or the filter was refused: why.
    Unobserved(Pid, String),
    /// It could not be started: why.
    Not(String),
}

/// The descriptors that the program starts with.
struct Streams {
    stdin: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

/// Forks, seizes and lets go; `exec` itself is the first thing that the witness sees. With `unobserved` it does not
/// even try to seize: that is the reason why not.
pub fn start(plan: &Plan, channel: &mut Channel, unobserved: Option<String>) -> io::Result<Started> {
    let streams = streams(plan, channel)?;
    let argv: Vec<CString> = plan
        .argv()
        .into_iter()
        .map(CString::new)
        .collect::<Result<_, _>>()?;
    let (go, release) = pipe2(OFlag::O_CLOEXEC)?;
    let (failure, report) = pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: the witness has one thread.
    let program = match unsafe { fork() }? {
        ForkResult::Child => {
            drop((release, failure));
            let error = become_program(plan, &argv, &streams, &go);
            let _ = write(report, error.to_string().as_bytes());
            // SAFETY: ends the process; nothing of the witness's is flushed or dropped twice.
            unsafe { libc::_exit(127) }
        }
        ForkResult::Parent { child } => child,
    };
    drop((go, report, streams));
    let refused = unobserved.or_else(|| {
        seize(program)
            .err()
            .map(|errno| format!("ptrace: {}", reason(errno)))
    });
    write(&release, if refused.is_some() { b"p" } else { b"t" })?;
    if let Some(refused) = refused {
        return Ok(match said(&failure)? {
            None => Started::Unobserved(program, refused),
            Some(why) => {
                waitpid(program, None)?;
                Started::Not(why)
            }
        });
    }
    Ok(Started::Observed(program, failure))
}

/// What holds for all programs that the witness will spawn, it sets for itself.
pub fn prepare_to_spawn(plan: &Plan) -> io::Result<()> {
    limit_cores()?;
    limit_descriptors(plan)?;
    limit_processes(plan);
    Ok(())
}

/// Starts the program where nobody will look at it: ten times as fast as [`start`], since nothing has to be done between
/// its fork and its exec. (`SIGPIPE` and the signal mask are put back by the library.)
pub fn spawn(plan: &Plan, environment: &[(OsString, OsString)], channel: &mut Channel) -> io::Result<Pid> {
    let streams = streams(plan, channel)?;
    let argv: Vec<OsString> = plan.argv().into_iter().map(OsString::from_vec).collect();
    let mut words = argv.into_iter();
    let child = Command::new(words.next().unwrap_or_default())
        .args(words)
        .env_clear()
        .envs(environment.iter().cloned())
        .stdin(streams.stdin)
        .stdout(streams.stdout)
        .stderr(streams.stderr)
        .spawn()?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}

fn seize(program: Pid) -> nix::Result<()> {
    let options = Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACEEXIT
        | Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACESECCOMP
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(program, options)
}

/// The text that the child left when it could not become the program; `None` when it did.
pub fn said(failure: &OwnedFd) -> io::Result<Option<String>> {
    let mut text = [0; 256];
    let n = loop {
        match read(failure, &mut text) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    Ok((n > 0).then(|| String::from_utf8_lossy(&text[..n]).into_owned()))
}

/// strerror's text of an errno.
pub fn reason(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn streams(plan: &Plan, channel: &mut Channel) -> io::Result<Streams> {
    channel.streams.clear();
    let stdin = match &plan.input {
        None => open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?,
        Some(bytes) => {
            let (theirs, ours) = pipe2(OFlag::O_CLOEXEC)?;
            fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            channel.input = Some(ours);
            channel.send(bytes);
            if !plan.interactive {
                channel.close_input();
            }
            theirs
        }
    };
    let mut stream = || -> io::Result<OwnedFd> {
        let (ours, theirs) = pipe2(OFlag::O_CLOEXEC)?;
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        channel.streams.push(Stream::new(ours, plan.output));
        Ok(theirs)
    };
    let (mut stdout, stderr) = (stream()?, stream()?);
    match plan.stdout {
        Stdout::Read => {}
        Stdout::ReaderGone => (_, stdout) = pipe2(OFlag::O_CLOEXEC)?,
        Stdout::Full => stdout = open("/dev/full", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?,
    }
    Ok(Streams {
        stdin,
        stdout,
        stderr,
    })
}

/// In the child: never returns, unless with what went wrong.
fn become_program(plan: &Plan, argv: &[CString], streams: &Streams, go: &OwnedFd) -> String {
    let told = |call: &'static str| move |errno: Errno| format!("{call}: {}", reason(errno));
    let prepare = || -> Result<(), String> {
        dup2_stdin(&streams.stdin).map_err(told("dup2"))?;
        dup2_stdout(&streams.stdout).map_err(told("dup2"))?;
        dup2_stderr(&streams.stderr).map_err(told("dup2"))?;
        if !plan.terminal.is_empty() {
            sit_down_at(&plan.terminal).map_err(told("terminal"))?;
        }
        std::env::set_current_dir(Path::new(&plan.directory))
            .map_err(|e| format!("{}: {e}", plan.directory))?;
        limit_cores().map_err(told("setrlimit"))?;
        limit_descriptors(plan).map_err(told("setrlimit"))?;
        default_signals();
        plan.user.map_or(Ok(()), become_user).map_err(told("setuid"))?;
        let mut word = [0];
        read(go.as_fd(), &mut word).map_err(told("read"))?;
        // SAFETY: marks every descriptor from 3 on close-on-exec; takes no pointer.
        unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed()) };
        if word == *b"t" {
            let mut calls = calls::numbers();
            if plan.exit_code.is_some() {
                calls.extend([libc::SYS_exit, libc::SYS_exit_group]);
            }
            filter::install(&calls).map_err(told("seccomp"))?;
        } else {
            limit_processes(plan);
        }
        Ok(())
    };
    let Err(error) = prepare().and_then(|()| {
        let program = argv.first().map_or(c"", CString::as_c_str);
        execve(program, argv, &environment(plan)).map_err(reason)
    });
    error
}

/// Makes this terminal the controlling one of a new session, and the three streams.
fn sit_down_at(path: &str) -> nix::Result<()> {
    setsid()?;
    let terminal = open(
        path,
        OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    // SAFETY: takes two numbers (ioctl_tty(2)).
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) })?;
    dup2_stdin(&terminal)?;
    dup2_stdout(&terminal)?;
    dup2_stderr(&terminal)
}

/// Gives up all rights but those of this user.
fn become_user(user: u32) -> nix::Result<()> {
    setgroups(&[])?;
    setgid(Gid::from_raw(user))?;
    setuid(Uid::from_raw(user))
}

/// No core file is written, nor passed to a program of the system's: to a limit of 1 byte the kernel gives neither
/// (`core(5)`). And a limit of 0 is then the program's own doing.
fn limit_cores() -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 1, 1).or_else(|_| setrlimit(Resource::RLIMIT_CORE, 0, 0))
}

/// The test has raised its own soft limit, for the peers of servers.
fn limit_descriptors(plan: &Plan) -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let soft = plan.descriptors.min(hard);
    setrlimit(
        Resource::RLIMIT_NOFILE,
        soft,
        if plan.descriptors_hard { soft } else { hard },
    )
}

/// A fork bomb that no tracer holds back: at some point the kernel does. The limit counts all threads of the user
/// (`getrlimit(2)`), those of a browser and of other runs too, so it leaves them room: all there are on this machine, after
/// the slash in `/proc/loadavg` (`proc_loadavg(5)`). It counts for nobody who is privileged.
fn limit_processes(plan: &Plan) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let all = load.split(['/', ' ']).nth(4).and_then(|all| all.parse().ok());
    let most = all.unwrap_or(0) + plan.processes as u64 + 512;
    let _ = setrlimit(Resource::RLIMIT_NPROC, most, most);
}

/// The test's environment, less what speaks to the kit, to Rust's panics and to cargo's own programs, and what the plan
/// sets. (Cargo points `LD_LIBRARY_PATH` at its directories; the loader would look through all of them first.)
fn environment(plan: &Plan) -> Vec<CString> {
    let set = plan
        .env
        .iter()
        .map(|(key, value)| format!("{key}={value}").into_bytes());
    let is_set = |key: &OsString| plan.env.iter().any(|(set, _)| **set == **key);
    let kept = kept_environment().into_iter().filter(|(key, _)| !is_set(key));
    let kept = kept.map(|(key, value)| [key.as_encoded_bytes(), b"=", value.as_encoded_bytes()].concat());
    kept.chain(set)
        .filter_map(|pair| CString::new(pair).ok())
        .collect()
}

/// What a program gets of the test's environment.
pub fn kept_environment() -> Vec<(OsString, OsString)> {
    let ours = [
        "RUST_BACKTRACE",
        "RUST_LIB_BACKTRACE",
        "NO_COLOR",
        "LD_LIBRARY_PATH",
    ];
    let families = ["LAB_", "FORKROOM_", "INSTA_", "CARGO"];
    let is_kept = |key: &str| !ours.contains(&key) && !families.iter().any(|family| key.starts_with(family));
    std::env::vars_os()
        .filter(|(key, _)| is_kept(&key.to_string_lossy()))
        .collect()
}

/// Every signal at its default and none blocked: Rust ignores `SIGPIPE`, and the witness blocks what it reads.
fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: installs no handler; the calls that fail are those for SIGKILL, SIGSTOP and the C library's own.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}
