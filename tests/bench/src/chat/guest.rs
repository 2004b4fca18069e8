//! A member of the crowd: a socket of ours, or a client that runs, whom we hear by its output.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, read};

use super::host::number;
use crate::{Result, named};

/// How long somebody waits for what does not come.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the guest takes part.
enum Ear {
    Socket(OwnedFd),
    Program { child: Child, output: File },
}

/// How a client is told to leave.
#[derive(Clone, Copy)]
pub enum Leaving {
    /// Its input ends.
    End,
    /// SIGTERM.
    Signal,
}

pub struct Guest {
    pub name: String,
    stream: bool,
    ear: Ear,
    /// A line that has begun.
    begun: Vec<u8>,
    /// Lines that have come, and that nobody has looked at.
    lines: Vec<String>,
    /// The number of what it has heard last, and of each who has said anything, the last.
    pub last: Option<usize>,
    last_by: HashMap<String, usize>,
    pub heard: usize,
    /// How much it should have heard.
    pub due: usize,
}

impl Guest {
    fn new(name: String, stream: bool, ear: Ear) -> Guest {
        Guest {
            name,
            stream,
            ear,
            begun: Vec::new(),
            lines: Vec::new(),
            last: None,
            last_by: HashMap::new(),
            heard: 0,
            due: 0,
        }
    }

    /// Enters with a socket of ours.
    pub fn socket(name: String, to: SocketAddr, stream: bool) -> Result<Guest> {
        let socket: OwnedFd = match stream {
            true => TcpStream::connect(to).map_err(named("connect"))?.into(),
            false => {
                let socket = UdpSocket::bind("127.0.0.1:0").map_err(named("bind"))?;
                socket.connect(to).map_err(named("connect"))?;
                socket.into()
            }
        };
        let mut guest = Guest::new(name, stream, Ear::Socket(socket));
        guest.send("L", "")?;
        guest.await_line("OK")?;
        Ok(guest)
    }

    /// Enters with a client, in a process group of its own.
    pub fn program(name: String, program: &Path, to: SocketAddr, stream: bool) -> Result<Guest> {
        let mut command = Command::new(program);
        command.arg("client").args(stream.then_some("--stream"));
        command.arg(to.to_string()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(named("client"))?;
        let output = child.stdout.take().ok_or("a client without an output")?;
        let output = File::from(OwnedFd::from(output));
        let mut guest = Guest::new(name, stream, Ear::Program { child, output });
        guest.type_line(&guest.name.clone())?;
        let welcome = format!("name: welcome, {}", guest.name);
        guest.await_line(&welcome)?;
        Ok(guest)
    }

    pub fn is_program(&self) -> bool {
        matches!(self.ear, Ear::Program { .. })
    }

    pub fn say(&mut self, text: &str) -> Result {
        match self.is_program() {
            true => self.type_line(text),
            false => self.send("C", &format!(" {text}")),
        }
    }

    fn send(&self, kind: &str, rest: &str) -> Result {
        let end = if self.stream { "\n" } else { "" };
        let message = format!("{kind} {}{rest}{end}", self.name);
        nix::unistd::write(self.fd(), message.as_bytes()).map_err(named("write"))?;
        Ok(())
    }

    fn type_line(&mut self, line: &str) -> Result {
        let Ear::Program { child, .. } = &mut self.ear else {
            return Err("nobody types at a socket".into());
        };
        let stdin = child.stdin.as_mut().ok_or("a client without an input")?;
        writeln!(stdin, "{line}").map_err(named("client"))
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.ear {
            Ear::Socket(socket) => socket.as_fd(),
            Ear::Program { output, .. } => output.as_fd(),
        }
    }

    /// Waits until this is true of what it has heard. False: it never is, for nothing more comes.
    pub fn listen(
        &mut self,
        patience: Duration,
        done: impl Fn(&Guest) -> bool,
        look: &mut impl FnMut(&str),
    ) -> Result<bool> {
        loop {
            self.look(look)?;
            if done(self) {
                return Ok(true);
            }
            if !self.receive(patience)? {
                return Ok(false);
            }
        }
    }

    /// Whether it has heard all that it should have.
    pub fn is_content(&self) -> bool {
        self.heard >= self.due
    }

    /// Takes what has come already, and what `look` wants to know of it.
    pub fn look(&mut self, look: &mut impl FnMut(&str)) -> Result {
        while self.receive(Duration::ZERO)? {}
        for line in std::mem::take(&mut self.lines) {
            match line.split_once(": ") {
                Some((by, text)) => self.hear(by, text)?,
                None => look(&line),
            }
        }
        Ok(())
    }

    /// What is said is numbered: nothing comes twice, or before what the same one said earlier, or back to who said it.
    fn hear(&mut self, by: &str, text: &str) -> Result {
        let nth: usize = text
            .parse()
            .map_err(|_| format!("{} heard {by}: {text}", self.name))?;
        let before = self.last_by.insert(by.to_string(), nth);
        if by == self.name || before.is_some_and(|before| nth <= before) {
            return Err(format!("{} heard {by}: {nth} after {before:?}", self.name));
        }
        self.last = Some(nth);
        self.heard += 1;
        Ok(())
    }

    fn await_line(&mut self, wanted: &str) -> Result {
        loop {
            if let Some(at) = self.lines.iter().position(|line| line == wanted) {
                self.lines.remove(at);
                return Ok(());
            }
            if !self.receive(PATIENCE)? {
                return Err(format!("{} waits for {wanted:?} in vain", self.name));
            }
        }
    }

    /// Receives once. False: nothing came, for so long, or nothing will come any more.
    fn receive(&mut self, patience: Duration) -> Result<bool> {
        let mut fds = [PollFd::new(self.fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(patience).map_err(named("poll"))?;
        if poll(&mut fds, timeout).map_err(named("poll"))? == 0 {
            return Ok(false);
        }
        let mut buffer = [0; 4096];
        let len = match read(self.fd(), &mut buffer) {
            Err(Errno::ECONNREFUSED | Errno::ECONNRESET) | Ok(0) => return Ok(false),
            len => len.map_err(named("read"))?,
        };
        self.begun.extend(&buffer[..len]);
        // A datagram is a line without an end.
        if !self.stream && !self.is_program() {
            self.begun.push(b'\n');
        }
        self.cut();
        Ok(true)
    }

    fn cut(&mut self) {
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            self.lines
                .push(String::from_utf8_lossy(&line[..end]).into_owned());
        }
    }

    /// Is gone, without a word. Of a client only the first process is killed: the other has to see that for itself.
    pub fn die(self) -> Result {
        match self.ear {
            Ear::Socket(_) => Ok(()),
            Ear::Program { child, .. } => {
                let group = Pid::from_raw(child.id() as i32);
                kill(group, Signal::SIGKILL).map_err(named("kill"))?;
                all_end(group)?;
                Ok(())
            }
        }
    }

    /// Leaves as it should; returns how many messages its end says were lost there.
    pub fn leave(mut self, by: Leaving, look: &mut impl FnMut(&str)) -> Result<usize> {
        let Ear::Program { child, .. } = &mut self.ear else {
            self.send("Q", "")?;
            self.await_line("EXIT")?;
            self.look(look)?;
            // What TCP drops it sends again.
            return Ok(if self.stream { 0 } else { drops(self.fd()) });
        };
        let group = Pid::from_raw(child.id() as i32);
        match by {
            Leaving::End => drop(child.stdin.take()),
            Leaving::Signal => kill(group, Signal::SIGTERM).map_err(named("kill"))?,
        }
        // It may have more to say than a pipe holds.
        while self.receive(PATIENCE)? {}
        match all_end(group)? {
            Some(WaitStatus::Exited(_, 0)) => {}
            other => return Err(format!("the client {} ended with {other:?}", self.name)),
        }
        let lost = number(self.lines.iter().map(String::as_str), "lost ");
        self.look(look)?;
        Ok(lost)
    }
}

/// How many datagrams a socket has dropped: SO_MEMINFO.
fn drops(socket: BorrowedFd<'_>) -> usize {
    let mut words = [0_u32; libc::SK_MEMINFO_DROPS as usize + 1];
    let mut len = size_of_val(&words) as libc::socklen_t;
    let (fd, at) = (socket.as_raw_fd(), words.as_mut_ptr().cast());
    // SAFETY: `at` and `len` are ours, and `len` says how much may be written to `at`.
    unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, at, &mut len) };
    words.last().map_or(0, |drops| *drops as usize)
}

/// Waits until nobody is left of a process group; returns how the one ended that it is named after.
fn all_end(group: Pid) -> Result<Option<WaitStatus>> {
    let began = Instant::now();
    let mut ended = None;
    loop {
        match waitpid(Pid::from_raw(-group.as_raw()), Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return Ok(ended),
            Ok(WaitStatus::StillAlive) if began.elapsed() > PATIENCE => {
                return Err(format!("processes of the client {group} are left"));
            }
            Ok(WaitStatus::StillAlive) => thread::sleep(Duration::from_millis(1)),
            Ok(status) if status.pid() == Some(group) => ended = Some(status),
            Ok(_) => {}
            Err(errno) => return Err(named("waitpid")(errno)),
        }
    }
}
