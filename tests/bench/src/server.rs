//! A server under measurement: a process on a processor of its own, whose time is counted while it sleeps.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpid, getppid};

use crate::machine::{Cores, pin};
use crate::{Result, named};

/// How long a server may be busy after the last answer before it is given up.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Server {
    child: Child,
    pub addr: SocketAddr,
    clock: libc::clockid_t,
    stat: File,
    /// Whether it has other threads than its first.
    pub threaded: bool,
}

impl Server {
    /// Starts an echo server, which says `listening on ADDR`.
    pub fn start(program: &Path, step: Option<&str>, cores: Cores) -> Result<Server> {
        let mut command = Command::new(program);
        command.args(step).arg("127.0.0.1:0");
        Server::announced(command, "listening on ", cores)
    }

    /// Starts a server that says in its first line, after these words, where it listens.
    pub fn announced(mut command: Command, words: &str, cores: Cores) -> Result<Server> {
        let program = command.get_program().to_owned();
        command.stdout(Stdio::piped());
        let mut child = spawn(command, cores)?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("a server without an output")?);
        let mut line = String::new();
        let mut server = Server::watch(child, ([127, 0, 0, 1], 0).into())?;
        stdout.read_line(&mut line).map_err(named("read"))?;
        // What else it says is read, so that it need never wait for a reader, and dropped.
        thread::spawn(move || io::copy(&mut stdout, &mut io::sink()));
        let addr = line.trim_end().strip_prefix(words);
        let addr = addr.and_then(|addr| addr.parse().ok());
        server.addr = addr.ok_or_else(|| format!("{} did not say where it listens", program.display()))?;
        Ok(server)
    }

    /// Starts a server that says nothing, and will listen there.
    pub fn silent(command: Command, addr: SocketAddr, cores: Cores) -> Result<Server> {
        Server::watch(spawn(command, cores)?, addr)
    }

    fn watch(mut child: Child, addr: SocketAddr) -> Result<Server> {
        let looked = || -> Result<_> {
            let stat = File::open(format!("/proc/{}/stat", child.id())).map_err(named("/proc"))?;
            let mut clock = 0;
            // SAFETY: `clock` is ours, and outlives the call.
            match unsafe { libc::clock_getcpuclockid(child.id() as i32, &mut clock) } {
                0 => Ok((clock, stat)),
                errno => Err(named("clock_getcpuclockid")(Errno::from_raw(errno))),
            }
        }();
        match looked {
            Ok((clock, stat)) => Ok(Server {
                child,
                addr,
                clock,
                stat,
                threaded: false,
            }),
            Err(why) => {
                let _ = child.kill().and_then(|()| child.wait());
                Err(why)
            }
        }
    }

    /// The processor time that it has used so far. It sleeps then: none of what it was asked to do is missing.
    pub fn cpu(&self) -> Result<Duration> {
        self.settle()?;
        // SAFETY: all zeros is a valid timespec.
        let mut time: libc::timespec = unsafe { std::mem::zeroed() };
        // SAFETY: `time` is ours, and outlives the call.
        Errno::result(unsafe { libc::clock_gettime(self.clock, &mut time) })
            .map_err(named("clock_gettime"))?;
        Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    /// Returns once the server sleeps, all of its threads.
    pub fn settle(&self) -> Result {
        let began = Instant::now();
        loop {
            match self.state()? {
                b'S' if !self.threaded || self.threads_sleep() => return Ok(()),
                b'Z' | b'X' => return Err("the server has ended".into()),
                _ if began.elapsed() > PATIENCE => return Err("the server does not come to rest".into()),
                _ => thread::yield_now(),
            }
        }
    }

    /// The state of its first thread.
    fn state(&self) -> Result<u8> {
        let mut text = [0; 128];
        let len = self.stat.read_at(&mut text, 0).map_err(named("/proc"))?;
        Ok(letter(&text[..len]))
    }

    /// Whether all of its threads sleep. One that has ended meanwhile does.
    fn threads_sleep(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid()));
        let stats = tasks.into_iter().flatten().flatten();
        let mut stats = stats.filter_map(|task| fs::read(task.path().join("stat")).ok());
        stats.all(|stat| letter(&stat) == b'S')
    }

    /// Holds the server: what is sent to it now, it finds all at once.
    pub fn hold(&self) -> Result {
        kill(self.pid(), Signal::SIGSTOP).map_err(named("kill"))?;
        waitpid(self.pid(), Some(WaitPidFlag::WUNTRACED)).map_err(named("waitpid"))?;
        Ok(())
    }

    pub fn release(&self) -> Result {
        kill(self.pid(), Signal::SIGCONT).map_err(named("kill"))
    }

    /// Its own memory (what it shares with the file it was loaded from is left out), in KiB.
    pub fn memory(&self) -> Result<f64> {
        self.settle()?;
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid())).map_err(named("/proc"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        number.ok_or_else(|| "the kernel does not tell RssAnon".into())
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// The state letter of proc_pid_stat(5): it follows the name, which is in parentheses.
fn letter(stat: &[u8]) -> u8 {
    let end = stat.iter().rposition(|byte| *byte == b')');
    end.and_then(|end| stat.get(end + 2)).copied().unwrap_or(b'X')
}

/// Starts a process that ends when this one does, however that ends. (To be called by the main thread only: it is the
/// thread's end that the kernel looks at.)
fn spawn(mut command: Command, cores: Cores) -> Result<Child> {
    let parent = getpid();
    let prepare = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            return Err(Errno::ESRCH.into());
        }
        Ok(pin(cores.server)?)
    };
    // SAFETY: between fork and exec it only makes system calls; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) };
    let name = command.get_program().display().to_string();
    command.stdin(Stdio::null()).spawn().map_err(named(&name))
}
