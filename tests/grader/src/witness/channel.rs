//! The witness's ends of its connection with the test, and of the program's standard streams.

use super::Answer;
use crate::plan::{Order, Plan};
use nanoserde::{DeJson, SerJson};
use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, ppoll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
        time::TimeSpec,
    },
};
use std::{
    io::{self, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::Duration,
};

/// Everything that the witness listens to.
pub struct Channel {
    orders: Lines,
    signals: SignalFd,
    /// The program's standard output and standard error, where it has been started.
    pub streams: Vec<Stream>,
    /// The other end of the program's standard input.
    pub input: Option<OwnedFd>,
    unsent: Vec<u8>,
    closing: bool,
    postponed: Vec<Order>,
}

/// What wakes the witness.
pub struct Woken {
    /// The test has gone, or somebody asked the witness to end.
    pub abandoned: bool,
    /// Orders that came.
    pub orders: Vec<Order>,
}

impl Channel {
    /// Takes over standard input; `SIGCHLD` and the signals that ask to end arrive in a descriptor from here on.
    pub fn open() -> io::Result<Self> {
        let set: SigSet = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]
            .into_iter()
            .collect();
        set.thread_block()?;
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self {
            orders: Lines::default(),
            signals,
            streams: Vec::new(),
            input: None,
            unsent: Vec::new(),
            closing: false,
            postponed: Vec::new(),
        })
    }

    /// The plan: the first line. `None` when the test went away before it came.
    pub fn plan(&mut self) -> io::Result<Option<Plan>> {
        let line = self.line()?;
        let plan = line.map(|line| Plan::deserialize_json(&line).map_err(io::Error::other));
        plan.transpose()
    }

    /// Sleeps until an order comes, and to nothing else; `None` when the test went away.
    pub fn order(&mut self) -> io::Result<Option<Order>> {
        let line = self.line()?;
        let order = line.map(|line| Order::deserialize_json(&line).map_err(io::Error::other));
        order.transpose()
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.orders.next() {
                return Ok(Some(line));
            }
            if !self.orders.read()? {
                return Ok(None);
            }
        }
    }

    /// Sleeps until something comes or `limit` is over, and takes in what came.
    pub fn wait(&mut self, limit: Duration) -> io::Result<Woken> {
        let stdin = io::stdin();
        let mut fds = vec![
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
        ];
        let open = self.streams.iter().filter_map(|stream| stream.end.as_ref());
        fds.extend(open.map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN)));
        if let (Some(input), false) = (&self.input, self.unsent.is_empty()) {
            fds.push(PollFd::new(input.as_fd(), PollFlags::POLLOUT));
        }
        match ppoll(&mut fds, Some(TimeSpec::from(limit)), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        let mut woken = Woken {
            abandoned: false,
            orders: std::mem::take(&mut self.postponed),
        };
        if ready[0] {
            woken.abandoned = !self.orders.read()?;
        }
        // Also those that came together with the plan.
        while let Some(line) = self.orders.next() {
            woken
                .orders
                .push(Order::deserialize_json(&line).map_err(io::Error::other)?);
        }
        if ready[1] {
            while let Ok(Some(signal)) = self.signals.read_signal() {
                woken.abandoned |= signal.ssi_signo != libc::SIGCHLD.cast_unsigned();
            }
        }
        self.drain();
        self.feed();
        Ok(woken)
    }

    /// Reads what the program has printed; `true` when there was something.
    pub fn drain(&mut self) -> bool {
        let drained: Vec<bool> = self.streams.iter_mut().map(Stream::drain).collect();
        drained.contains(&true)
    }

    /// Gives an order back: it comes again with the next ones.
    pub fn postpone(&mut self, order: Order) {
        self.postponed.push(order);
    }

    /// Queues bytes for the program's standard input.
    pub fn send(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
        self.feed();
    }

    /// Closes the program's standard input, once everything has been sent.
    pub fn close_input(&mut self) {
        self.closing = true;
        self.feed();
    }

    /// Sends what it can; `true` when there was something that the program has room for.
    pub fn feeding(&mut self) -> bool {
        let before = self.unsent.len();
        self.feed();
        before != self.unsent.len()
    }

    fn feed(&mut self) {
        self.send_unsent();
        if self.closing && self.unsent.is_empty() {
            self.input = None;
        }
    }

    fn send_unsent(&mut self) {
        let Some(input) = &self.input else {
            return self.unsent.clear();
        };
        while !self.unsent.is_empty() {
            match nix::unistd::write(input, &self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(Errno::EAGAIN) => return,
                Err(_) => return self.unsent.clear(), // nobody reads any more
            }
        }
    }

    /// Tells the test; one that has gone is not missed here, its end of file says it.
    pub fn answer(&self, answer: &Answer) {
        let line = answer.serialize_json() + "\n";
        let _ = io::stdout().lock().write_all(line.as_bytes());
    }

    /// Returns when the test has closed its end.
    pub fn until_closed(&mut self) {
        while let Ok(true) = self.orders.read() {}
    }
}

/// One output stream of the program.
pub struct Stream {
    end: Option<OwnedFd>,
    /// How `/proc/PID/fd` calls it: `pipe:[7]`.
    pub link: String,
    /// What came out, up to the limit.
    pub bytes: Vec<u8>,
    /// How much came out.
    pub total: usize,
    limit: usize,
}

impl Stream {
    /// Wraps the read end of a pipe, in non-blocking mode.
    pub fn new(end: OwnedFd, limit: usize) -> Self {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", end.as_raw_fd())).unwrap_or_default();
        Self {
            end: Some(end),
            link: link.to_string_lossy().into_owned(),
            bytes: Vec::new(),
            total: 0,
            limit,
        }
    }

    /// More came out than the plan allows.
    pub fn overflows(&self) -> bool {
        self.total > self.limit
    }

    fn drain(&mut self) -> bool {
        let mut any = false;
        let mut buffer = [0; 4096];
        while let Some(end) = &self.end {
            match nix::unistd::read(end, &mut buffer) {
                Ok(0) => self.end = None,
                Ok(n) => {
                    any = true;
                    self.total += n;
                    let room = self.limit.saturating_sub(self.bytes.len()).min(n);
                    self.bytes.extend_from_slice(&buffer[..room]);
                }
                Err(_) => break,
            }
            if self.overflows() {
                break; // the run ends here; what else is in the pipe goes with it
            }
        }
        any
    }
}

/// Lines from standard input, as they come.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    fn next(&mut self) -> Option<String> {
        let end = self.buffer.iter().position(|&b| b == b'\n')?;
        let line = self.buffer.drain(..=end).collect();
        String::from_utf8(line).ok()
    }

    /// `false` at the end of the input.
    fn read(&mut self) -> io::Result<bool> {
        let mut piece = [0; 4096];
        // SAFETY: nothing else in this process owns or reads descriptor 0.
        let stdin = unsafe { BorrowedFd::borrow_raw(libc::STDIN_FILENO) };
        let n = loop {
            match nix::unistd::read(stdin, &mut piece) {
                Err(Errno::EINTR) => {}
                other => break other?,
            }
        };
        self.buffer.extend_from_slice(&piece[..n]);
        Ok(n > 0)
    }
}
