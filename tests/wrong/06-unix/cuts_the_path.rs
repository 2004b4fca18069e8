//! Refused by step 2 (talk). Replaces src/recv.rs.
//! A path that is too long for `sun_path` is cut until it fits, as `strncpy` does it in many examples in C:
//! a socket with another name.

use std::ffi::OsStr;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::read;

use crate::listener::{self, Listener};
use crate::{Error, Result, retry, say};

const LINE: usize = 64 * 1024;

const BUFFER: usize = 64 * 1024;

pub type Greet = fn(&OwnedFd) -> Result<Option<Vec<u8>>>;

pub fn run(path: &Path) -> Result {
    let bytes = path.as_os_str().as_bytes();
    let fits = OsStr::from_bytes(&bytes[..bytes.len().min(107)]);
    serve(Path::new(fits), |_| Ok(Some(Vec::new())))
}

pub fn serve(path: &Path, greet: Greet) -> Result {
    listener::during(path, |listener| {
        let mut receiver = Receiver {
            senders: Vec::new(),
            accepting: true,
            buffer: vec![0; BUFFER],
        };
        loop {
            receiver.turn(listener, greet)?;
        }
    })
}

struct Receiver {
    senders: Vec<Sender>,
    accepting: bool,
    buffer: Vec<u8>,
}

impl Receiver {
    fn turn(&mut self, listener: &Listener, greet: Greet) -> Result {
        let sockets = self.senders.iter().map(|sender| sender.socket.as_fd());
        let door = self.accepting.then(|| listener.as_fd());
        let ready = listener.wait(sockets.chain(door))?;
        let knocked = self.accepting && ready.last() == Some(&true);
        for (mut sender, ready) in mem::take(&mut self.senders).into_iter().zip(ready) {
            if !ready || sender.hear(&mut self.buffer)? {
                self.senders.push(sender);
            } else {
                self.accepting = true;
            }
        }
        if knocked {
            self.accept(listener, greet)?;
        }
        Ok(())
    }

    fn accept(&mut self, listener: &Listener, greet: Greet) -> Result {
        match listener.accept() {
            Ok(socket) => {
                if let Some(prefix) = greet(&socket)? {
                    self.senders.push(Sender {
                        socket,
                        prefix,
                        kept: Vec::new(),
                    });
                }
            }
            Err(Errno::EAGAIN | Errno::ECONNABORTED) => {}
            Err(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)
                if !self.senders.is_empty() =>
            {
                self.accepting = false;
            }
            Err(errno) => return Err(Error::Call("accept4", errno)),
        }
        Ok(())
    }
}

struct Sender {
    socket: OwnedFd,
    prefix: Vec<u8>,
    kept: Vec<u8>,
}

impl Sender {
    fn hear(&mut self, buffer: &mut [u8]) -> Result<bool> {
        let n = match retry(|| read(&self.socket, buffer)) {
            Err(Errno::EAGAIN) => return Ok(true),
            Ok(n) => n,
            Err(_) => 0,
        };
        for piece in buffer[..n].split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.keep(end)?;
                    self.say_kept()?;
                }
                None => self.keep(piece)?,
            }
        }
        if n == 0 && !self.kept.is_empty() {
            self.say_kept()?;
        }
        Ok(n > 0)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result {
        self.kept.extend(bytes);
        while self.kept.len() > LINE {
            let rest = self.kept.split_off(LINE);
            self.say_kept()?;
            self.kept = rest;
        }
        Ok(())
    }

    fn say_kept(&mut self) -> Result {
        say(&[&self.prefix, &mem::take(&mut self.kept)])
    }
}
