//! The load: connections that ask, and read the answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrStorage, bind, connect, setsockopt, socket,
    sockopt,
};

use crate::server::Server;
use crate::{Result, named};

/// How many connections come from one address: far fewer than it has ports.
const A_CLIENT: usize = 5000;

/// How many clients connect before the server gets time to let them in: fewer than any backlog takes.
const AT_ONCE: usize = 100;

/// How long a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is asked, and the answer to it.
pub struct Question {
    pub ask: Vec<u8>,
    pub answer: Answer,
}

pub enum Answer {
    /// The same bytes.
    Echo,
    /// So many bytes.
    Length(usize),
}

impl Question {
    /// Bytes to echo, no two of which are alike next to each other.
    pub fn echo(len: usize) -> Question {
        Question {
            ask: (0..len).map(|at| (at % 251) as u8).collect(),
            answer: Answer::Echo,
        }
    }
}

/// Connections to one server, the oldest first.
pub struct Crowd<'a> {
    server: &'a Server,
    pub conns: Vec<TcpStream>,
    buffer: Vec<u8>,
}

impl<'a> Crowd<'a> {
    pub fn new(server: &'a Server) -> Crowd<'a> {
        Crowd {
            server,
            conns: Vec::new(),
            buffer: Vec::new(),
        }
    }

    /// Connects until there are so many. They are let in, all of them: the last one has got an answer.
    pub fn grow(&mut self, len: usize) -> Result {
        self.grow_asking(len, &Question::echo(64))
    }

    pub fn grow_asking(&mut self, len: usize, question: &Question) -> Result {
        while self.conns.len() < len {
            let stream = open(self.server.addr, self.conns.len(), SockFlag::empty())?;
            self.conns.push(stream);
            if self.conns.len().is_multiple_of(AT_ONCE) {
                self.server.settle()?;
            }
        }
        self.one(len - 1, question)
    }

    /// The same, all at once; returns how long it takes until each of them has had an answer.
    pub fn storm(&mut self, len: usize) -> Result<Duration> {
        let began = Instant::now();
        for nth in 0..len {
            self.conns
                .push(open(self.server.addr, nth, SockFlag::SOCK_NONBLOCK)?);
        }
        let question = Question::echo(64);
        for at in 0..len {
            let stream = &self.conns[at];
            // One that does not block and is not connected yet could not be written to.
            stream.set_nonblocking(false).map_err(named("fcntl"))?;
            await_connected(stream)?;
            self.one(at, &question)?;
        }
        Ok(began.elapsed())
    }

    /// One client asks, and waits for the answer.
    pub fn one(&mut self, at: usize, question: &Question) -> Result {
        self.ask(at, question)?;
        self.hear(at, question)
    }

    pub fn ask(&mut self, at: usize, question: &Question) -> Result {
        (&self.conns[at]).write_all(&question.ask).map_err(named("write"))
    }

    pub fn hear(&mut self, at: usize, question: &Question) -> Result {
        let len = match question.answer {
            Answer::Echo => question.ask.len(),
            Answer::Length(len) => len,
        };
        self.buffer.resize(len, 0);
        (&self.conns[at])
            .read_exact(&mut self.buffer)
            .map_err(named("no answer: read"))?;
        match question.answer {
            Answer::Echo if self.buffer != question.ask => Err("the echo is not what was sent".into()),
            _ => Ok(()),
        }
    }

    /// All ask, and each asks again as soon as it has heard, for so long; returns the server's nanoseconds an answer.
    pub fn busy(&mut self, question: &Question, time: Duration) -> Result<f64> {
        let mut answers = 0;
        let before = self.server.cpu()?;
        let began = Instant::now();
        (0..self.conns.len()).try_for_each(|at| self.ask(at, question))?;
        while began.elapsed() < time {
            for at in 0..self.conns.len() {
                self.hear(at, question)?;
                self.ask(at, question)?;
                answers += 1;
            }
        }
        (0..self.conns.len()).try_for_each(|at| self.hear(at, question))?;
        answers += self.conns.len();
        Ok((self.server.cpu()? - before).as_nanos() as f64 / answers as f64)
    }

    /// Only the first client asks, the others are idle; and it asks only when the server sleeps, so that the server
    /// really waits each time. Returns the server's nanoseconds an answer.
    pub fn one_active(&mut self, time: Duration) -> Result<f64> {
        let question = Question::echo(64);
        self.repeat(time, 10, |crowd| {
            crowd.one(0, &question)?;
            Ok(1)
        })
    }

    /// So many clients ask in the same moment: the server is held until all have. Returns its nanoseconds an answer.
    pub fn some_active(&mut self, active: usize, time: Duration) -> Result<f64> {
        let question = Question::echo(64);
        let apart = self.conns.len() / active;
        let asking = move || (0..active).map(move |nth| nth * apart);
        self.repeat(time, 2, |crowd| {
            crowd.server.hold()?;
            asking().try_for_each(|at| crowd.ask(at, &question))?;
            crowd.server.release()?;
            asking().try_for_each(|at| crowd.hear(at, &question))?;
            Ok(active)
        })
    }

    /// Does something that brings answers, at least so often and for so long, each time after the server has gone to
    /// sleep; returns the server's nanoseconds an answer.
    fn repeat(
        &mut self,
        time: Duration,
        least: usize,
        mut once: impl FnMut(&mut Self) -> Result<usize>,
    ) -> Result<f64> {
        once(self)?;
        let before = self.server.cpu()?;
        let (began, mut times, mut answers) = (Instant::now(), 0, 0);
        while times < least || began.elapsed() < time {
            answers += once(self)?;
            times += 1;
            self.server.settle()?;
        }
        Ok((self.server.cpu()? - before).as_nanos() as f64 / answers as f64)
    }
}

/// Connects, as the nth client: from one of several addresses of this machine, since one has not ports enough.
pub fn open(to: SocketAddr, nth: usize, flags: SockFlag) -> Result<TcpStream> {
    let flags = flags | SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Inet, SockType::Stream, flags, None).map_err(named("socket"))?;
    let from = SocketAddrV4::new([127, 0, 0, 2 + (nth / A_CLIENT) as u8].into(), 0);
    // The port is chosen by connect: only then does the kernel know that it may be shared with other destinations.
    setsockopt(&fd, sockopt::IpBindAddressNoPort, &true).map_err(named("setsockopt"))?;
    setsockopt(&fd, sockopt::TcpNoDelay, &true).map_err(named("setsockopt"))?;
    // Closed by a reset: no port is kept back (TIME_WAIT) from the next round.
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(&fd, sockopt::Linger, &linger).map_err(named("setsockopt"))?;
    bind(fd.as_raw_fd(), &SockaddrIn::from(from)).map_err(named("bind"))?;
    match connect(fd.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) | Err(Errno::EINPROGRESS) => stream(fd),
        Err(errno) => Err(named("connect")(errno)),
    }
}

fn stream(fd: OwnedFd) -> Result<TcpStream> {
    // SAFETY: the descriptor is a TCP socket, and nobody else's any more.
    let stream = unsafe { TcpStream::from_raw_fd(fd.into_raw_fd()) };
    stream
        .set_read_timeout(Some(PATIENCE))
        .map_err(named("setsockopt"))?;
    Ok(stream)
}

/// Waits until a connection that was begun without waiting is there.
fn await_connected(stream: &TcpStream) -> Result {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let mut fds = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
    let timeout = PollTimeout::try_from(PATIENCE).map_err(named("poll"))?;
    match poll(&mut fds, timeout).map_err(named("poll"))? {
        0 => Err("connect: the server lets nobody in".into()),
        _ => Ok(()),
    }
}
